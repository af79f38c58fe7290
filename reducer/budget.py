"""What a run may still use: how its budget is reserved before an attempt and settled after it. Pure.

An attempt that never told what it used (it was cut short, or its agent does not say) counts with what
was set aside for it. That is the step's own budget, what the run's budget says for each attempt, or the
most that an attempt of the same agent and model has used in this run. Until one has told that, one
attempt at a time has all that is left, and counts as nothing where it is lost.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import (
    ApprovalDecided,
    Budget,
    ChildFinished,
    ChildStarted,
    Failure,
    Reserved,
    RunForked,
    Usage,
)

from .pmap import PMap
from .requests import ChildRequest, StepRequest
from .roles import doer
from .state import Amount, Purse, State, Step

GATE = "[budget]"
"""The key of the gate at which a run's budget is decided; behind a step's key, that of its own."""

LEAST_USD = 1e-9

FREE = frozenset(
    {
        "bad_options", "command_too_long", "missing_binary", "missing_folder", "not_logged_in", "plugin",
        "rate_limited", "session_lost", "unknown_agent", "unknown_model",
    }
)  # fmt: skip
"""Failures of attempts that never got so far as to use anything."""


class Later(msgspec.Struct, frozen=True):
    """It fits once something at work has used less than was set aside for it."""


class Reached(msgspec.Struct, frozen=True):
    """It does not fit: a gate decides. `used` and `limit` are those of the budget, `wants` of the attempt."""

    gate: str
    used: Amount
    limit: Amount
    wants: Amount

    def told(self) -> dict[str, str]:
        """Return the figures in words."""
        return {
            "budget": _told(self.limit),
            "used": _told(self.used),
            "wanted": _told(self.wants) if _is_some(self.wants) else "an attempt of unknown cost",
        }


# --- deciding --------------------------------------------------------------------------------------


def afford(state: State, request: StepRequest) -> Reserved | Later | Reached | None:
    """Say what to set aside for the next attempt at a step; None where there is no budget for it."""
    if request.kind not in ("agent", "model"):
        return None
    wants = _estimate(state.purse, doer(request))
    if (own := request.policy.budget) is not None:
        gate, step = f"{request.key}{GATE}", state.steps.get(request.key)
        limit = _limit(own, state.purse.raised.get(gate))
        used = amount_of(step.usage if step else None)
        left = _left(limit, used)
        if _is_over(limit, left):
            return Reached(gate, _as(limit, used), limit, Amount())
        wants = _Wants(
            left.usd if limit.usd else wants.usd, left.tokens if limit.tokens else wants.tokens
        )
    return _of_run(state, wants)


def afford_child(state: State, request: ChildRequest) -> Reserved | Later | Reached | None:
    """Say what to set aside for a child run: its budget, or all that is left."""
    own = request.budget or Budget()
    return _of_run(state, _Wants(own.usd or None, own.tokens or None))


class _Wants(NamedTuple):
    """What something may use, as far as that is known; None: all that is left."""

    usd: float | None
    tokens: int | None


def _estimate(purse: Purse, by: str) -> _Wants:
    """Return what an attempt may use: what the budget says of each, or the most that one has used."""
    each, most = purse.budget or Budget(), purse.highest.get(by)
    if most is None:
        return _Wants(each.each_usd or None, each.each_tokens or None)
    return _Wants(max(each.each_usd, most.usd), max(each.each_tokens, most.tokens))


def _of_run(state: State, wants: _Wants) -> Reserved | Later | Reached | None:
    """Set aside of the run's budget what something wants."""
    purse = state.purse
    if purse.budget is None:
        return None
    limit, used = limit_of(state), used_by(state)
    if not _fits(limit, _left(limit, used), wants):
        wanted = Amount(wants.usd or 0.0, wants.tokens or 0)
        return Reached(GATE, _as(limit, used), limit, _as(limit, wanted))
    aside = _total(Amount(one.usd, one.tokens) for one in purse.reserved.values())
    now = _left(limit, _sum(used, aside))
    if not _fits(limit, now, wants):
        return Later()
    usd = 0.0 if not limit.usd else now.usd if wants.usd is None else wants.usd
    tokens = 0 if not limit.tokens else now.tokens if wants.tokens is None else wants.tokens
    guessed = bool(limit.usd and wants.usd is None) or bool(limit.tokens and wants.tokens is None)
    return Reserved(usd, tokens, guessed)


