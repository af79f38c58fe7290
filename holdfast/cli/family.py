"""A run's family: all branches that come from one root, each with where and why it left its parent."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

from holdfast.eventlog import (
    BranchRow,
    ChildStarted,
    Log,
    NoSuchRun,
    RunRow,
    StepReused,
    Usage,
)

from .forks import Fork, edit_objects, fork_of, otherwise, person
from .rows import is_alive
from .words import duration, money, one_line, rfc3339


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
    events, cost_usd, children = _own(log, branch)
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
    )


def _own(log: Log, branch: BranchRow) -> tuple[int, float, list[tuple[str, str, str]]]:
    """Read a branch's own events: how many, what they cost, and the runs that they started."""
    count, cost_usd = 0, 0.0
    runs: list[tuple[str, str]] = []
    for record in log.records(branch.branch, branch.offset):
        count += 1
        event = record.event
        usage: Usage | None = getattr(event, "usage", None)
        if usage is not None and not isinstance(event, StepReused):  # that was paid elsewhere
            cost_usd += usage.cost_usd
        elif isinstance(event, ChildStarted):
            runs.append((event.key, event.run))
    return count, cost_usd, [(key, run, _status_of(log, run)) for key, run in runs]


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


# --- as text and as data -------------------------------------------------------------------------


def lines(log: Log, family: Sequence[Member], *, children: bool) -> Iterator[str]:
    """Yield a family as a tree, one line for each branch."""
    last = _last_of_their_parents(family)
    heads = [_branch(places) for places in last]
    width = max(len(head) + len(one_line(m.name)) for head, m in zip(heads, family, strict=True))
    now = time.time_ns()
    for index, (head, member) in enumerate(zip(heads, family, strict=True)):
        name = one_line(member.name)
        space = " " * (width - len(head) - len(name))
        about = "  ".join(filter(None, _about(log, member, now)))
        yield f"{click.style(head, dim=True)}{click.style(name, bold=True)}{space}  {about}".rstrip()
        if children:
            forks = index + 1 < len(family) and family[index + 1].depth > member.depth
            indent = _bars(last[index]) + _bars([not forks])
            for _, run, status in member.children:
                yield f"{click.style(indent, dim=True)}child {one_line(run)}  {status}"


def _last_of_their_parents(family: Sequence[Member]) -> list[list[bool]]:
    """Return for each member, by depth, whether it and its ancestors are the last of their parents."""
    found: list[list[bool]] = []
    later: set[int] = set()  # depths at which another member follows before their parent ends
    for member in reversed(family):
        later = {depth for depth in later if depth <= member.depth}
        found.append([depth not in later for depth in range(1, member.depth + 1)])
        later.add(member.depth)
    return found[::-1]


def _branch(last: Sequence[bool]) -> str:
    """Return what is drawn before a member's name."""
    return _bars(last[:-1]) + ("└─ " if last[-1] else "├─ ") if last else ""


def _bars(last: Sequence[bool]) -> str:
    return "".join("   " if is_last else "│  " for is_last in last)


def _about(log: Log, member: Member, now: int) -> Iterator[str]:
    yield f"{member.status:<11}"
    yield f"{duration(max(0, now - member.branch.time) / 1e9)} ago"
    own = " of its own" if member.fork else ""
    yield f"{member.events} event{'' if member.events == 1 else 's'}{own}"
    yield money(member.cost_usd)
    if fork := member.fork:
        before = f" before {one_line(member.key, 60)}" if member.key else ""
        yield f"{one_line(fork.reason)} at {fork.at}{before} by {person(fork.actor)}"
        yield otherwise(log, fork.edits, fork.retried)


def member_object(log: Log, member: Member, root: str, *, children: bool) -> dict[str, Any]:
    """Return a branch as `tree --json` prints it."""
    fork = member.fork
    told: dict[str, Any] = {
        "run": member.name,
        "branch": member.branch.branch,
        "root": root,
        "depth": member.depth,
        "workflow": member.row.workflow,
        "status": member.status,
        "parent": fork.origin if fork else None,
        "at": fork.at if fork else None,
        "key": member.key or None,
        "reason": fork.reason if fork else None,
        "edits": edit_objects(log, fork.edits) if fork else [],
        "retried": list(fork.retried) if fork else [],
        "actor": member.branch.actor,
        "created": rfc3339(member.branch.time),
        "updated": rfc3339(member.row.updated),
        "events": member.events,
        "cost_usd": member.cost_usd,
    }
    if children:
        names = ("key", "run", "status")
        told["children"] = [dict(zip(names, child, strict=True)) for child in member.children]
    return told
