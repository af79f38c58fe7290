"""Where a branch's events lie: its own, and before them its ancestors'. Pure."""

from collections.abc import Callable, Iterator

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


Place = tuple[int, int]
"""A branch, and the offset up to which its events count."""


def shared(one: Place, other: Place, row_of: Callable[[int], BranchRow]) -> int:
    """Return how many events two branches begin with in common."""
    ends = dict(_lineage(one, row_of))
    for branch, end in _lineage(other, row_of):
        if branch in ends:
            return min(end, ends[branch])
    return 0


def _lineage(place: Place, row_of: Callable[[int], BranchRow]) -> Iterator[Place]:
    """Yield a branch and its ancestors, each with the offset up to which its events count."""
    branch, end = place
    while True:
        yield branch, end
        row = row_of(branch)
        if row.parent is None:
            return
        branch, end = row.parent, min(end, row.offset)
