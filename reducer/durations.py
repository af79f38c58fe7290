"""Lengths of time as people write them: so many nanoseconds, and calendar months, of no fixed length."""

import datetime
import re
from typing import NamedTuple

from .errors import WorkflowError

Duration = float | str | datetime.timedelta
_UNITS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MONTHS = {"mo": 1, "y": 12}
_LONGEST_S = 7_000_000_000  # 220 years: a moment stays within 64 bits
_MONTH_S = 31 * 86_400  # the longest
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|mo|s|m|h|d|w|y)\s*")
_DAY_NS = 86_400 * 1_000_000_000
_EPOCH = datetime.date(1970, 1, 1)


class Length(NamedTuple):
    """A length of time: calendar months, then nanoseconds. It is false where it is nothing at all."""

    ns: int
    months: int = 0

    def __bool__(self) -> bool:
        return bool(self.ns or self.months)

    def after(self, moment: int) -> int:
        """Return the moment that is this much later than another, in ns since 1970, UTC.

        A month ends on the day of the month on which it began, or on the last one where there is no
        such day: a month from 31 January is 28 or 29 February, at the same time of day.
        """
        if not self.months:
            return moment + self.ns
        days, time = divmod(moment, _DAY_NS)
        start = _EPOCH + datetime.timedelta(days)
        first = _first_of_month(start, self.months)
        last = _first_of_month(start, self.months + 1) - datetime.timedelta(1)
        end = first.replace(day=min(start.day, last.day))
        return (end - _EPOCH).days * _DAY_NS + time + self.ns


def _first_of_month(day: datetime.date, later: int) -> datetime.date:
    """Return the first day of the month that comes so many months after that of a day."""
    years, month = divmod(day.month - 1 + later, 12)
    return datetime.date(day.year + years, month + 1, 1)


def length(duration: Duration) -> Length:
    """Return a duration: seconds as a number, "1h30m", "1mo" or a timedelta; raise WorkflowError."""
    if isinstance(duration, int) and 0 <= duration < _LONGEST_S:
        return Length(duration * 1_000_000_000)
    seconds, months = _read(duration)
    if not 0 <= seconds + months * _MONTH_S < _LONGEST_S:
        raise _unfit(duration)
    return Length(round(seconds * 1_000_000_000), months)


def nanoseconds(duration: Duration) -> int:
    """Return a duration of fixed length in ns, as `length` takes it; raise WorkflowError."""
    found = length(duration)
    if found.months:
        raise WorkflowError(
            f"{duration!r} has calendar months, whose length depends on when they begin; here it has "
            'to be known. Write days or weeks, such as "30d".'
        )
    return found.ns


def _read(duration: Duration) -> tuple[float, int]:
    """Return the seconds and the months of a duration."""
    if isinstance(duration, datetime.timedelta):
        return duration.total_seconds(), 0
    if not isinstance(duration, str):
        return float(duration), 0
    text = duration.strip()
    parts: list[tuple[str, str]] = _PART.findall(text)
    if not parts or _PART.sub("", text):
        raise _unfit(duration)
    months = [(number, unit) for number, unit in parts if unit in _MONTHS]
    if any("." in number for number, _ in months):
        raise _unfit(duration)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts if unit in _UNITS)
    return seconds, sum(int(number) * _MONTHS[unit] for number, unit in months)


def _unfit(duration: Duration) -> WorkflowError:
    return WorkflowError(f"{duration!r} is no length of time. {_HELP}")


_HELP = (
    'Write seconds as a number, or "500ms", "90s", "10m", "1h30m", "3d", "2w"; whole calendar months '
    'and years are "1mo" and "1y".'
)