def denied(state: State, gate: str) -> Failure | None:
    """Return why a step fails whose gate was denied."""
    vote = state.gates[gate].decision if gate in state.gates else None
    if vote is None or vote.approved:
        return None
    why = vote.note or "no more is to be used"
    return Failure("budget_exceeded", f"the budget is reached, and {vote.by} decided: {why}")


def limit_of(state: State) -> Amount:
    """Return a run's budget, with what people have added; 0: any amount."""
    budget = state.purse.budget
    return Amount() if budget is None else _limit(budget, state.purse.raised.get(GATE))


def used_by(state: State) -> Amount:
    """Return what counts as used of a run's budget."""
    purse = state.purse
    told = _sum(_sum(amount_of(state.usage), purse.below), purse.lost)
    for by, count in purse.untold.items():
        each = purse.highest.get(by) or Amount()
        told = _sum(told, Amount(each.usd * count, each.tokens * count))
    return _left(told, purse.base)


def spent_below(state: State) -> Usage | None:
    """Return what a run used with its children, as its parent counts it; None for nothing."""
    used = used_by(state)
    if not _is_some(used):
        return None
    return Usage(input_tokens=max(0, used.tokens), cost_usd=max(0.0, used.usd))


def amount_of(usage: Usage | None) -> Amount:
    """Return the dollars of a usage, and its tokens."""
    if usage is None:
        return Amount()
    return Amount(usage.cost_usd, usage.input_tokens + usage.output_tokens)


def _limit(budget: Budget, raised: Amount | None) -> Amount:
    more = raised or Amount()
    return Amount(
        budget.usd + more.usd if budget.usd else 0.0,
        budget.tokens + more.tokens if budget.tokens else 0,
    )


def _as(limit: Amount, amount: Amount) -> Amount:
    """Return of an amount what there is a limit for."""
    return Amount(amount.usd if limit.usd else 0.0, amount.tokens if limit.tokens else 0)


def _is_over(limit: Amount, left: Amount) -> bool:
    return bool((limit.usd and left.usd <= LEAST_USD) or (limit.tokens and left.tokens <= 0))


def _fits(limit: Amount, left: Amount, wants: _Wants) -> bool:
    if _is_over(limit, left):
        return False
    dollars = not limit.usd or (wants.usd or 0.0) <= left.usd + LEAST_USD
    return dollars and (not limit.tokens or (wants.tokens or 0) <= left.tokens)


# --- folding ---------------------------------------------------------------------------------------


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
    if aside is None or not _is_some(used):
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
        return replace(purse, lost=_sum(purse.lost, Amount(old.usd, old.tokens)))
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
    below = _sum(state.purse.below, amount_of(event.usage))
    return replace(state.purse, below=below, reserved=state.purse.reserved.delete(event.key))


def raised(state: State, event: ApprovalDecided) -> Purse:
    """Add what a person granted; without a figure it is as much again as the budget was."""
    if not event.approved:
        return state.purse
    more = _granted(event)
    if not _is_some(more):
        gate = state.gates.get(event.key)
        more = Amount() if gate is None else gate.limit
    all_of_it = _sum(state.purse.raised.get(event.key) or Amount(), more)
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
    told = _sum(amount_of(state.usage), purse.below)
    return replace(purse, base=told, lost=Amount(), untold=PMap(), raised=PMap())


def _granted(event: ApprovalDecided) -> Amount:
    edits: Any = None
    if bytes(event.edits):
        edits = msgspec.msgpack.decode(event.edits)
    given = cast(dict[object, Any], edits) if isinstance(edits, dict) else {}
    usd, tokens = given.get("usd", 0), given.get("tokens", 0)
    is_good = isinstance(usd, int | float) and 0 <= usd < float("inf")
    return Amount(float(usd) if is_good else 0.0, tokens if isinstance(tokens, int) else 0)


def _sum(one: Amount, other: Amount) -> Amount:
    return Amount(one.usd + other.usd, one.tokens + other.tokens)


def _left(of: Amount, used: Amount) -> Amount:
    return Amount(of.usd - used.usd, of.tokens - used.tokens)


def _total(amounts: Iterable[Amount]) -> Amount:
    found = Amount()
    for each in amounts:
        found = _sum(found, each)
    return found


def _is_some(amount: Amount) -> bool:
    return amount.usd > 0 or amount.tokens > 0


def _told(amount: Amount) -> str:
    parts = [f"${amount.usd:.4g}"] if amount.usd else []
    parts += [f"{amount.tokens} tokens"] if amount.tokens else []
    return ", ".join(parts) or "nothing"
