"""What one event changed in a run, in words: for who steps through a history."""

import msgspec

from holdfast.eventlog import AnyEvent

from .state import Gate, State


class FrameChange(msgspec.Struct, frozen=True):
    """`what` is "run", "step", "gate", "timer", "signal" or "child". Empty is what was, or is, not there."""

    what: str
    key: str
    before: str
    after: str


def frame_changes(before: State, after: State, event: AnyEvent) -> list[FrameChange]:
    """Return what the event did to the run, and to that which has one of the keys it is about."""
    keys = list(dict.fromkeys([*about(event), *after.resolved]))
    found = [FrameChange("run", "", before.status if before.offset else "", after.status)]
    found += [each for key in keys for each in _at_key(before, after, key)]
    return [change for change in found if change.before != change.after]


def about(event: AnyEvent) -> list[str]:
    """Return the key that an event is about, if there is one; a signal's name for a signal."""
    named = getattr(event, "key", "") or getattr(event, "signal", "")
    return [str(named)] if named else []


def _at_key(before: State, after: State, key: str) -> list[FrameChange]:
    return [
        FrameChange("step", key, _step(before, key), _step(after, key)),
        FrameChange("gate", key, _gate(before.gates.get(key)), _gate(after.gates.get(key))),
        FrameChange("timer", key, _set(key in before.timers), _set(key in after.timers)),
        FrameChange("signal", key, _signal(before, key), _signal(after, key)),
        FrameChange("child", key, _child(before, key), _child(after, key)),
    ]


def _step(state: State, key: str) -> str:
    step = state.steps.get(key)
    if step is None:
        return ""
    more = [f"attempt {step.attempt}"] if step.attempt > 1 else []
    more += [f"choice {step.place + 1}"] if step.place else []
    return f"{step.status} ({', '.join(more)})" if more else step.status


def _gate(gate: Gate | None) -> str:
    if gate is None:
        return ""
    if (vote := gate.decision) is not None:
        if gate.kind == "question":
            return "expired" if gate.expired else f"answered by {vote.by}"
        return f"{'approved' if vote.approved else 'denied'} by {vote.by}"
    return f"open ({len(gate.votes)} of {gate.count} votes)" if gate.votes else "open"


def _set(is_set: bool) -> str:
    return "set" if is_set else ""


def _signal(state: State, key: str) -> str:
    if key in state.waits:
        return "awaited"
    return "received" if key in state.received else ""


def _child(state: State, key: str) -> str:
    child = state.children.get(key)
    return "" if child is None else child.status
