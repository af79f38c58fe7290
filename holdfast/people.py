"""Whether a person's word on a gate counts: which gate is meant, whose it is, and whether it is open. Pure."""

from collections.abc import Sequence

from holdfast.eventlog import Event
from holdfast.reducer import ENDED, NOBODY, Gate, State, after_expiry, reduce

from .errors import (
    GateAmbiguous,
    GateClosed,
    GateOverdue,
    NameReserved,
    NoSuchGate,
    NotAllowed,
    NotAnApproval,
    NotAQuestion,
    RunCancelling,
    RunEnded,
)


def open_gate(
    state: State, name: str | None, who: str, done: str, now: int, kind: str = ""
) -> tuple[Gate, Sequence[Event]]:
    """Return the gate that a person may decide, and what has to be recorded before their word.

    Raises RunEnded, RunCancelling, NoSuchGate, GateAmbiguous, GateClosed, GateOverdue, NotAllowed and
    NameReserved, NotAnApproval, NotAQuestion. `done` is what they want: "approved", "denied", "answered".
    With a `kind` it is one of that kind.
    """
    if not who.strip() or who == NOBODY:
        raise NameReserved(who)
    if state.status in ENDED:
        raise RunEnded(state.run, state.status, done)
    gate = _named(state, name, done, kind)
    if not (gate.expires_at and gate.expires_at <= now):
        return _allowed(gate, who), ()
    overdue = after_expiry(gate, now)
    gate = reduce(state, overdue, now).gates[gate.key]
    if gate.decision is not None:
        raise GateOverdue(state.run, gate.key)
    return _allowed(gate, who), [overdue]


def _allowed(gate: Gate, who: str) -> Gate:
    if not gate.may_decide(who):
        raise NotAllowed(gate.key, who, [*gate.by, *gate.also])
    return gate


def _named(state: State, name: str | None, done: str, kind: str) -> Gate:
    gates = [gate for gate in state.open_gates if kind in ("", gate.kind)]
    answers = done == "answered"
    found = gates if name is None else _called(gates, name)
    fitting = [gate for gate in found if (gate.kind == "question") == answers]
    if len(fitting) > 1:
        verb = {"approved": "approve", "denied": "deny"}.get(done, "answer")
        raise GateAmbiguous(state.run, [gate.key for gate in fitting], verb)
    if fitting:
        return fitting[0]
    if found:
        raise (NotAQuestion if answers else NotAnApproval)(state.run, found[0].key)
    if name is not None:
        _refuse_closed(state, name)
    if state.cancelling is not None:
        raise RunCancelling(state.run, done)
    raise NoSuchGate(state.run, name, [gate.key for gate in gates])


def _called(gates: Sequence[Gate], name: str) -> list[Gate]:
    """Return the gates of this name; one without its scope will do, and "budget" for that of a budget."""
    exactly = [gate for gate in gates if gate.key == name]
    found = exactly or [gate for gate in gates if gate.key.rpartition("/")[2] == name]
    return found or [gate for gate in gates if gate.kind == name == "budget"]


def _refuse_closed(state: State, name: str) -> None:
    for gate in _called([gate for gate in state.gates.values() if gate.decision], name):
        assert gate.decision is not None, "only those were asked for"
        raise GateClosed(state.run, gate.key, gate.kind, gate.decision.by, gate.decision.approved)
