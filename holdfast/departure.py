"""Where a change leaves a run's history: computed from the log, with nothing written yet."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import (
    Edit,
    Event,
    Log,
    RunForked,
    RunRow,
    RunStarted,
    SignalReceived,
    pack,
)
from holdfast.reducer import (
    Conflict,
    Driver,
    Merged,
    State,
    Workflow,
    digest,
    fingerprint,
    follow,
    left_behind,
    reduce,
    replay,
)

from .edits import refuse_edits
from .frames import before_end, edited_frame, frame_of, one, refuse_late_edits
from .places import has_repository
from .recorded import files_at, has_files
from .redact import Redactor

Reason = Literal["fork", "rewind", "retry", "accept"]
Load = Callable[[str], Workflow]


class Change(msgspec.Struct, frozen=True):
    """What is wanted: to leave a run's history `at` a frame or before a step, and what to do otherwise.

    `input` and `workflow` (a reference) replace the run's. `reuse` takes over what the run did after
    that frame wherever its fingerprint stands: by default if anything is edited. `allow_effects` lets
    effects happen without a person's word. `retried` are keys of failed steps. `changed_code` says what
    becomes of finished steps whose function has another source by now.
    """

    reason: Reason
    at: int | str | None = None
    edits: Sequence[Edit] = ()
    input: Mapping[str, Any] | None = None
    workflow: str | None = None
    reuse: bool | None = None
    allow_effects: bool = False
    retried: Sequence[str] = ()
    changed_code: Literal["keep", "rerun"] = "keep"

    @property
    def reaches_back(self) -> bool:
        """Whether it may change what was done before the frame as well."""
        code = self.workflow is not None or self.changed_code == "rerun"
        return code or self.input is not None or self.reason == "accept"


class Departure(msgspec.Struct, frozen=True):
    """Where a fork leaves its origin, computed and not yet written."""

    row: RunRow
    change: Change
    base: int
    at: int
    until: int
    events: list[Event]
    blobs: dict[bytes, bytes]
    source: str
    difference: str = ""

    @property
    def forked(self) -> RunForked:
        return next(event for event in self.events if isinstance(event, RunForked))


def depart(log: Log, load: Load, run: str, change: Change, *, now: int = 0) -> Departure:
    """Compute where a change leaves a run's history, and the events that its branch begins with.

    `now` is the time, in ns since 1970, up to which what was open at the frame is put off.
    """
    row = log.run(run)
    edits = [*change.edits]
    at = _frame(log, row, change)
    refuse_edits(log, load, row, edits)
    blobs: dict[bytes, bytes] = {}
    frame = outline(log, row.branch, at)
    source = load(change.workflow).reference if change.workflow else frame.source
    started = _input(log, load, row, change, source, edits, blobs)
    base, difference = at, ""
    if started is not None:
        base = 0
    elif change.reaches_back:
        base, difference = _leave(log, row, load(source), at, change.changed_code)
    before = frame if base == at else outline(log, row.branch, max(base, 1))
    edits += [edit for edit in frame.edits if edit not in before.edits]
    reuse = change.reuse if change.reuse is not None else bool(edits) or change.reaches_back
    until = row.head if reuse else at
    forked = with_files(log, row, base, _forked(row, change, edits, frame, until, now))
    if change.workflow is not None or change.reason == "accept":
        forked = replace(forked, code=digest(load(source).function))
    if change.workflow is not None or source != before.source:
        forked = replace(forked, source=source)
    # Nobody sends again to a run that goes on under its name; what came for it is no other run's.
    last = at if change.reason == "fork" else until
    signals = [
        record.event
        for record in log.records(row.branch, base, last)
        if isinstance(record.event, SignalReceived)
    ]
    first: list[Event] = [forked] if started is None else [started, forked]
    return Departure(row, change, base, at, until, [*first, *signals], blobs, source, difference)


def outline(log: Log, branch: int, at: int) -> State:
    """Return a frame's state as far as a fork depends on it: its code, edits, effects and time."""
    newest = one(log, branch, at - 1)
    state, now = State(), newest.time
    for record in log.turns(branch, 0, at):
        now = max(now, record.time)
        if isinstance(record.event, RunStarted | RunForked):
            state = reduce(state, record.event, record.time)
    return replace(state, now=now, offset=at)


