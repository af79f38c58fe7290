"""Which frame is meant: by its number, by a step's name, or by what happened in another run."""

import difflib
from collections.abc import Sequence
from itertools import islice

from holdfast.eventlog import (
    AnyEvent,
    ApprovalRequested,
    CancelRequested,
    ChildStarted,
    Edit,
    Log,
    LoopExhausted,
    NoSuchRun,
    Noted,
    QuestionAsked,
    Record,
    RunCancelled,
    RunRow,
    SignalAwaited,
    StepReused,
    StepStarted,
    TimerSet,
)
from holdfast.reducer import ENDED, names, within

from .errors import EditTooLate, NoSuchFrame, NoSuchStep

_BEGINS = (
    StepStarted,
    StepReused,
    ApprovalRequested,
    QuestionAsked,
    SignalAwaited,
    TimerSet,
    ChildStarted,
    LoopExhausted,
    Noted,
)
_ENDS = (RunCancelled, CancelRequested)


def frame_of(log: Log, row: RunRow, at: int | str) -> int:
    """Return a frame's number: of a number, itself; of a step, the frame before it first began.

    A loop, a map's item or any other scope is named like a step. Raises NoSuchFrame, NoSuchStep.
    """
    if isinstance(at, int):
        if not 1 <= at <= row.head:
            raise NoSuchFrame(row.run, at, row.head, first=1)
        return at
    scope = f"{at}/"
    known: list[str] = []
    for record in log.records(row.branch):
        key = begun_by(record.event)
        if key == at or (key or "").startswith(scope) or _iteration(key, at):
            return record.offset
        if key is not None:
            known.append(key)
    raise NoSuchStep(row.run, at, near(at, known))


def _iteration(key: str | None, loop: str) -> bool:
    return key is not None and key.startswith(f"{loop}[")


def begun_by(event: AnyEvent) -> str | None:
    """Return the key of what an event begins, if it begins anything."""
    return event.key if isinstance(event, _BEGINS) else None


def near(name: str, known: Sequence[str]) -> list[str]:
    """Return what was meant, perhaps."""
    return difflib.get_close_matches(name, list(dict.fromkeys(known)), n=3, cutoff=0.5)


def before_end(log: Log, row: RunRow, at: int) -> int:
    """Return the frame, or the last one before the run ended or was asked to."""
    if row.status not in ENDED:
        return at
    if row.status != "cancelled":
        return min(at, row.head - 1)  # nothing is written behind an end
    ends = (r.offset for r in log.records(row.branch, 0, at) if isinstance(r.event, _ENDS))
    return next(ends, at)


def edited_frame(log: Log, row: RunRow, edits: Sequence[Edit]) -> int:
    """Return the frame before the first step that an edit names; where none has begun, the last.

    Raises NoSuchStep for a step that is named in full and that an ended run never had.
    """
    first = row.head
    seen: set[str] = set()
    known: list[str] = []
    for record in log.records(row.branch):
        key = begun_by(record.event)
        if key is None:
            continue
        known.append(key)
        for edit in edits:
            within_child = isinstance(record.event, ChildStarted) and edit.key.startswith(f"{key}/")
            if edit.key and (names(edit, key) or within_child):
                seen.add(edit.key)
                first = min(first, record.offset)
    missing = [e.key for e in edits if e.key and "*" not in e.key and e.key not in seen]
    if missing and row.status in ENDED:
        raise NoSuchStep(row.run, missing[0], near(missing[0], known))
    return first


def refuse_late_edits(log: Log, row: RunRow, edits: Sequence[Edit], at: int) -> None:
    """Raise EditTooLate for an edit of a step that began before the frame, also within a child."""
    for key, began in late_keys(log, row, edits, at).items():
        raise EditTooLate(row.run, key, at, began)


def late_keys(log: Log, row: RunRow, edits: Sequence[Edit], at: int) -> dict[str, int]:
    """Return the edited steps that began before a frame, each with the event of this run that began it."""
    exact = {edit.key for edit in edits if edit.key and "*" not in edit.key}
    found: dict[str, int] = {}
    for record in log.records(row.branch, 0, at) if exact else ():
        key = begun_by(record.event)
        if key in exact:
            found[key] = record.offset
        if isinstance(record.event, ChildStarted) and (inner := within(edits, record.event.key)):
            for late in _late_in_child(log, row, record.event.run, inner, at):
                found[f"{record.event.key}/{late}"] = record.offset
    return found


def _late_in_child(
    log: Log, row: RunRow, child: str, edits: Sequence[Edit], at: int
) -> dict[str, int]:
    try:
        there = log.run(child)
    except NoSuchRun:
        return {}
    return late_keys(log, there, edits, cut(log, row.branch, at, there.branch))


def cut(log: Log, branch: int, at: int, other: int) -> int:
    """Return how many events branch `other` had when `branch` had `at`: the log has one order."""
    last = one(log, branch, at - 1).seq
    low, high = 0, log.head(other)
    while low < high:
        middle = (low + high) // 2
        if one(log, other, middle).seq <= last:
            low = middle + 1
        else:
            high = middle
    return low


def one(log: Log, branch: int, offset: int) -> Record:
    """Return the record at an offset that exists."""
    return next(islice(log.records(branch, offset, offset + 1), 1))
