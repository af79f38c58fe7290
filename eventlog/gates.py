"""Which gates are open, as listings need to know: kept up to date event by event. Pure.

The reducer knows more of each gate; both must agree on which are open, and a test holds them to it.
"""

import msgspec
from msgspec.structs import replace

from .events import (
    AnswerCarried,
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    BudgetReached,
    DoubtRaised,
    EffectHeld,
    Event,
    GateEscalated,
    GateExpired,
    GateReminded,
    QuestionAnswered,
    QuestionAsked,
    StepCancelled,
    UnknownEvent,
)


class OpenGate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A gate that waits for people. The event at `offset` opened it, at the time `opened`.

    `by` may decide, `also` since it was escalated; nobody named means anybody. `approved` have said yes,
    of `count` who are needed.
    """

    key: str
    kind: str
    opened: int
    offset: int
    by: list[str] = []
    count: int = 1
    expires_at: int = 0
    also: list[str] = []
    approved: list[str] = []


Gates = dict[str, OpenGate]

CHANGING: frozenset[type[Event]] = frozenset(
    {
        ApprovalRequested,
        ApprovalDecided,
        ApprovalCarried,
        QuestionAsked,
        QuestionAnswered,
        AnswerCarried,
        BudgetReached,
        DoubtRaised,
        EffectHeld,
        GateReminded,
        GateEscalated,
        GateExpired,
        StepCancelled,
    }
)
"""The only event types that `advance` answers with other gates."""


def advance(gates: Gates, event: Event | UnknownEvent, time: int, offset: int) -> Gates:
    """Return the open gates after one more event: the same object when nothing changed."""
    if (opened := _opened(event, time, offset)) is not None:
        return {**gates, opened.key: opened}
    gate = gates.get(getattr(event, "key", ""))
    if gate is None:
        return gates
    match event:
        case ApprovalDecided() if gate.kind != "question":
            return _decided(gates, gate, event)
        case QuestionAnswered(by=by) if gate.kind == "question" and _may_decide(gate, by):
            return _without(gates, gate)
        case ApprovalCarried(ballots=[_, *_]) if gate.kind != "question":
            return _without(gates, gate)
        case AnswerCarried() if gate.kind == "question":
            return _without(gates, gate)
        case GateExpired() | StepCancelled():
            return _without(gates, gate)
        case GateReminded(until=until):
            return {**gates, gate.key: replace(gate, expires_at=until)}
        case GateEscalated(to=to, until=until):
            return {**gates, gate.key: replace(gate, expires_at=until, also=[*gate.also, *to])}
        case _:
            return gates


def left(gates: Gates, shift: int) -> Gates:
    """Return a fork's gates: those that expire do so `shift` later, and it has a budget of its own."""
    return {
        key: replace(gate, expires_at=gate.expires_at + shift) if gate.expires_at else gate
        for key, gate in gates.items()
        if gate.kind != "budget"
    }


def _opened(event: Event | UnknownEvent, time: int, offset: int) -> OpenGate | None:
    match event:
        case ApprovalRequested(key=key, by=by, count=count, expires_at=expires_at):
            return OpenGate(key, "approval", time, offset, by, count, expires_at)
        case QuestionAsked(key=key, by=by, expires_at=expires_at):
            return OpenGate(key, "question", time, offset, by, 1, expires_at)
        case DoubtRaised(key=key):
            return OpenGate(key, "doubt", time, offset)
        case BudgetReached(key=key):
            return OpenGate(key, "budget", time, offset)
        case EffectHeld(key=key):
            return OpenGate(key, "effect", time, offset)
        case _:
            return None


def _decided(gates: Gates, gate: OpenGate, event: ApprovalDecided) -> Gates:
    """Count a vote: one no decides, `count` different people's yes decide."""
    expired = event.by == "engine" and not event.approved
    if event.by in gate.approved or not (_may_decide(gate, event.by) or expired):
        return gates
    approved = [*gate.approved, event.by]
    if event.approved and len(approved) < gate.count:
        return {**gates, gate.key: replace(gate, approved=approved)}
    return _without(gates, gate)


def _may_decide(gate: OpenGate, who: str) -> bool:
    return not gate.by or who in gate.by or who in gate.also


def _without(gates: Gates, gate: OpenGate) -> Gates:
    return {key: other for key, other in gates.items() if key != gate.key}
