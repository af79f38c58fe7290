"""`reduce`: what one more event means. Pure and total; the only place where state is made.

Total: an event that does not fit (a second decision, a result of a step that nobody started) changes
nothing but the offset, because events are facts and a reader has no right to refuse them.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from holdfast.eventlog import (
    NONE,
    AnyEvent,
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    AttemptFailed,
    CancelRequested,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    EffectHeld,
    LoopExhausted,
    Noted,
    Record,
    RestoreStarted,
    RunCancelled,
    RunClaimed,
    RunFailed,
    RunForked,
    RunReleased,
    RunStarted,
    RunSucceeded,
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
    Usage,
    WorkspaceDrifted,
    WorkspaceRestored,
    WorkspaceSeen,
)

from .edits import within
from .pmap import PMap
from .state import ENDED, Child, Gate, State, Step, Timer, Vote, Wait
from .tree import seen, touched, touched_by_child, untouched

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
            return _step_started(state, event, time)
        case StepSucceeded():
            return _step_succeeded(state, event, time)
        case AttemptFailed() | StepFailed():
            return _step_failed(state, event, time)
        case StepDeferred():
            return _deferred(state, event, time)
        case StepCancelled():
            return _cancelled(state, event, time)
        case SessionOpened():
            change = {"session": event.session}
            return _after(state, time, steps=_changed(state.steps, event.key, change))
        case DoubtRaised():
            gate = Gate(event.key, "doubt", opened=time, offset=state.offset)
            steps = _changed(state.steps, event.key, {"status": "doubt"})
            return _after(state, time, steps=steps, gates=state.gates.set(event.key, gate))
        case EffectHeld():
            gate = Gate(event.key, "effect", opened=time, offset=state.offset)
            return _after(state, time, gates=state.gates.set(event.key, gate))
        case StepReused():
            return _step_reused(state, event, time)
        case ApprovalRequested():
            return _after(state, time, gates=state.gates.set(event.key, _gate(state, event, time)))
        case ApprovalDecided():
            return _decided(state, event, time)
        case ApprovalCarried():
            return _carried(state, event, time)
        case SignalAwaited():
            return _signal_awaited(state, event, time)
        case SignalReceived():
            return _signal_received(state, event, time)
        case TimerSet():
            timer = Timer(event.key, event.until)
            return _after(state, time, timers=state.timers.set(event.key, timer))
        case TimerFired():
            timers = state.timers.delete(event.key)
            passed = state.passed.set(event.key, state.offset)
            return _after(state, time, timers=timers, passed=passed, resolved=(event.key,))
        case ChildStarted():
            return _after(state, time, children=state.children.set(event.key, _child(state, event)))
        case ChildFinished():
            return _child_finished(state, event, time)
        case LoopExhausted() | Noted():
            passed = state.passed.set(event.key, state.offset)
            return _after(state, time, passed=passed, resolved=(event.key,))
        case _:
            return _run_event(state, event, time)


def _run_event(state: State, event: AnyEvent, time: int) -> State:
    match event:
        case RunStarted():
            given = msgspec.structs.asdict(event) | {"edits": (*event.edits,)}
            return _after(state, time, started=time, **given)
        case RunForked():
            return _forked(state, event, time)
        case RunClaimed():
            return _after(state, time, owner=event.owner, status="running", waiting=(), error=None)
        case RunReleased():
            status = "waiting" if event.reason == "waiting" else "running"
            waiting = tuple(event.waiting)
            return _after(state, time, owner="", status=status, waiting=waiting, error=event.error)
        case RunSucceeded():
            return _after(
                state, time, status="succeeded", output=event.output, owner="", error=None
            )
        case RunFailed():
            return _after(state, time, status="failed", error=event.error, owner="")
        case RunCancelled():
            return _after(state, time, status="cancelled", owner="")
        case CancelRequested():
            return _after(state, time, cancelling=event.reason)
        case WorkspaceSeen() | WorkspaceDrifted() | RestoreStarted() | WorkspaceRestored():
            return _looked(state, event, time)
        case SnapshotMissed():
            return _after(state, time)
        case UnknownEvent():
            return _after(state, time, unknown=state.unknown + 1)
        case _:
            raise AssertionError(f"reduce does not know {type(event).__name__}")


def _forked(state: State, event: RunForked, time: int) -> State:
    """Leave another history: nobody owns the fork, and what was open there is put off."""
    shift = event.shift
    return _after(
        state,
        time,
        run=event.run,
        forked=event,
        base=state.offset,
        edits=(*event.edits, *state.edits),
        source=event.source or state.source,
        code=event.code or state.code,
        parent=event.parent,
        parent_key=event.parent_key,
        folder=event.folder or state.folder,
        checkout=(state.checkout or state.folder) if event.folder else state.checkout,
        snapshot=event.snapshot or state.snapshot,
        restoring=b"",
        effects=event.effects,
        status="running",
        output=NONE,
        error=None,
        owner="",
        waiting=(),
        steps=PMap({key: _left(step, event) for key, step in state.steps.items()}),
        gates=PMap({key: _put_off(gate, shift) for key, gate in state.gates.items()}),
        timers=PMap({t.key: Timer(t.key, t.until + shift) for t in state.timers.values()}),
        children=PMap({key: _parted(child, event) for key, child in state.children.items()}),
    )


def _left(step: Step, event: RunForked) -> Step:
    if step.key in event.retried:
        return replace(step, status="retrying", failures=0, not_before=0, error=None)
    if step.session and event.reason in ("fork", "rewind") and step.status not in ENDED:
        step = replace(step, session="")  # that conversation is the origin's, in its own folder
    return replace(step, not_before=step.not_before + event.shift) if step.not_before else step


def _put_off(gate: Gate, shift: int) -> Gate:
    is_open = gate.decision is None and gate.expires_at
    return replace(gate, expires_at=gate.expires_at + shift) if is_open else gate


def _parted(child: Child, event: RunForked) -> Child:
    """A child at work stays with the history that it was started in; the fork gets one of its own."""
    if child.status != "running" or event.reason == "accept":
        return child
    if not child.run:
        return child
    return replace(child, run="", origin=child.run, before=child.origin)


def _after(state: State, time: int, **changes: Any) -> State:
    changes.setdefault("resolved", ())
    now = max(state.now, time)
    return replace(state, offset=state.offset + 1, now=now, **changes)


def _with_step(state: State, step: Step, time: int, resolved: tuple[str, ...]) -> State:
    """`_after` for a changed step: spelled out, because this is most of what a replay does."""
    return replace(
        state,
        steps=state.steps.set(step.key, step),
        resolved=resolved,
        offset=state.offset + 1,
        now=time if time > state.now else state.now,  # noqa: FURB136 - max() takes twice as long
    )


def _changed(items: PMap[Any], key: str, change: dict[str, Any]) -> PMap[Any]:
    old = items.get(key)
    return items if old is None else items.set(key, replace(old, **change))


def _step_started(state: State, event: StepStarted, time: int) -> State:
    old = state.steps.get(event.key)
    if old is None:
        step = Step(
            event.key,
            event.kind,
            event.fingerprint,
            event.reads,
            event.code,
            state.offset,
            time,
            attempt=event.attempt,
            files=event.files,
            tree=state.tree,
            unseen=state.unseen,
            begun=state.offset,
        )
    else:
        tree, unseen = untouched(state, old)
        step = replace(
            old,
            status="running",
            fingerprint=event.fingerprint,
            reads=event.reads,
            code=event.code,
            attempt=event.attempt,
            not_before=0,
            files=event.files,
            tree=tree,
            unseen=unseen,
            begun=state.offset,
        )
    return _with_step(state, step, time, ())


def _step_succeeded(state: State, event: StepSucceeded, time: int) -> State:
    old = state.steps.get(event.key)
    if old is None:
        return _after(state, time)
    step = replace(
        old,
        status="succeeded",
        result=event.result,
        error=None,
        finished=time,
        ended=time,
        last=state.offset,
        seconds=event.seconds,
        usage=old.usage if event.usage is None else _sum(old.usage, event.usage),
        session=event.session or old.session,
        transcript=event.transcript,
        snapshot=event.snapshot,
    )
    after = _with_step(touched(state, old, step, event.snapshot), step, time, (event.key,))
    return replace(after, usage=_sum(state.usage, event.usage)) if event.usage else after


def _step_reused(state: State, event: StepReused, time: int) -> State:
    """Take in what a step came to elsewhere; it costs this run nothing."""
    step = Step(
        event.key,
        event.kind,
        event.fingerprint,
        event.reads,
        event.code,
        state.offset,
        event.started,
        event.status,  # type: ignore[arg-type]  # an unknown one is nobody's to refuse
        event.attempt,
        result=event.result,
        error=event.error,
        finished=event.finished,
        seconds=event.seconds,
        usage=event.usage,
        session=event.session,
        transcript=event.transcript,
        snapshot=event.snapshot,
        files=event.files,
        tree=event.tree,
        unseen=event.unseen,
        ended=event.finished,
        begun=event.begun or state.offset,
        last=state.offset,
        reused=True,
        origin=event.origin,
    )
    old = state.steps.get(event.key) or replace(step, ended=0)
    resolved = () if event.status == "cancelled" else (event.key,)
    return _with_step(touched(state, old, step, event.snapshot), step, time, resolved)


def _step_failed(state: State, event: AttemptFailed | StepFailed, time: int) -> State:
    old = state.steps.get(event.key)
    if old is None:
        return _after(state, time)
    final = isinstance(event, StepFailed)
    step = replace(
        old,
        status="failed" if final else "retrying",
        failures=old.failures + 1,
        error=event.error,
        not_before=event.retry_at if isinstance(event, AttemptFailed) else 0,
        finished=time if final else 0,
        ended=time,
        last=state.offset,
        seconds=event.seconds,
        usage=_sum(old.usage, event.usage),
        session=event.session or old.session,
        transcript=event.transcript,
        snapshot=event.snapshot,
    )
    return _after(
        touched(state, old, step, event.snapshot),
        time,
        steps=state.steps.set(event.key, step),
        usage=_sum(state.usage, event.usage) or state.usage,
        resolved=(event.key,) if final else (),
    )


def _deferred(state: State, event: StepDeferred, time: int) -> State:
    old = state.steps.get(event.key)
    if old is None:
        return _after(state, time)
    step = replace(old, status="deferred", not_before=event.until, snapshot=event.snapshot)
    if event.snapshot:
        state = touched(state, old, step, event.snapshot)
    return _after(state, time, steps=state.steps.set(event.key, step))


def _looked(
    state: State,
    event: WorkspaceSeen | WorkspaceDrifted | RestoreStarted | WorkspaceRestored,
    time: int,
) -> State:
    """Take in what the files were found to be, or are to be brought back to."""
    changes: dict[str, Any] = {"looked": state.offset, "restoring": b""}
    match event:
        case WorkspaceSeen(tree=tree):
            state = seen(state, tree)
        case WorkspaceDrifted(found=found):
            state = seen(state, found)
        case RestoreStarted(tree=tree):
            changes["restoring"] = tree
        case WorkspaceRestored(tree=tree):
            state = seen(state, tree)
    if isinstance(event, WorkspaceSeen | WorkspaceDrifted):
        changes["head"] = event.head
    return _after(state, time, **changes)


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    if one is None or other is None:
        return one or other
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_tokens + other.cached_tokens,
        one.cost_usd + other.cost_usd,
    )


def _gate(state: State, event: ApprovalRequested, time: int) -> Gate:
    return Gate(
        event.key,
        "approval",
        opened=time,
        offset=state.offset,
        subject=event.subject,
        digest=event.digest,
        by=tuple(event.by),
        count=event.count,
        expires_at=event.expires_at,
        on_deny=event.on_deny,
    )


def _decided(state: State, event: ApprovalDecided, time: int) -> State:
    """Count a vote: one no decides, `count` different people's yes decide; later votes are void."""
    gate = state.gates.get(event.key)
    if gate is None or gate.decision is not None:
        return _after(state, time)
    if any(vote.by == event.by for vote in gate.votes) or not _may_decide(gate, event):
        return _after(state, time)
    vote = Vote(event.by, event.approved, event.note, event.edits, time)
    votes = (*gate.votes, vote)
    decided = not event.approved or len(votes) >= gate.count
    gate = replace(gate, votes=votes, decision=vote if decided else None, last=state.offset)
    resolved = (event.key,) if decided and gate.kind == "approval" else ()
    return _after(state, time, gates=state.gates.set(event.key, gate), resolved=resolved)


