"""Reading what is new in the log, for one run or for all, so that nothing is missed or read twice.

An event's place is its `seq`: the log has one order, and nothing is ever inserted. A run has all the histories
that ever had its name, so that following it goes on through a rewind or a fresh history, and what those
have from before they were forked off another run.
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Literal

from msgspec import Meta

from holdfast.eventlog import BranchRow, Log, Record
from holdfast.mcp.errors import BadArguments
from holdfast.mcp.shapes import Answer
from holdfast.mcp.tool import Asked, Tool

PAGE = 200


class Events(Asked, frozen=True):
    """Tell events as they happen, each with its run: what was, and then what comes, without an end.

    Each is one server-sent event: its id is the event's seq, its data what the timeline has of it. With the
    header Last-Event-ID, which browsers send when they connect again, it goes on after that one.
    """

    run: Annotated[
        str | None, Meta(description="Only what happens in this run; by default in all.")
    ] = None
    after: Annotated[
        int | Literal["latest"],
        Meta(description="The seq of the last event that was seen. latest: only what is to come."),
    ] = -1


EVENTS_TOOL = Tool("events", Events, Answer, "reads")


class Follower:
    """Reads the log from an event on. Raises NoSuchRun, BadArguments for an event that there is not."""

    def __init__(self, log: Log, asked: Events) -> None:
        self._log, self._run = log, asked.run
        self._tells: dict[int, bool] = {}  # branch -> whether it is of the run
        size = log.size()
        after = size - 1 if asked.after == "latest" else asked.after
        if not -1 <= after < size:
            takes = f"what is from -1 to {size - 1}, and latest"
            raise BadArguments("events", f"the log has no event with the seq {after}", takes)
        past = log.scan(after + 1, size) if asked.run is None else self._history(asked.run)
        self._past = (record for record in past if after < record.seq < size)
        self._next = size

    def read(self) -> list[Record]:
        """Return the next events, at most a page; none where there are no more yet."""
        return [*islice(self._past, PAGE)] or [*islice(self._tail(), PAGE)]

    def _tail(self) -> Iterator[Record]:
        for record in self._log.scan(self._next):
            self._next = record.seq + 1
            if self._run is None or self._is_told(record.branch):
                yield record

    def _is_told(self, branch: int) -> bool:
        if branch not in self._tells:
            self._tells[branch] = self._log.branch(branch).run == self._run
        return self._tells[branch]

    def _history(self, run: str) -> Iterable[Record]:
        """Return what a run has until now, in the order of the log, without reading other runs."""
        named = self._log.branch(self._log.branch_of(run))
        if named.run == run:
            branches = [row for row in self._log.branches() if row.run == run]
        else:  # RUN@BRANCH: that history, and no other
            self._run, self._tells = "", {named.branch: True}
            branches = [named]
        own = (self._log.records(row.branch, row.offset) for row in branches)
        return heapq.merge(self._inherited(branches[0]), *own, key=_place)

    def _inherited(self, row: BranchRow) -> Iterable[Record]:
        return () if row.parent is None else self._log.records(row.parent, 0, row.offset)


def _place(record: Record) -> int:
    return record.seq
