"""What is asked of people and answered by them, and signals that meet those who wait for them."""

from msgspec.structs import replace

from holdfast.eventlog import (
    NONE,
    AnswerCarried,
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    GateEscalated,
    GateExpired,
    GateReminded,
    QuestionAnswered,
    QuestionAsked,
    SignalAwaited,
    SignalReceived,
)

from . import purse
from .durations import Length
from .folds import after
from .state import Gate, Queued, State, Vote, Wait
from .waits import next_to_get, with_wait, without_wait

NOBODY = "engine"
"""Who decides when nobody has decided in time."""

IN_TIME = "nobody decided in time"


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
        on_expire=event.on_expire,
        every=event.every,
        months=event.months,
        escalate_to=tuple(event.escalate_to),
        form=event.form,
    )


def question_of(state: State, event: QuestionAsked, time: int) -> Gate:
    """Return the gate that a question opens."""
    return Gate(
        event.key,
        "question",
        opened=time,
        offset=state.offset,
        subject=event.question,
        digest=event.digest,
        by=tuple(event.by),
        expires_at=event.expires_at,
        on_expire=event.on_expire,
        every=event.every,
        months=event.months,
        escalate_to=tuple(event.escalate_to),
        form=event.form,
    )


def answered(state: State, event: QuestionAnswered | AnswerCarried, time: int) -> State:
    """Take the first answer; later ones are void."""
    gate = state.gates.get(event.key)
    if gate is None or gate.decision is not None or gate.kind != "question":
        return after(state, time)
    if isinstance(event, AnswerCarried):
        given, origin = event.time, event.origin
    elif gate.may_decide(event.by):
        given, origin = time, ""
    else:
        return after(state, time)
    vote = Vote(event.by, True, event.note, event.answer, given)
    gate = replace(gate, votes=(vote,), decision=vote, last=state.offset, origin=origin)
    return after(state, time, gates=state.gates.set(event.key, gate), resolved=(event.key,))


def decided(state: State, event: ApprovalDecided, time: int) -> State:
    """Count a vote: one no decides, `count` different people's yes decide; later votes are void."""
    gate = state.gates.get(event.key)
    if gate is None or gate.decision is not None or gate.kind == "question":
        return after(state, time)
    if any(vote.by == event.by for vote in gate.votes) or not _may_decide(gate, event):
        return after(state, time)
    vote = Vote(event.by, event.approved, event.note, event.edits, time)
    votes = (*gate.votes, vote)
    decided = not event.approved or len(votes) >= gate.count
    gate = replace(gate, votes=votes, decision=vote if decided else None, last=state.offset)
    resolved = (event.key,) if decided and gate.kind == "approval" else ()
    raised = purse.raised(state, event) if gate.kind == "budget" else state.purse
    gates = state.gates.set(event.key, gate)
    return after(state, time, gates=gates, purse=raised, resolved=resolved)


def carried(state: State, event: ApprovalCarried, time: int) -> State:
    """Take over what was decided about the same subject in the history that a fork left."""
    gate = state.gates.get(event.key)
    if gate is None or gate.decision is not None or gate.kind == "question" or not event.ballots:
        return after(state, time)
    votes = tuple(Vote(b.by, b.approved, b.note, b.edits, b.time) for b in event.ballots)
    gate = replace(gate, votes=votes, decision=votes[-1], last=state.offset, origin=event.origin)
    return after(state, time, gates=state.gates.set(event.key, gate), resolved=(event.key,))


def _may_decide(gate: Gate, event: ApprovalDecided) -> bool:
    expired = event.by == NOBODY and not event.approved
    return gate.may_decide(event.by) or expired


def ran_out(state: State, event: GateReminded | GateEscalated | GateExpired, time: int) -> State:
    """Take in what became of a gate that nobody decided in time."""
    gate = state.gates.get(event.key)
    if gate is None or gate.decision is not None:
        return after(state, time)
    resolved: tuple[str, ...] = ()
    match event:
        case GateReminded(until=until):
            gate = replace(gate, expires_at=until, reminded=gate.reminded + 1)
        case GateEscalated(to=to, until=until):
            also = (*gate.also, *to)
            gate = replace(gate, expires_at=until, on_expire="deny", also=also)
        case GateExpired(key=key):
            nobody = Vote(NOBODY, False, IN_TIME, NONE, time)
            gate = replace(gate, decision=nobody, expired=True, last=state.offset)
            resolved = (key,)
    return after(state, time, gates=state.gates.set(event.key, gate), resolved=resolved)


def after_expiry(
    gate: Gate, now: int
) -> ApprovalDecided | GateReminded | GateEscalated | GateExpired:
    """Return what becomes of a gate whose time has run out."""
    match gate.on_expire:
        case "remind":
            return GateReminded(gate.key, _next(gate, now))
        case "escalate":
            return GateEscalated(gate.key, [*gate.escalate_to], _next(gate, now))
        case "deny" if gate.kind != "question":
            return ApprovalDecided(gate.key, False, NOBODY, IN_TIME)
        case _:
            return GateExpired(gate.key)


def _next(gate: Gate, now: int) -> int:
    """Return when a gate's time runs out once more."""
    return Length(gate.every, gate.months).after(now)


def signal_awaited(state: State, event: SignalAwaited, time: int) -> State:
    """Take the oldest signal that came before anybody awaited it, else wait."""
    queued = state.signals.get(event.signal) or ()
    for index, found in enumerate(queued):
        if found.correlation == event.correlation:
            rest = (*queued[:index], *queued[index + 1 :])
            return after(
                state,
                time,
                received=state.received.set(event.key, found.payload),
                signals=state.signals.set(event.signal, rest),
                resolved=(event.key,),
            )
    wait = Wait(event.key, event.signal, time, event.correlation)
    return after(with_wait(state, wait), time)


def signal_received(state: State, event: SignalReceived, time: int) -> State:
    """Hand the signal to the oldest wait for it, else keep it until somebody awaits it."""
    key = next_to_get(state, event.signal, event.correlation)
    if key is not None:
        received = state.received.set(key, event.payload)
        return after(without_wait(state, key), time, received=received, resolved=(key,))
    new = Queued(event.payload, event.correlation)
    queued = (*(state.signals.get(event.signal) or ()), new)
    return after(state, time, signals=state.signals.set(event.signal, queued))