def _carried(state: State, event: ApprovalCarried, time: int) -> State:
    """Take over what was decided about the same subject in the history that a fork left."""
    gate = state.gates.get(event.key)
    if gate is None or gate.decision is not None or not event.ballots:
        return _after(state, time)
    votes = tuple(Vote(b.by, b.approved, b.note, b.edits, b.time) for b in event.ballots)
    gate = replace(gate, votes=votes, decision=votes[-1], last=state.offset, origin=event.origin)
    return _after(state, time, gates=state.gates.set(event.key, gate), resolved=(event.key,))


def _may_decide(gate: Gate, event: ApprovalDecided) -> bool:
    expired = event.by == "engine" and not event.approved
    return not gate.by or event.by in gate.by or expired


def _signal_awaited(state: State, event: SignalAwaited, time: int) -> State:
    queued = state.signals.get(event.signal) or ()
    if not queued:
        wait = Wait(event.key, event.signal, since=time)
        return _after(state, time, waits=state.waits.set(event.key, wait))
    return _after(
        state,
        time,
        received=state.received.set(event.key, queued[0]),
        signals=state.signals.set(event.signal, queued[1:]),
        resolved=(event.key,),
    )


def _signal_received(state: State, event: SignalReceived, time: int) -> State:
    """Hand the signal to the oldest wait for it, else keep it until somebody awaits it."""
    for wait in state.waits.values():
        if wait.signal == event.signal:
            received = state.received.set(wait.key, event.payload)
            waits = state.waits.delete(wait.key)
            return _after(state, time, waits=waits, received=received, resolved=(wait.key,))
    queued = (*(state.signals.get(event.signal) or ()), event.payload)
    return _after(state, time, signals=state.signals.set(event.signal, queued))


