"""Going back and taking another way: fork, rewind, retry, and moving on to edited code.

Each is one small commit: a new branch that leaves the history of its origin at an offset, and begins
with a RunForked event. The origin stays as it is; rewind, retry and accept take over its name.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import (
    BranchMoved,
    Event,
    Log,
    NewRun,
    NoSuchRun,
    Role,
    RunClaimed,
    RunExists,
    RunForked,
    RunRow,
    RunStarted,
    owner_alive,
    reference,
)
from holdfast.reducer import Driver, Plan, Planner, State, changes_of_roles, follow, replay

from .departure import Change, Departure, Load, depart, outline
from .edits import refuse_gates
from .errors import NoSuchStep, NothingToRetry, RunBusy, RunEnded, StepAmbiguous
from .frames import near
from .places import fork_folder
from .pools import read_pool
from .runs import roles_of_run

__all__ = ["Change", "Departure", "Load", "depart", "fork", "plan", "retry_change"]


def fork(
    log: Log, load: Load, run: str, change: Change, *, actor: str, id: str | None = None,
    now: int = 0, departure: Departure | None = None,
) -> tuple[str, int]:  # fmt: skip
    """Make the run that a change describes; return its name and the offset at which it leaves its origin.

    A `departure` that was computed for it already is used while the run has not moved since.

    Raises NoSuchRun, NoSuchFrame, NoSuchStep, EditTooLate, InputInvalid, ResultInvalid, RunExists,
    and, where it takes over the run's name, RunBusy. Nothing is written then.
    """
    refuse_gates(log, run, change.edits)
    while True:
        moment = now or time.time_ns()
        departure = departure or depart(log, load, run, change, now=moment)
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
            departure = None  # something happened in the run meanwhile: look again
            continue
        except RunExists:
            if id is not None:
                raise
            continue
        return name, departure.base


def plan(
    log: Log, load: Load, run: str, change: Change, *, now: int = 0,
    departure: Departure | None = None, roles: Sequence[Role] | None = None,
) -> Plan:  # fmt: skip
    """Return what a fork with this change would do. Nothing is written, and nothing is done.

    `roles` are those with which it will be executed; None: those that the run had.
    """
    refuse_gates(log, run, change.edits)
    moment = now or time.time_ns()
    departure = departure or depart(log, load, run, change, now=moment)
    row, forked = departure.row, departure.forked
    workflow = load(departure.source)
    driver = Driver(workflow, _loading(log, departure.blobs))
    state = State()
    if departure.base:
        state, _ = follow(driver, log.records(row.branch, 0, departure.base))
    pool = read_pool(log, forked, departure.base, foresee=True)
    planner = Planner(driver, state, pool)
    planner.leave(departure.events, moment)
    if roles is not None:
        planner.leave([RunClaimed("", roles=[*roles])], moment)
    items = planner.run()
    ended = planner.ended.status if planner.ended else ""
    driver.close()
    return Plan(
        row.run,
        change.reason,
        departure.base,
        departure.at,
        items,
        departure.difference,
        ended,
        [] if roles is None else changes_of_roles(roles_of_run(log, row), roles),
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


def _loading(log: Log, blobs: Mapping[bytes, bytes]) -> Callable[[msgspec.Raw], bytes]:
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
    state = outline(log, row.branch, row.head)
    folder = state.folder if Path(state.folder).is_dir() else state.checkout or state.folder
    return fork_folder(log.path.parent, name, folder)
