"""How two recorded things differ: field by field, and line by line."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, cast

import msgspec

ALIGNED_LINES = 1000
"""Longer texts are not aligned line by line, for that takes time with the square of their length."""


class Pair(NamedTuple):
    """A line of each of two texts; in a gap, `a` says how many lines are equal."""

    mood: Literal["same", "changed", "gap"]
    a: str | None
    b: str | None


def aligned(before: list[str], after: list[str], context: int = 1) -> Iterator[Pair]:
    """Yield two texts side by side, with the equal lines around each change and gaps for the rest."""
    start = _common(before, after)
    stop = _common(before[start:][::-1], after[start:][::-1])
    ends = len(before) - stop, len(after) - stop
    yield from _equal(before[:start], 0, context if any(n > start for n in ends) else 0)
    yield from _middle(before[start : ends[0]], after[start : ends[1]], context)
    yield from _equal(before[ends[0] :], context, 0)


def _middle(before: list[str], after: list[str], context: int) -> Iterator[Pair]:
    if max(len(before), len(after)) > ALIGNED_LINES:
        yield from _changed(before, after)
        return
    import difflib  # only a command that shows a difference pays for it

    for tag, i, j, k, m in difflib.SequenceMatcher(None, before, after).get_opcodes():
        if tag == "equal":
            yield from _equal(before[i:j], context, context)
        else:
            yield from _changed(before[i:j], after[k:m])


def _changed(before: list[str], after: list[str]) -> Iterator[Pair]:
    for index in range(max(len(before), len(after))):
        a = before[index] if index < len(before) else None
        b = after[index] if index < len(after) else None
        yield Pair("changed", a, b)


def _equal(lines: list[str], first: int, last: int) -> Iterator[Pair]:
    hidden = len(lines) - first - last
    if hidden <= 1:  # a gap takes a line as well
        yield from (Pair("same", line, line) for line in lines)
        return
    yield from (Pair("same", line, line) for line in lines[:first])
    yield Pair("gap", str(hidden), None)
    yield from (Pair("same", line, line) for line in lines[len(lines) - last :])


def _common(one: list[str], other: list[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def changed_fields(recorded: bytes, asked: bytes) -> list[tuple[str, Any, Any]]:
    """Return the fields in which what two steps read differs, each with both of its values."""
    before, after = (_fields(msgspec.msgpack.decode(data)) for data in (recorded, asked))
    pairs = [(str(name), before.get(name), after.get(name)) for name in {**before, **after}]
    return [(name, old, new) for name, old, new in pairs if old != new]


def _fields(read: Any) -> dict[object, Any]:
    return cast(dict[object, Any], read) if isinstance(read, dict) else {"reads": read}


def differences(kind: str, recorded: bytes, new_kind: str, asked: bytes) -> str:
    """Say in words and lines how two steps' reads differ."""
    if kind != new_kind:
        return f"its kind was {kind!r} and is {new_kind!r} now"
    changed = changed_fields(recorded, asked)
    if not changed:
        return "the type of its output changed"
    return "; ".join(_told(*field) for field in changed)


def _told(name: str, before: object, after: object) -> str:
    import difflib

    lines = difflib.unified_diff(_lines(before), _lines(after), "recorded", "now", n=1, lineterm="")
    shown = list(lines)[2:14]
    return f"{name} changed:\n" + "\n".join(f"    {line}" for line in shown)


def _lines(value: object) -> list[str]:
    return value.splitlines() if isinstance(value, str) else [repr(value)]
