"""Going back and taking another way: fork, rewind, retry, and moving on to edited code.

Each is one small commit: a new branch that leaves the history of its origin at an offset, and begins
with a RunForked event. The origin stays as it is; rewind, retry and accept take over its name.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import (
    BranchMoved,
    Edit,
    Event,
    Log,
    NewRun,
    NoSuchRun,
    RunExists,
    RunForked,
    RunRow,
    RunStarted,
    SignalReceived,
    owner_alive,
    pack,
)
from holdfast.reducer import (
    Driver,
    InputHasSecret,
    Plan,
    Planner,
    State,
    StepRequest,
    Workflow,
    digest,
    fingerprint,
    follow,
    left_behind,
    reduce,
    replay,
)

from .errors import NoSuchStep, NothingToRetry, ResultInvalid, RunBusy, RunEnded, StepAmbiguous
from .frames import before_end, edited_frame, frame_of, near, one, refuse_late_edits
from .places import fork_folder, has_repository
from .pools import read_pool
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


# --- what can be done ------------------------------------------------------------------------------


def fork(
    log: Log, load: Load, run: str, change: Change, *, actor: str, id: str | None = None,
    now: int = 0,
) -> tuple[str, int]:  # fmt: skip
    """Make the run that a change describes; return its name and the offset at which it leaves its origin.

    Raises NoSuchRun, NoSuchFrame, NoSuchStep, EditTooLate, InputInvalid, ResultInvalid, RunExists,
    and, where it takes over the run's name, RunBusy. Nothing is written then.
    """
    while True:
        moment = now or time.time_ns()
        departure = depart(log, load, run, change, now=moment)
        takes_over = change.reason != "fork"
        holder = departure.row
        if takes_over:
            if log.branch_of(holder.run) != holder.branch:  # it is an old branch of that run
                holder = log.run(holder.run)
            refuse_busy(log, holder)
        name = departure.row.run if takes_over else id or free_name(log, departure.row.run)
        events = _own(log, departure, name)
        new = NewRun(
            name, events, actor, moment, departure.blobs, departure.row.branch, departure.base,
            change.reason, takes_over, holder.head if takes_over else None,
        )  # fmt: skip
        try:
            log.write_one(new)
        except BranchMoved:
            continue  # something happened in the run meanwhile: look again
        except RunExists:
            if id is not None:
                raise
            continue
        return name, departure.base


def plan(log: Log, load: Load, run: str, change: Change, *, now: int = 0) -> Plan:
    """Return what a fork with this change would do. Nothing is written, and nothing is done."""
    moment = now or time.time_ns()
    departure = depart(log, load, run, change, now=moment)
    row, forked = departure.row, departure.forked
    workflow = load(departure.source)
    driver = Driver(workflow, _loading(log, departure.blobs))
    state = State()
    if departure.base:
        state, _ = follow(driver, log.records(row.branch, 0, departure.base))
    pool = read_pool(log, forked, departure.base, foresee=True)
    planner = Planner(driver, state, pool)
    planner.leave(departure.events, moment)
    items = planner.run()
    ended = planner.ended.status if planner.ended else ""
    driver.close()
    return Plan(
        row.run, change.reason, departure.base, departure.at, items, departure.difference, ended
    )


def retry_change(log: Log, run: str, step: str | None = None) -> Change:
    """Return the change that tries a failed step again in place: of a failed run, the one it failed for.

    Raises RunEnded, NothingToRetry, NoSuchStep, StepAmbiguous.
    """
    row = log.run(run)
    state = replay(log.records(row.branch))
    if row.status in ("succeeded", "cancelled"):
        raise RunEnded(run, row.status, "retried")
    failed = {s.key: s.last for s in state.steps.values() if s.status == "failed"}
    failed |= {  # one without an end was only no longer wanted
        c.key: c.last
        for c in state.children.values()
        if c.status in ("failed", "cancelled") and c.last
    }
    if step is not None:
        if step not in failed:
            raise NoSuchStep(
                run, step, near(step, list(failed)) or list(failed)[-3:], "failed step"
            )
        return Change("retry", failed[step], retried=[step], reuse=True)
    if row.status != "failed":
        raise NothingToRetry(run, row.status)
    if not failed:
        return Change("retry", row.head - 1, reuse=True)  # its own code failed: drive it again
    named = [key for key in failed if repr(key) in (state.error.message if state.error else "")]
    if len(named or failed) > 1:
        raise StepAmbiguous(run, list(named or failed))
    key = (named or list(failed))[0]
    return Change("retry", failed[key], retried=[key], reuse=True)


# --- where it leaves -------------------------------------------------------------------------------


def depart(log: Log, load: Load, run: str, change: Change, *, now: int) -> Departure:
    """Compute where a change leaves a run's history, and the events that its branch begins with."""
    row = log.run(run)
    edits = [*change.edits]
    at = _frame(log, row, change)
    _check_results(log, load, row, edits)
    blobs: dict[bytes, bytes] = {}
    frame = _outline(log, row.branch, at)
    source = load(change.workflow).reference if change.workflow else frame.source
    started = _input(log, load, row, change, source, edits, blobs)
    base, difference = at, ""
    if started is not None:
        base = 0
    elif change.reaches_back:
        base, difference = _leave(log, row, load(source), at, change.changed_code)
    before = frame if base == at else _outline(log, row.branch, max(base, 1))
    edits += [edit for edit in frame.edits if edit not in before.edits]
    reuse = change.reuse if change.reuse is not None else bool(edits) or change.reaches_back
    until = row.head if reuse else at
    forked = with_files(log, row, base, _forked(row, change, edits, frame, until, now))
    if change.workflow is not None or change.reason == "accept":
        forked = replace(forked, code=digest(load(source).function))
    if change.workflow is not None or source != before.source:
        forked = replace(forked, source=source)
    signals = [
        record.event
        for record in log.records(row.branch, base, at)
        if isinstance(record.event, SignalReceived)
    ]
    first: list[Event] = [forked] if started is None else [started, forked]
    return Departure(row, change, base, at, until, [*first, *signals], blobs, source, difference)


