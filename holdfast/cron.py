"""When a cron expression is due, in the time of a place. Knows no clock: moments are ns since 1970, UTC.

The five fields mean what they mean in Debian's cron, and so does a change of the clocks (`cronsim` computes
both). Where minute and hour are both fixed, a time of day that is left out is due right after the gap, and
one that comes twice is due the first time. Where one of them begins with `*`, it is due as real time goes
by: the hour that is left out is not made up for, and the one that comes twice counts twice.
"""

import datetime
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from .errors import ScheduleInvalid

SECOND = 1_000_000_000
NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, or L for the last",
    "month": "1 to 12, or JAN to DEC",
    "day-of-week": "0 to 7 (0 and 7 are Sunday), or SUN to SAT",
}
_BACK = datetime.timedelta(hours=3)  # more than any change of the clocks
_SOME_DAY = datetime.datetime(2027, 1, 1)


class Cron:
    """A cron expression in a time zone. Raises ScheduleInvalid, which names the field."""

    def __init__(self, text: str, zone: str) -> None:
        self._zone = zone_of(zone)
        self._text = NAMED.get(text.strip().lower(), text)
        fields = self._text.split()
        if len(fields) != len(FIELDS):
            raise ScheduleInvalid("cron", text, f"it has {len(fields)} fields, not 5")
        try:
            CronSim(self._text, _SOME_DAY)
        except CronSimError as error:
            raise ScheduleInvalid("cron", text, _why(str(error), fields)) from error
        except (ValueError, OverflowError, RecursionError) as error:
            raise ScheduleInvalid("cron", text, str(error)) from error

    def next(self, after: int) -> int:
        """Return the first moment later than `after` at which it is due; 0: in 50 years there is none."""
        return next((tick for tick in self._ticks(after) if tick > after), 0)

    def newest(self, since: int, until: int, most: int) -> list[int]:
        """Return the last moments in [since, until] at which it was due, the newest first."""
        found: list[int] = []
        for tick in self._ticks_back(until):
            if tick < since or len(found) == most:
                break
            if tick <= until and tick not in found[-1:]:
                found.append(tick)
        return found

    def _ticks(self, after: int) -> Iterator[int]:
        return map(_moment, CronSim(self._text, self._date(after)))

    def _ticks_back(self, until: int) -> Iterator[int]:
        # Begun later, for the hour that comes twice has two beginnings.
        start = self._date(until) + datetime.timedelta(seconds=1)
        later = (start.astimezone(datetime.UTC) + _BACK).astimezone(self._zone)
        return map(_moment, CronSim(self._text, later, reverse=True))

    def _date(self, moment: int) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(moment // SECOND, self._zone)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone. Raises ScheduleInvalid."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        why = "no such zone is known here. Write one such as Europe/Berlin, or UTC"
        raise ScheduleInvalid("zone", name, why) from error


def local_zone(environ: Mapping[str, str] = os.environ, link: Path = Path("/etc/localtime")) -> str:
    """Return the name of this machine's time zone, UTC where nobody can tell."""
    told = environ.get("TZ", "").removeprefix(":")
    _, _, linked = str(link.resolve()).partition("/zoneinfo/")
    for name in (told, linked):
        if name:
            try:
                zone_of(name)
            except ScheduleInvalid:
                continue
            return name
    return "UTC"


def _moment(date: datetime.datetime) -> int:
    return round(date.timestamp()) * SECOND


def _why(told: str, fields: list[str]) -> str:
    """Say which field is wrong and what it takes."""
    name = told.removeprefix("Bad ")
    if name not in FIELDS:
        return told
    given = fields[[*FIELDS].index(name)]
    if name == "day-of-month" and _is_day(given):
        return f"its {name} is {given!r}, which none of its months has"
    return f"its {name} is {given!r}, which is not among {FIELDS[name]}"


def _is_day(given: str) -> bool:
    try:
        CronSim(f"0 0 {given} * *", _SOME_DAY)
    except CronSimError:
        return False
    return True
