"""When a limit ends, read from the words in which a provider says so."""

import re
from datetime import datetime, timedelta

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNT = (
    r"(\d+(?:\.\d+)?)\s*"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
)
# Only after a word that speaks of trying again: "timed out after 30s" is no promise.
_WAIT = re.compile(
    rf"\b(?:again|retr\w*|resets?|available|wait)\b[^.\d]{{0,30}}((?:{_AMOUNT}[\s,]*(?:and )?)+)",
    re.IGNORECASE,
)
_SECONDS = re.compile(r"\bretry[-_ ]after\W{1,4}(\d+)\b(?!\s*[a-z])", re.IGNORECASE)
_EPOCH = re.compile(r"\breset\w*\W{1,4}(?:at\W{1,4})?(\d{10})\b", re.IGNORECASE)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")
_CLOCK = re.compile(
    r"\bat (?:([A-Z][a-z]{2}) (\d{1,2})(?:st|nd|rd|th), (\d{4}) )?(\d{1,2}:\d\d [AP]M)"
)


def reset_time(text: str, *, now: datetime) -> int:
    """Return when the limit ends in nanoseconds since 1970, or 0 where the text does not say.

    `now` is in local time, with its offset: a bare clock time means the user's.
    """
    if found := _WAIT.search(text):
        amounts = re.findall(_AMOUNT, found[1], re.IGNORECASE)
        return _ns(now + timedelta(seconds=sum(_seconds(*amount) for amount in amounts)))
    if found := _SECONDS.search(text):
        return _ns(now + timedelta(seconds=int(found[1])))
    if found := _EPOCH.search(text):
        return int(found[1]) * 1_000_000_000
    if found := _CLOCK.search(text):
        return _ns(_next(found, now))
    instants = [datetime.fromisoformat(each) for each in _INSTANT.findall(text)]
    return max((_ns(each) for each in instants if each > now), default=0)


def _seconds(amount: str, unit: str) -> float:
    return (
        float(amount) * _UNITS["ms" if unit.lower().startswith(("ms", "mil")) else unit[0].lower()]
    )


def _next(clock: re.Match[str], now: datetime) -> datetime:
    month, day, year, time = clock.groups()
    if month:
        when = datetime.strptime(f"{month} {day} {year} {time}", "%b %d %Y %I:%M %p")
        return when.replace(tzinfo=now.tzinfo)
    today = datetime.combine(now, datetime.strptime(time, "%I:%M %p").time(), now.tzinfo)
    return today if today > now else today + timedelta(days=1)


def _ns(when: datetime) -> int:
    return int(when.timestamp()) * 1_000_000_000