def _outline(log: Log, branch: int, at: int) -> State:
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
    refuse_secrets(workflow.name, "input", raw)
    value = pack(raw, blobs)
    edits.append(Edit("input", value))
    first = one(log, row.branch, 0).event
    assert isinstance(first, RunStarted), "the first event of every run"
    return replace(first, input=value, code=digest(workflow.function))


def refuse_secrets(workflow: str, field: str, raw: bytes) -> None:
    """Raise InputHasSecret for what may not be written to the log."""
    redacted = Redactor(_environ()).value(raw)
    if redacted is not raw:
        raise InputHasSecret(workflow, field, repr(msgspec.msgpack.decode(redacted))[:200])


def _environ() -> Mapping[str, str]:
    import os

    return os.environ


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
    return (
        (at, "") if mismatch is None else (state.offset, f"{mismatch.key}: {mismatch.difference}")
    )


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
    snapshot, last = files_at(log, row.branch, base)
    if not snapshot:
        return forked
    newest = log.branch_of(row.run)
    if newest != row.branch:  # it is an old branch, and the run went on in another
        last = replay(log.records(newest))
    return replace(forked, snapshot=snapshot, left=left_behind(last))


def _check_results(log: Log, load: Load, row: RunRow, edits: Sequence[Edit]) -> None:
    """Raise ResultInvalid for a given result that does not fit its step's output type."""
    given = {edit.key: edit for edit in edits if edit.what == "result"}
    if not given:
        return
    workflow = load(row.source)
    driver = Driver(workflow, log.load)
    types: dict[str, Any] = {}

    def watched() -> Any:
        for record in log.records(row.branch):
            yield record
            for key in given.keys() - types.keys():
                future = driver.pending.get(key)
                if future is not None and isinstance(future.request, StepRequest):
                    types[key] = future.request.output

    try:
        follow(driver, watched())
    finally:
        driver.close()
    for key, output in types.items():
        refuse_secrets(workflow.name, key, bytes(given[key].value))
        try:
            msgspec.msgpack.decode(given[key].value, type=output)
        except msgspec.ValidationError as error:
            raise ResultInvalid(row.run, key, str(error)) from error
        except TypeError:
            continue  # a type that msgspec does not know takes anything


def _loading(log: Log, blobs: Mapping[bytes, bytes]) -> Callable[[msgspec.Raw], bytes]:
    from holdfast.eventlog import reference

    def load(value: msgspec.Raw) -> bytes:
        place = reference(value)
        if place is not None and place.digest in blobs:
            return blobs[place.digest]
        return log.load(value)

    return load


# --- names and owners ------------------------------------------------------------------------------


def refuse_busy(log: Log, row: RunRow) -> None:
    """Raise RunBusy when a live process executes the run."""
    if row.owner and owner_alive(log.path, row.owner):
        raise RunBusy(row.run, host=row.host, pid=row.pid)


def free_name(log: Log, run: str) -> str:
    """Return a name for a fork of a run: demo.2, demo.3 and so on."""
    stem, _, number = run.partition("@")[0].replace("/", "-").rpartition(".")
    if not (stem and number.isdigit()):
        stem = run.partition("@")[0].replace("/", "-")
    count = 2
    while True:
        name = f"{stem}.{count}"
        try:
            log.branch_of(name)
        except NoSuchRun:
            return name
        count += 1


def _own(log: Log, departure: Departure, name: str) -> list[Event]:
    """Return the first events of a run of this name; a fork with files gets a folder of its own."""
    events: list[Event] = []
    for event in departure.events:
        if isinstance(event, RunStarted):
            event = replace(event, run=name)
        elif isinstance(event, RunForked):
            is_apart = event.reason == "fork" and event.snapshot
            folder = _fork_folder(log, departure.row, name) if is_apart else ""
            event = replace(event, run=name, folder=folder)
        events.append(event)
    return events


def _fork_folder(log: Log, row: RunRow, name: str) -> str:
    state = _outline(log, row.branch, row.head)
    folder = state.folder if Path(state.folder).is_dir() else state.checkout or state.folder
    return fork_folder(log.path.parent, name, folder)
