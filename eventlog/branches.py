"""Where a branch's events lie: its own, and before them its ancestors'. Pure."""

from collections.abc import Callable

import msgspec


class BranchRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One branch: the run it belongs to, and where it leaves its parent, if it has one."""

    branch: int
    run: str
    parent: int | None
    offset: int  # of the first event of its own; those before are the parent's
    reason: str
    time: int
    actor: str


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A stretch of offsets whose events were written to one branch; without an end, to its head."""

    branch: int
    start: int
    stop: int | None


def segments(
    branch: int, start: int, stop: int | None, row_of: Callable[[int], BranchRow]
) -> list[Segment]:
    """Return the stretches that make up [start, stop) of a branch, in order."""
    found: list[Segment] = []
    while stop is None or start < stop:
        row = row_of(branch)
        own_start = max(start, row.offset)
        if stop is None or own_start < stop:
            found.append(Segment(branch, own_start, stop))
        if row.parent is None or start >= row.offset:
            break
        branch, stop = row.parent, row.offset if stop is None else min(stop, row.offset)
    return found[::-1]
