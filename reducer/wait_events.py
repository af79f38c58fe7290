"""What is asked of people and answered by them, and signals that meet those who wait for them."""

from msgspec.structs import replace

from holdfast.eventlog import (
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    SignalAwaited,
    SignalReceived,
)

from . import budget
from .folds import after
from .state import Gate, State, Vote, Wait


def gate_of(state: State, event: ApprovalRequested, time: int) -> Gate:
    """Return the gate that a request opens."""
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


def decided(state: State, event: ApprovalDecided, time: int) -> State:
    """Count a vote: one no decides, `count` different people's yes decide; later votes are void."""
    gate = state.gates.get(event.key)
    if gate is None or gate.decision is not None:
        return after(state, time)
    if any(vote.by == event.by for vote in gate.votes) or not _may_decide(gate, event):
        return after(state, time)
    vote = Vote(event.by, event.approved, event.note, event.edits, time)
    votes = (*gate.votes, vote)
    decided = not event.approved or len(votes) >= gate.count
    gate = replace(gate, votes=votes, decision=vote if decided else None, last=state.offset)
    resolved = (event.key,) if decided and gate.kind == "approval" else ()
    purse = budget.raised(state, event) if gate.kind == "budget" else state.purse
    gates = state.gates.set(event.key, gate)
    return after(state, time, gates=gates, purse=purse, resolved=resolved)


def carried(state: State, event: ApprovalCarried, time: int) -> State:
    """Take over what was decided about the same subject in the history that a fork left."""
    gate = state.gates.get(event.key)
    if gate is None or gate.decision is not None or not event.ballots:
        return after(state, time)
    votes = tuple(Vote(b.by, b.approved, b.note, b.edits, b.time) for b in event.ballots)
    gate = replace(gate, votes=votes, decision=votes[-1], last=state.offset, origin=event.origin)
    return after(state, time, gates=state.gates.set(event.key, gate), resolved=(event.key,))


def _may_decide(gate: Gate, event: ApprovalDecided) -> bool:
    expired = event.by == "engine" and not event.approved
    return not gate.by or event.by in gate.by or expired


def signal_awaited(state: State, event: SignalAwaited, time: int) -> State:
    """Take the oldest signal that came before anybody awaited it, else wait."""
    queued = state.signals.get(event.signal) or ()
    if not queued:
        wait = Wait(event.key, event.signal, since=time)
        return after(state, time, waits=state.waits.set(event.key, wait))
    return after(
        state,
        time,
        received=state.received.set(event.key, queued[0]),
        signals=state.signals.set(event.signal, queued[1:]),
        resolved=(event.key,),
    )


def signal_received(state: State, event: SignalReceived, time: int) -> State:
    """Hand the signal to the oldest wait for it, else keep it until somebody awaits it."""
    for wait in state.waits.values():
        if wait.signal == event.signal:
            received = state.received.set(wait.key, event.payload)
            waits = state.waits.delete(wait.key)
            return after(state, time, waits=waits, received=received, resolved=(wait.key,))
    queued = (*(state.signals.get(event.signal) or ()), event.payload)
    return after(state, time, signals=state.signals.set(event.signal, queued))
