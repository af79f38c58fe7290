"""The two sides of a comparison: read from the log, and what differs as data."""

from typing import Any, NamedTuple

import msgspec

from holdfast.errors import NoSuchFrame
from holdfast.eventlog import Failure, Log, RunRow, Value
from holdfast.reducer import Change, Comparison, Difference, Side, compare, named, side_of

from .forks import fork_object
from .rows import error_object, usage_object
from .values import shown


class Named(NamedTuple):
    """One side: the run by the name that was asked for, its row and its history."""

    name: str
    row: RunRow
    side: Side


def read(log: Log, run: str, at: int | None) -> Named:
    """Read a run as it was after `at` events; by default after all. Raises NoSuchFrame."""
    row = log.run(run)
    if at is not None and at > row.head:
        raise NoSuchFrame(run, at, row.head)
    return Named(run, row, side_of(log.records(row.branch, 0, row.head if at is None else at)))


def compared(log: Log, a: Named, b: Named) -> Comparison:
    """Compare two sides, which may have a history in common."""
    one, other = ((side.row.branch, side.side.state.offset) for side in (a, b))
    return compare(a.side, b.side, log.shared(one, other), log.load)


def diff_object(log: Log, a: Named, b: Named, found: Comparison) -> dict[str, Any]:
    """Return what `diff --json` prints."""
    first = found.first
    return {
        "a": _side_object(log, a),
        "b": _side_object(log, b),
        "equal": found.equal,
        "shared": found.shared,
        "first": first and {"key": first.key, "where": first.where, "a": first.a, "b": first.b},
        "same": found.same,
        "run": [_change_object(log, change) for change in found.run],
        "differences": [_item_object(log, item) for item in found.items],
    }


def _side_object(log: Log, named: Named) -> dict[str, Any]:
    state = named.side.state
    return {
        "run": named.name,
        "workflow": state.workflow,
        "status": state.status,
        "offset": state.offset,
        "seconds": (state.now - state.started) / 1e9 if state.started else 0.0,
        "usage": usage_object(state.usage),
        "forked": fork_object(log, state.forked),
    }


def _item_object(log: Log, item: Difference) -> dict[str, Any]:
    return {
        "key": item.key,
        "kind": item.kind,
        "where": item.where,
        "a": item.a,
        "b": item.b,
        "matters": item.matters,
        "changes": [_change_object(log, change) for change in told(log, item)],
    }


def told(log: Log, item: Difference) -> list[Change]:
    """Return what changed of a key, with what a step reads told field by field."""
    return [one for change in item.changes for one in named(change, log.load)]


def _change_object(log: Log, change: Change) -> dict[str, Any]:
    return {
        "what": change.what,
        "a": plain(log, change.a),
        "b": plain(log, change.b),
        "matters": change.matters,
    }


def plain(log: Log, value: Any) -> Any:
    """Return one side of a change as plain data; a large value by its digest and size."""
    match value:
        case msgspec.Raw():
            return shown(log, Value(value))
        case Failure():
            return error_object(value)
        case list() | tuple():
            return [plain(log, item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case dict():
            return {name: plain(log, item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