def _frame(log: Log, row: RunRow, change: Change) -> int:
    if change.at is not None:
        at = frame_of(log, row, change.at)
        refuse_late_edits(log, row, change.edits, at)
    elif change.edits:
        at = edited_frame(log, row, change.edits)
    else:
        at = row.head
    return before_end(log, row, at)


def _input(
    log: Log, load: Load, row: RunRow, change: Change, source: str, edits: list[Edit],
    blobs: dict[bytes, bytes],
) -> RunStarted | None:  # fmt: skip
    """Return the start of a run with another input."""
    if change.input is None:
        return None
    workflow = load(source)
    checked = workflow.check(dict(change.input))
    raw = fingerprint.encode(checked, "the input")
    Redactor(os.environ).refuse(workflow.name, "input", raw)
    value = pack(raw, blobs)
    edits.append(Edit("input", value))
    first = one(log, row.branch, 0).event
    assert isinstance(first, RunStarted), "the first event of every run"
    return replace(first, input=value, code=digest(workflow.function))


def _leave(
    log: Log, row: RunRow, workflow: Workflow, at: int, changed_code: str
) -> tuple[int, str]:
    """Return the offset up to which a workflow asks for what is recorded, and what is other then."""
    driver = Driver(workflow, log.load)
    try:
        records = log.records(row.branch, 0, at)
        state, mismatch = follow(driver, records, changed_code=changed_code)
    finally:
        driver.close()
    if mismatch is None:
        return at, ""
    return state.offset, f"{mismatch.key}: {mismatch.difference}"


def _effects(change: Change, frame: State) -> str:
    """Return which effects ask first: what was held stays so, where a run just goes on."""
    if change.allow_effects:
        return ""
    goes_on = change.reason in ("retry", "accept") and frame.effects != "hold"
    return "repeat" if goes_on else "hold"


def _forked(
    row: RunRow, change: Change, edits: list[Edit], frame: State, until: int, now: int
) -> RunForked:
    takes_over = change.reason != "fork"
    return RunForked(
        row.run,
        change.reason,
        row.run,
        row.branch,
        frame.offset,
        until,
        0 if change.reason == "accept" else max(0, now - frame.now),
        edits,
        [*change.retried],
        _effects(change, frame),
        parent=row.parent_run if takes_over else "",
        parent_key=row.parent_key if takes_over else "",
        changed_code=change.changed_code,
    )


def with_files(log: Log, row: RunRow, base: int, forked: RunForked) -> RunForked:
    """Add what the files were where a history is left, and what it has left in its folder.

    Before anybody had looked at them they were what they were found to be then.
    """
    in_git = row.folder != "" and has_repository(row.folder)  # else no record need be read for it
    if not in_git or not has_files(log, row.branch):
        return forked
    snapshot, head, last = files_at(log, row.branch, base)
    if not snapshot:
        return forked
    newest = log.branch_of(row.run)
    if newest != row.branch:  # it is an old branch, and the run went on in another
        last = replay(log.records(newest))
    left, merged = left_behind(last), _merged(log, last, head)
    return replace(forked, snapshot=snapshot, head=head, left=left, merged=merged)


def _merged(log: Log, last: State, head: bytes) -> bytes:
    """Return the commit to which a run's own merges have brought its branch from `head`; empty for none.

    They must follow upon each other: what somebody else committed in between is not to be taken back.
    """
    at = head.hex()
    merges = [s for s in last.steps.values() if s.kind == "merge" and not s.workspace and s.head]
    for step in sorted(merges, key=lambda step: step.last):
        done = msgspec.msgpack.decode(log.load(step.result), type=Merged | Conflict)
        if isinstance(done, Merged) and done.before == at:
            at = done.commit
    return b"" if at == head.hex() else bytes.fromhex(at)
