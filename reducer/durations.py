"""Lengths of time as people write them, in nanoseconds."""

import datetime
import re

from .errors import WorkflowError

Duration = float | str | datetime.timedelta
_UNITS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST_S = 7_000_000_000  # 220 years: a moment stays within 64 bits
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")


def nanoseconds(duration: Duration) -> int:
    """Return a duration in ns: seconds as a number, "1h30m" or a timedelta; raise WorkflowError."""
    if isinstance(duration, int) and 0 <= duration < _LONGEST_S:
        return duration * 1_000_000_000
    seconds = _seconds(duration)
    if not 0 <= seconds < _LONGEST_S:
        raise WorkflowError(f"{duration!r} is no length of time. {_HELP}")
    return round(seconds * 1_000_000_000)


def _seconds(duration: Duration) -> float:
    if isinstance(duration, datetime.timedelta):
        return duration.total_seconds()
    if not isinstance(duration, str):
        return float(duration)
    text = duration.strip()
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text):
        raise WorkflowError(f"{duration!r} is no length of time. {_HELP}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


_HELP = 'Write seconds as a number, or "500ms", "90s", "10m", "1h30m", "3d", "2w".'
