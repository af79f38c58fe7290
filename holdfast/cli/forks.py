"""Where a run left another history and what it does otherwise: read, in words and as data."""

from itertools import islice
from typing import Any, NamedTuple

from holdfast.eventlog import Edit, Log, RunForked

from .values import decoded, encoded, shown
from .words import one_line


class Fork(NamedTuple):
    """How a branch began: `actor` made it of the run `origin`, as that was before offset `at`."""

    origin: str
    at: int
    reason: str
    actor: str
    edits: list[Edit]
    retried: list[str]


def fork_of(log: Log, branch: int) -> Fork | None:
    """Return where a branch left its parent; None where it has none."""
    row = log.branch(branch)
    if row.parent is None:
        return None
    for record in islice(log.records(branch, row.offset), 2):  # an edited input starts it anew
        if isinstance(event := record.event, RunForked):
            return as_fork(log, event, record.actor)
    return Fork(log.name_of(row.parent), row.offset, row.reason or "fork", row.actor, [], [])


def as_fork(log: Log, event: RunForked, actor: str = "") -> Fork:
    """Return what an event tells of a fork; a state has the event and not its actor."""
    origin = origin_of(log, event)
    return Fork(origin, event.at, event.reason, actor, event.edits, event.retried)


def origin_of(log: Log, forked: RunForked) -> str:
    """Return the name by which the history that a fork left is found now."""
    from holdfast.eventlog import NoSuchBranch

    try:
        return log.name_of(forked.branch)
    except NoSuchBranch:
        return forked.origin


def person(actor: str) -> str:
    """Return who an actor is, without the way that they came: `ada` of `cli:ada`."""
    return one_line(actor.partition(":")[2] or actor, 40)


def otherwise(log: Log, edits: list[Edit], retried: list[str]) -> str:
    """Say what a fork does otherwise: `model of review = x, result of plan set`."""
    again = [f"{one_line(key, 60)} tried again" for key in retried]
    return ", ".join([*(_words(log, edit) for edit in edits), *again])


def _words(log: Log, edit: Edit) -> str:
    what = one_line(edit.what, 20)
    of = f"{what} of {one_line(edit.key, 60)}" if edit.key else what
    if edit.what in ("result", "prompt"):  # these may be long, and the difference shows them
        return f"{of} set"
    value = shown(log, edit.value)
    return f"{of} = {one_line(value if isinstance(value, str) else encoded(value).decode(), 80)}"


def fork_line(log: Log, fork: Fork) -> str:
    """Say where a history was left: `forked from demo at 12 (fork) by ada: model of review = x`."""
    who = f" by {person(fork.actor)}" if fork.actor else ""
    what = otherwise(log, fork.edits, fork.retried)
    place = f"forked from {one_line(fork.origin)} at {fork.at} ({one_line(fork.reason)}){who}"
    return f"{place}: {what}" if what else place


def fork_object(log: Log, forked: RunForked | None) -> dict[str, Any] | None:
    """Return what `show` tells of a fork."""
    if forked is None:
        return None
    return {
        "origin": origin_of(log, forked),
        "branch": forked.branch,
        "at": forked.at,
        "until": forked.until,
        "reason": forked.reason,
        "edits": edit_objects(log, forked.edits),
        "retried": list(forked.retried),
    }


def edit_objects(log: Log, edits: list[Edit]) -> list[dict[str, Any]]:
    return [
        {"what": edit.what, "key": edit.key or None, "value": decoded(log, edit.value)}
        for edit in edits
    ]
