"""Whether the next attempt fits what a run may still use, and what to set aside for it: pure decisions.

Set aside is the step's own budget, or else the larger of what the run's budget says for each attempt and the most
that one of the same agent and model has used in this run. Until one has told that, one attempt at a
time has all that is left.
"""

from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import Budget, Failure, Reserved

from .amounts import Amount, amount_of
from .purse import GATE, limit_of, set_aside, used_by, with_more
from .requests import ChildRequest, StepRequest
from .roles import doer
from .state import Purse, State

LEAST_USD = 1e-9


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
            "budget": self.limit.told(),
            "used": self.used.told(),
            "wanted": self.wants.told() if self.wants.is_some else "an attempt of unknown cost",
        }


# --- deciding --------------------------------------------------------------------------------------


def afford(state: State, request: StepRequest) -> Reserved | Later | Reached | None:
    """Say what to set aside for the next attempt at a step; None where there is no budget for it."""
    if request.kind not in ("agent", "model"):
        return None
    wants = _estimate(state.purse, doer(request))
    if (own := request.policy.budget) is not None:
        gate, step = f"{request.key}{GATE}", state.steps.get(request.key)
        limit = with_more(own, state.purse.raised.get(gate))
        used = amount_of(step.usage if step else None)
        left = limit - used
        if _is_over(limit, left):
            return Reached(gate, used.limited_by(limit), limit, Amount())
        wants = _Wants(
            left.usd if limit.usd else wants.usd, left.tokens if limit.tokens else wants.tokens
        )
    return _of_run(state, wants)


def afford_child(state: State, request: ChildRequest) -> Reserved | Later | Reached | None:
    """Say what to set aside for a child run: its budget, or all that is left.

    What a retried one had is free again: it takes that one's place.
    """
    own, purse = request.budget or Budget(), state.purse
    purse = replace(purse, reserved=purse.reserved.delete(request.key))
    return _of_run(replace(state, purse=purse), _Wants(own.usd or None, own.tokens or None))


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
    if not _fits(limit, limit - used, wants):
        wanted = Amount(wants.usd or 0.0, wants.tokens or 0)
        return Reached(GATE, used.limited_by(limit), limit, wanted.limited_by(limit))
    aside = set_aside(state)
    now = limit - used - aside
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


def _is_over(limit: Amount, left: Amount) -> bool:
    return bool((limit.usd and left.usd <= LEAST_USD) or (limit.tokens and left.tokens <= 0))


def _fits(limit: Amount, left: Amount, wants: _Wants) -> bool:
    if _is_over(limit, left):
        return False
    dollars = not limit.usd or (wants.usd or 0.0) <= left.usd + LEAST_USD
    return dollars and (not limit.tokens or (wants.tokens or 0) <= left.tokens)
