"""What a run's budget knows: set aside for what is at work, settled when that has told what it used.

An attempt that never told (it was cut short, or its agent does not say) counts with what was set aside
for it. Where that was a guess it counts with the most that one of its kind has used, or with nothing
while that is not known.
"""

from typing import Any, cast

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import (
    ApprovalDecided,
    Budget,
    ChildFinished,
    ChildStarted,
    Reserved,
    RunForked,
    Usage,
)

from .amounts import Amount, amount_of
from .pmap import PMap
from .state import Purse, State, Step

GATE = "[budget]"
"""The key of the gate at which a run's budget is decided; behind a step's key, that of its own."""

FREE = frozenset(
    {
        "bad_options", "command_too_long", "missing_binary", "missing_folder", "not_logged_in", "plugin",
        "rate_limited", "session_lost", "unknown_agent", "unknown_model",
    }
)  # fmt: skip
"""Failures of attempts that never got so far as to use anything."""


# --- reading ---------------------------------------------------------------------------------------


def limit_of(state: State) -> Amount:
    """Return a run's budget, with what people have added; 0: any amount."""
    budget = state.purse.budget
    return Amount() if budget is None else with_more(budget, state.purse.raised.get(GATE))


def used_by(state: State) -> Amount:
    """Return what counts as used of a run's budget."""
    purse = state.purse
    told = amount_of(state.usage) + purse.below + purse.lost
    for by, count in purse.untold.items():
        each = purse.highest.get(by) or Amount()
        told = told + each.times(count)
    return told - purse.base


def spent_below(state: State) -> Usage | None:
    """Return what a run used with its children, as its parent counts it; None for nothing."""
    used = used_by(state)
    if not used.is_some:
        return None
    return Usage(input_tokens=max(0, used.tokens), cost_usd=max(0.0, used.usd))


def with_more(budget: Budget, raised: Amount | None) -> Amount:
    """Return a budget with what people have added to it; 0: any amount."""
    more = raised or Amount()
    return Amount(
        budget.usd + more.usd if budget.usd else 0.0,
        budget.tokens + more.tokens if budget.tokens else 0,
    )


def carried_on(state: State) -> Budget | None:
    """Return the budget of the history in which a run goes on: the same, with what people have added."""
    if state.purse.budget is None:
        return None
    limit, used = limit_of(state), used_by(state)
    return replace(
        state.purse.budget,
        usd=limit.usd,
        tokens=limit.tokens,
        used_usd=used.usd,
        used_tokens=used.tokens,
    )


def set_aside(state: State) -> Amount:
    """Return what is set aside for all that is at work."""
    found = Amount()
    for one in state.purse.reserved.values():
        found += Amount(one.usd, one.tokens)
    return found


# --- folding ---------------------------------------------------------------------------------------


def begun(state: State, budget: Budget | None) -> Purse:
    """Begin with a budget, of which the histories before may have used some."""
    used = Amount() if budget is None else Amount(budget.used_usd, budget.used_tokens)
    return replace(state.purse, budget=budget, below=used)


def reserved(state: State, key: str, what: Reserved | None) -> Purse:
    """Set aside what is at work now; what it replaces was never told."""
    purse = given_up(state, key)
    return purse if what is None else replace(purse, reserved=purse.reserved.set(key, what))


def settled(state: State, step: Step, usage: Usage | None, code: str = "") -> Purse:
    """Let go of what was set aside for an attempt, once it has told what it used."""
    purse = state.purse
    if purse.budget is None:
        return purse
    if usage is None:
        if code not in FREE:
            return given_up(state, step.key)
        usage = Usage()
    elif step.by:
        used = amount_of(usage)
        most = purse.highest.get(step.by) or Amount()
        most = Amount(max(most.usd, used.usd), max(most.tokens, used.tokens))
        purse = replace(purse, highest=purse.highest.set(step.by, most))
    return replace(purse, reserved=purse.reserved.delete(step.key))


def paid(state: State, key: str, usage: Usage | None) -> Purse:
    """Set less aside for an attempt that has told a part of what it uses: that part counts already."""
    purse = state.purse
    aside, used = purse.reserved.get(key), amount_of(usage)
    if aside is None or not used.is_some:
        return purse
    rest = Reserved(
        max(0.0, aside.usd - used.usd), max(0, aside.tokens - used.tokens), aside.guessed
    )
    return replace(purse, reserved=purse.reserved.set(key, rest))


def given_up(state: State, key: str) -> Purse:
    """Count what was set aside for something as used, for nobody will tell."""
    purse = state.purse
    old = purse.reserved.get(key)
    if old is None:
        return purse
    purse = replace(purse, reserved=purse.reserved.delete(key))
    if not old.guessed:
        return replace(purse, lost=purse.lost + Amount(old.usd, old.tokens))
    step = state.steps.get(key)
    if step is None or not step.by:
        return purse
    return replace(purse, untold=purse.untold.set(step.by, (purse.untold.get(step.by) or 0) + 1))


def reserved_child(state: State, event: ChildStarted) -> Purse:
    """Set aside a child's budget; that of one which it takes the place of is free again."""
    purse = state.purse
    if event.reserved is None:
        return purse
    return replace(purse, reserved=purse.reserved.set(event.key, event.reserved))


def claimed(state: State) -> Purse:
    """Give up what the attempts of an owner before had: they are dead. Children go on by themselves."""
    purse = state.purse
    for key in [*purse.reserved]:
        if key in state.steps:
            purse = given_up(replace(state, purse=purse), key)
    return purse


def settled_child(state: State, event: ChildFinished) -> Purse:
    """Let go of what was set aside for a child, and count what it used."""
    below = state.purse.below + amount_of(event.usage)
    return replace(state.purse, below=below, reserved=state.purse.reserved.delete(event.key))


def raised(state: State, event: ApprovalDecided) -> Purse:
    """Add what a person granted; without a figure it is as much again as the budget was."""
    if not event.approved:
        return state.purse
    more = _granted(event)
    if not more.is_some:
        gate = state.gates.get(event.key)
        more = Amount() if gate is None else gate.limit
    all_of_it = (state.purse.raised.get(event.key) or Amount()) + more
    return replace(state.purse, raised=state.purse.raised.set(event.key, all_of_it))


def left(state: State, event: RunForked) -> Purse:
    """Leave a history: a fork counts what it uses itself; what was at work there is told there."""
    purse = state.purse
    if purse.budget is None:
        return purse
    if event.reason in ("retry", "accept"):
        return purse
    purse = replace(purse, reserved=PMap())
    if event.reason == "rewind":
        return purse
    told = amount_of(state.usage) + purse.below
    return replace(purse, base=told, lost=Amount(), untold=PMap(), raised=PMap())


def _granted(event: ApprovalDecided) -> Amount:
    edits: Any = None
    if bytes(event.edits):
        edits = msgspec.msgpack.decode(event.edits)
    given = cast(dict[object, Any], edits) if isinstance(edits, dict) else {}
    usd, tokens = given.get("usd", 0), given.get("tokens", 0)
    is_good = isinstance(usd, int | float) and 0 <= usd < float("inf")
    return Amount(float(usd) if is_good else 0.0, tokens if isinstance(tokens, int) else 0)
