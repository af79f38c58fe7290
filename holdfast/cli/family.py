"""A run's family: all branches that come from one root, read without more of the log than is theirs."""

from collections.abc import Iterator
from typing import NamedTuple

from holdfast.eventlog import (
    BranchRow,
    ChildStarted,
    Log,
    NoSuchRun,
    RunRow,
    RunStarted,
    StepReused,
    Usage,
)

from .forks import Fork, fork_of
from .rows import is_alive


class Member(NamedTuple):
    """One branch of a family; `key` is of what its parent did next where it left, `depth` from the root.

    `events` and `cost_usd` are its own, without what it inherited; `children` are the runs that it started.
    """

    row: RunRow
    branch: BranchRow
    name: str
    status: str
    depth: int
    events: int
    cost_usd: float
    fork: Fork | None
    key: str
    children: list[tuple[str, str, str]]  # key, run, status
    continues: str = ""  # the history that ended for this one to begin


class Families:
    """Who comes from whom, of all branches of a log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._rows: dict[int, BranchRow] = {}
        self._forks: dict[int, list[BranchRow]] = {}
        for row in log.branches():
            self._rows[row.branch] = row
            if row.parent is not None:
                self._forks.setdefault(row.parent, []).append(row)

    def root(self, branch: int) -> int:
        """Return the branch that a branch comes from in the end."""
        while (parent := self._rows[branch].parent) is not None:
            branch = parent
        return branch

    def roots(self) -> list[int]:
        """Return the roots that have forks, the newest first."""
        return [b for b in sorted(self._forks, reverse=True) if self._rows[b].parent is None]

    def walk(self, root: int) -> Iterator[tuple[int, BranchRow]]:
        """Yield the branches of a family with their depth, each before those that left it."""
        todo = [(0, self._rows[root])]
        while todo:
            depth, row = todo.pop()
            yield depth, row
            todo += [(depth + 1, fork) for fork in reversed(self._forks.get(row.branch, ()))]

    def members(self, root: int) -> list[Member]:
        """Return a family; only its own events are read."""
        return [_member(self._log, row, depth) for depth, row in self.walk(root)]


def _member(log: Log, branch: BranchRow, depth: int) -> Member:
    name = log.name_of(branch.branch)
    row = log.run(name)
    events, cost_usd, children, continues = _own(log, branch)
    return Member(
        row,
        branch,
        name,
        _status(log, row, is_listed=name == branch.run),
        depth,
        events,
        cost_usd,
        fork_of(log, branch.branch),
        _key_there(log, branch),
        children,
        f"{branch.run}@{continues}" if continues else "",
    )


def _own(log: Log, branch: BranchRow) -> tuple[int, float, list[tuple[str, str, str]], int]:
    """Read a branch's own events: how many, what they cost, the runs that they started, and the branch
    that they continue."""
    count, cost_usd, continues = 0, 0.0, 0
    runs: list[tuple[str, str]] = []
    for record in log.records(branch.branch, branch.offset):
        count += 1
        event = record.event
        usage: Usage | None = getattr(event, "usage", None)
        if usage is not None and not isinstance(event, StepReused):  # that was paid elsewhere
            cost_usd += usage.cost_usd
        elif isinstance(event, ChildStarted):
            runs.append((event.key, event.run))
        elif isinstance(event, RunStarted):
            continues = event.continues
    return count, cost_usd, [(key, run, _status_of(log, run)) for key, run in runs], continues


def _status_of(log: Log, run: str) -> str:
    try:
        return _status(log, log.run(run), is_listed=True)
    except NoSuchRun:
        return "not there yet"


def _status(log: Log, row: RunRow, *, is_listed: bool) -> str:
    if row.status != "running" or is_alive(log, row):
        return row.status
    return "interrupted" if is_listed else "replaced"


def _key_there(log: Log, branch: BranchRow) -> str:
    if branch.parent is None:
        return ""
    there = next(log.records(branch.parent, branch.offset, branch.offset + 1), None)
    return "" if there is None else str(getattr(there.event, "key", ""))
