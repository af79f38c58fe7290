"""`reduce`: what one more event means. Pure and total; the only place where state is made.

Total: an event that does not fit (a second decision, a result of a step that nobody started) changes
nothing but the offset, because events are facts and a reader has no right to refuse them.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from holdfast.eventlog import (
    AnswerCarried,
    AnyEvent,
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    AttemptFailed,
    BudgetReached,
    CancelRequested,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    EffectHeld,
    FellBack,
    GateEscalated,
    GateExpired,
    GateReminded,
    Journaled,
    LoopExhausted,
    Noted,
    QuestionAnswered,
    QuestionAsked,
    Record,
    RestoreStarted,
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
    ScheduleAdded,
    SchedulePaused,
    ScheduleRemoved,
    ScheduleTicked,
    ScheduleUnpaused,
    SessionOpened,
    SignalAwaited,
    SignalReceived,
    SnapshotMissed,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepReused,
    StepStarted,
    StepSucceeded,
    TimerFired,
    TimerSet,
    UnknownEvent,
    WorkspaceDrifted,
    WorkspaceRestored,
    WorkspaceSeen,
)

from . import purse
from .amounts import Amount
from .edits import within
from .folds import after, changed
from .fork_events import forked
from .state import Child, Gate, Pause, State, Timer
from .step_events import deferred, failed, fell_back, journaled, reused, started, succeeded
from .tree import seen, touched, touched_by_child, with_files
from .wait_events import (
    answered,
    carried,
    decided,
    gate_of,
    question_of,
    ran_out,
    signal_awaited,
    signal_received,
)
from .waits import without_wait

replace = msgspec.structs.replace


def replay(records: Iterable[Record], state: State | None = None) -> State:
    """Fold records into a state, from the beginning or from `state` on."""
    state = State() if state is None else state
    for record in records:
        state = reduce(state, record.event, record.time)
    return state


def reduce(state: State, event: AnyEvent, time: int) -> State:
    """Return the run as it is after one more event, which happened at `time` (ns)."""
    match event:
        case StepStarted():
            return started(state, event, time)
        case StepSucceeded():
            return succeeded(state, event, time)
        case AttemptFailed() | StepFailed():
            return failed(state, event, time)
        case StepDeferred():
            return deferred(state, event, time)
        case FellBack():
            return fell_back(state, event, time)
        case StepCancelled():
            return _cancelled(state, event, time)
        case SessionOpened():
            change = {"session": event.session}
            return after(state, time, steps=changed(state.steps, event.key, change))
        case Journaled():
            return journaled(state, event, time)
        case DoubtRaised():
            gate = Gate(event.key, "doubt", opened=time, offset=state.offset)
            steps = changed(state.steps, event.key, {"status": "doubt"})
            given_up = purse.given_up(state, event.key)
            gates = state.gates.set(event.key, gate)
            return after(state, time, steps=steps, gates=gates, purse=given_up)
        case BudgetReached():
            limit = Amount(event.usd, event.tokens)
            gate = Gate(event.key, "budget", time, state.offset, subject=event.subject, limit=limit)
            return after(state, time, gates=state.gates.set(event.key, gate))
        case EffectHeld():
            gate = Gate(event.key, "effect", opened=time, offset=state.offset)
            return after(state, time, gates=state.gates.set(event.key, gate))
        case StepReused():
            return reused(state, event, time)
        case ApprovalRequested():
            return after(state, time, gates=state.gates.set(event.key, gate_of(state, event, time)))
        case ApprovalDecided():
            return decided(state, event, time)
        case ApprovalCarried():
            return carried(state, event, time)
        case QuestionAsked():
            gate = question_of(state, event, time)
            return after(state, time, gates=state.gates.set(event.key, gate))
        case QuestionAnswered() | AnswerCarried():
            return answered(state, event, time)
        case GateReminded() | GateEscalated() | GateExpired():
            return ran_out(state, event, time)
        case SignalAwaited():
            return signal_awaited(state, event, time)
        case SignalReceived():
            return signal_received(state, event, time)
        case TimerSet():
            timer = Timer(event.key, event.until)
            return after(state, time, timers=state.timers.set(event.key, timer))
        case TimerFired():
            timers = state.timers.delete(event.key)
            passed = state.passed.set(event.key, state.offset)
            return after(state, time, timers=timers, passed=passed, resolved=(event.key,))
        case ChildStarted():
            children = state.children.set(event.key, _child(state, event))
            return after(state, time, children=children, purse=purse.reserved_child(state, event))
        case ChildFinished():
            return _child_finished(state, event, time)
        case LoopExhausted() | Noted():
            passed = state.passed.set(event.key, state.offset)
            return after(state, time, passed=passed, resolved=(event.key,))
        case _:
            return _run_event(state, event, time)


def _run_event(state: State, event: AnyEvent, time: int) -> State:
    match event:
        case RunStarted():
            given = msgspec.structs.asdict(event) | {"edits": (*event.edits,)}
            del given["budget"]
            given["purse"] = purse.begun(state, event.budget)
            return after(state, time, started=time, **given)
        case RunForked():
            return forked(state, event, time)
        case RunClaimed():
            return after(
                state,
                time,
                owner=event.owner,
                status="running",
                waiting=(),
                error=None,
                roles=(*event.roles,),
                purse=purse.claimed(state),
            )
        case RunReleased():
            status = "waiting" if event.reason == "waiting" else "running"
            waiting = tuple(event.waiting)
            return after(state, time, owner="", status=status, waiting=waiting, error=event.error)
        case RunSucceeded():
            return after(state, time, status="succeeded", output=event.output, owner="", error=None)
        case RunFailed():
            return after(state, time, status="failed", error=event.error, owner="")
        case RunContinued(input=given):
            return after(state, time, status="continued", output=given, owner="", error=None)
        case RunCancelled():
            return after(state, time, status="cancelled", owner="")
        case CancelRequested():
            return after(state, time, cancelling=event.reason, cancelled_at=state.offset)
        case RunPaused(reason=reason):
            return after(state, time, paused=state.paused or Pause(reason, time, state.offset))
        case RunUnpaused():
            return after(state, time, paused=None)
        case WorkspaceSeen() | WorkspaceDrifted() | RestoreStarted() | WorkspaceRestored():
            return _looked(state, event, time)
        case SnapshotMissed():
            return after(state, time)
        case (
            ScheduleAdded()
            | ScheduleTicked()
            | SchedulePaused()
            | ScheduleUnpaused()
            | ScheduleRemoved()
        ):
            return after(state, time)  # of no run
        case UnknownEvent():
            return after(state, time, unknown=state.unknown + 1)
        case _:
            raise AssertionError(f"reduce does not know {type(event).__name__}")


def _looked(
    state: State,
    event: WorkspaceSeen | WorkspaceDrifted | RestoreStarted | WorkspaceRestored,
    time: int,
) -> State:
    """Take in what the files were found to be, or are to be brought back to."""
    where = event.workspace
    changes: dict[str, Any] = {"looked": state.offset, "restoring": b""}
    match event:
        case WorkspaceSeen(tree=tree, head=head):
            state, changes["head"] = seen(state, where, tree), head
        case WorkspaceDrifted(found=found, head=head):
            state, changes["head"] = seen(state, where, found), head
        case RestoreStarted(tree=tree):
            changes["restoring"] = tree
        case WorkspaceRestored(tree=tree, head=head):
            state = seen(state, where, tree)
            changes |= {"head": head} if head else {}
    return after(with_files(state, where, **changes), time)


def _child(state: State, event: ChildStarted) -> Child:
    old = state.children.get(event.key)
    # One that left with its parent began before that.
    tree = state.files_in(event.workspace).tree if old is None else old.tree
    return Child(
        event.key,
        event.run,
        event.fingerprint,
        origin=event.origin,
        at=event.at,
        offset=state.offset,
        tree=tree,
        edits=(*within(state.edits, event.key),) if state.edits else (),
        workspace=event.workspace,
    )


def _child_finished(state: State, event: ChildFinished, time: int) -> State:
    old = state.children.get(event.key)
    if old is None:
        return after(state, time, resolved=(event.key,))
    child = replace(
        old,
        status=event.status,
        output=event.output,
        error=event.error,
        last=state.offset,
    )
    return after(
        touched_by_child(state, child),
        time,
        children=state.children.set(event.key, child),
        purse=purse.settled_child(state, event),
        resolved=(event.key,),
    )


def _cancelled(state: State, event: StepCancelled, time: int) -> State:
    """Whatever had this key is no longer waited for: a step, a gate, a timer, a signal, a child."""
    old = state.steps.get(event.key)
    if old is not None:
        step = replace(old, status="cancelled", finished=time, ended=time, last=state.offset)
        state = touched(replace(state, steps=state.steps.set(event.key, step)), old, step)
    return after(
        without_wait(state, event.key),
        time,
        purse=purse.given_up(state, event.key),
        children=changed(state.children, event.key, {"status": "cancelled"}),
        gates=state.gates.delete(event.key),
        timers=state.timers.delete(event.key),
    )