def _child(state: State, event: ChildStarted) -> Child:
    old = state.children.get(event.key)
    tree = (
        state.tree if old is None else old.tree
    )  # one that left with its parent began before that
    return Child(
        event.key,
        event.run,
        event.fingerprint,
        origin=event.origin,
        at=event.at,
        offset=state.offset,
        tree=tree,
        edits=(*within(state.edits, event.key),) if state.edits else (),
    )


def _child_finished(state: State, event: ChildFinished, time: int) -> State:
    old = state.children.get(event.key)
    if old is None:
        return _after(state, time, resolved=(event.key,))
    child = replace(
        old,
        status=event.status,
        output=event.output,
        error=event.error,
        last=state.offset,
    )
    return _after(
        touched_by_child(state, child),
        time,
        children=state.children.set(event.key, child),
        resolved=(event.key,),
    )


def _cancelled(state: State, event: StepCancelled, time: int) -> State:
    """Whatever had this key is no longer waited for: a step, a gate, a timer, a signal, a child."""
    old = state.steps.get(event.key)
    if old is not None:
        step = replace(old, status="cancelled", finished=time, ended=time, last=state.offset)
        state = touched(replace(state, steps=state.steps.set(event.key, step)), old, step)
    return _after(
        state,
        time,
        children=_changed(state.children, event.key, {"status": "cancelled"}),
        gates=state.gates.delete(event.key),
        timers=state.timers.delete(event.key),
        waits=state.waits.delete(event.key),
    )
