"""What listings and the scheduler need to know of a run, kept up to date event by event. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from . import gates, schedules
from .branches import BranchRow
from .events import (
    CancelRequested,
    Event,
    Failure,
    Record,
    RunCancelled,
    RunClaimed,
    RunContinued,
    RunFailed,
    RunForked,
    RunPaused,
    RunReleased,
    RunStarted,
    RunSucceeded,
    RunUnpaused,
    StepCancelled,
    TimerFired,
    TimerSet,
    UnknownEvent,
)
from .gates import OpenGate

VERSION = 6
"""Of what `advance` makes of events: raised with every change, and logs make their rows anew."""

RUN_STATUSES = ("running", "waiting", "succeeded", "failed", "cancelled", "continued")
STATUSES = (*RUN_STATUSES, "scheduled", "removed")
"""Of every row: the last two are those of schedules (schedules.py). New ones come at the end."""


class RunRow(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A run at a glance. Times are nanoseconds since 1970, UTC.

    `owner` is the token of the process that claimed it, which may be dead (owners.py). A run that
    nobody owns and that does not wait is "running": it was interrupted and can be resumed.
    """

    run: str
    branch: int
    workflow: str = ""
    source: str = ""
    folder: str = ""
    status: str = "running"
    started: int = 0
    updated: int = 0  # when its last event was written
    head: int = 0  # the next offset
    owner: str = ""
    host: str = ""  # of the owner's process, for people
    pid: int = 0
    waiting: list[str] = []
    timers: dict[str, int] = {}  # key -> when it is due
    gates: dict[str, OpenGate] = {}  # those that wait for people
    error_code: str = ""
    error_message: str = ""
    parent: int | None = None  # the branch that it was forked from, at `offset`
    offset: int = 0
    parent_run: str = ""  # the run that started it as a child, at `parent_key`
    parent_key: str = ""
    paused: bool = False  # by an event of its own; a child is paused with its parent
    released: int = 0  # the offset after the last release; 0: nobody has let go of it yet
    served: bool = False  # left to `holdfast serve`, and not claimed since
    last_run: str = ""  # of a schedule: the run that it started last

    @property
    def alarms(self) -> dict[str, int]:
        """When it goes on by itself, by key: its timers, and the gates whose time runs out."""
        expiring = {key: gate.expires_at for key, gate in self.gates.items() if gate.expires_at}
        return {**self.timers, **expiring}


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """An open gate of a run."""

    run: str
    branch: int
    gate: OpenGate


class Due(msgspec.Struct, frozen=True, gc=False):
    """A timer of a run: when it is due, and the key of what waits for it."""

    time: int
    run: str
    key: str
    branch: int


CHANGING = frozenset(
    {
        RunStarted,
        RunForked,
        RunClaimed,
        RunReleased,
        RunSucceeded,
        RunFailed,
        RunContinued,
        RunCancelled,
        CancelRequested,
        RunPaused,
        RunUnpaused,
        TimerSet,
        TimerFired,
        StepCancelled,
        *gates.CHANGING,
        *schedules.CHANGING,
    }
)
"""The only event types that `advance` answers with another row."""


def advance(row: RunRow, event: Event | UnknownEvent, time: int, offset: int) -> RunRow:
    """Return the row as it is after one more event, at an offset: the same object when nothing changed."""
    match event:
        case RunStarted():
            return replace(
                row,
                workflow=event.workflow,
                source=event.source,
                folder=event.folder,
                started=time,
                parent_run=event.parent,
                parent_key=event.parent_key,
            )
        case RunForked():
            return _forked(row, event)
        case RunClaimed():
            return _with_error(_claimed(row, event), None)
        case RunReleased(error=error):
            return _with_error(_released(row, event, offset), error)
        case RunSucceeded():
            return _ended(row, "succeeded")
        case RunFailed(error=error):
            return _with_error(_ended(row, "failed"), error)
        case RunContinued():
            return _ended(row, "continued")
        case RunCancelled():
            return _ended(row, "cancelled")
        case TimerSet(key=key, until=until):
            return replace(row, timers={**row.timers, key: until})
        case TimerFired(key=key) if key in row.timers:
            return _without_timer(row, key)
        case StepCancelled(key=key) if key in row.timers or key in row.gates:
            row = _without_timer(row, key)
            return replace(row, gates=gates.advance(row.gates, event, time, offset))
        case RunPaused() | RunUnpaused():
            return replace(row, paused=isinstance(event, RunPaused))
        case CancelRequested() if row.gates:
            return replace(row, gates={})  # nobody waits for a word on them any more
        case _ if type(event) in schedules.CHANGING:
            return schedules.advance(row, event)
        case _:
            found = gates.advance(row.gates, event, time, offset)
            return row if found is row.gates else replace(row, gates=found)


def _forked(row: RunRow, event: RunForked) -> RunRow:
    """A fork goes on where its origin was, and what was open there is put off until its own time."""
    return replace(
        _with_error(_unowned(row), None),
        status="running",
        source=event.source or row.source,
        waiting=[],
        paused=False,
        released=0,
        served=False,
        timers={key: until + event.shift for key, until in row.timers.items()},
        gates=gates.left(row.gates, event.shift),
        parent_run=event.parent,
        parent_key=event.parent_key,
    )


def _without_timer(row: RunRow, key: str) -> RunRow:
    return replace(row, timers={k: t for k, t in row.timers.items() if k != key})


def _with_error(row: RunRow, error: Failure | None) -> RunRow:
    code, message = (error.code, error.message) if error else ("", "")
    return replace(row, error_code=code, error_message=message)


def _claimed(row: RunRow, claim: RunClaimed) -> RunRow:
    owner, host, pid = claim.owner, claim.host, claim.pid
    row = replace(row, status="running", owner=owner, host=host, pid=pid, waiting=[])
    return replace(row, released=0, served=False)


def _released(row: RunRow, event: RunReleased, offset: int) -> RunRow:
    status = "waiting" if event.reason == "waiting" else "running"
    row = replace(_unowned(row), status=status, waiting=event.waiting)
    return replace(row, released=offset + 1, served=event.served)


def _unowned(row: RunRow) -> RunRow:
    return replace(row, owner="", host="", pid=0)


def _ended(row: RunRow, status: str) -> RunRow:
    row = replace(_unowned(row), status=status, waiting=[], timers={}, gates={}, paused=False)
    return replace(row, served=False)


def first_row(branch: BranchRow, inherited: Iterable[Record]) -> RunRow:
    """Return the row of a new branch: what it inherits, though not its parent's owner.

    Of the inherited records, those of the types in CHANGING are enough.
    """
    row = RunRow(run=branch.run, branch=branch.branch, parent=branch.parent, offset=branch.offset)
    for record in inherited:
        row = advance(row, record.event, record.time, record.offset)
    return replace(_unowned(row), started=branch.time)
