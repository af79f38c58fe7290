"""A run's family as a tree of text, and as data."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from holdfast.eventlog import Log

from .family import Member
from .forks import edit_objects, otherwise, person
from .words import duration, money, one_line, rfc3339


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
    if member.continues:
        yield f"continues {one_line(member.continues)}"
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
        "continues": member.continues or None,
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
