"""What to do about a request, given all that happened: pure decisions that the engine obeys."""

from typing import Literal

import msgspec

from holdfast.eventlog import AttemptFailed, Failure, Reserved, StepFailed, Usage

from .budget import Later, Reached, afford, denied
from .requests import Policy, StepRequest
from .roles import acting
from .state import ENDED, State, Step, leaves_open

LONGEST_BACKOFF = 300 * 1_000_000_000


class Reuse(msgspec.Struct, frozen=True):
    """It happened before and what it read stands: take the recorded result."""


class Start(msgspec.Struct, frozen=True):
    """Start attempt number `attempt`, not before `not_before` (ns since 1970; 0: at once).

    `reserved` is to be set aside for it.
    """

    attempt: int
    not_before: int = 0
    reserved: Reserved | None = None


class Hold(msgspec.Struct, frozen=True):
    """Wait for a person at a gate with the step's key; `open` when it must be opened first.

    A budget that is `reached` has a gate of its own.
    """

    reason: Literal["doubt", "effect", "budget"]
    open: bool
    reached: Reached | None = None


class Fail(msgspec.Struct, frozen=True):
    """Record the step as failed without trying again."""

    failure: Failure


class Diverge(msgspec.Struct, frozen=True):
    """The step's record was made of something else than what is asked for now."""

    recorded: Step


Decision = Reuse | Start | Hold | Later | Fail | Diverge


def decide(
    state: State, request: StepRequest, fingerprint: bytes, *, happened: bool = False
) -> Decision:
    """Decide what to do about a step that has no task at work in this process.

    `happened` says that the step was started in the history that a fork left.
    """
    decision = _decide(state, request, fingerprint, happened=happened)
    if isinstance(decision, Start) and (state.purse.budget or request.policy.budget):
        return _within_budget(state, request, decision)
    return decision


def _within_budget(state: State, request: StepRequest, start: Start) -> Decision:
    """Start what fits the budgets; else wait for what is at work, or for a person."""
    step = state.steps.get(request.key)
    found = afford(state, acting(request, step.place if step else 0))
    match found:
        case Reached(gate=key):
            if (failure := denied(state, key)) is not None:
                return Fail(failure)
            gate = state.gates.get(key)
            return Hold("budget", open=gate is None or gate.decision is not None, reached=found)
        case Later():
            return found
        case _:
            return Start(start.attempt, start.not_before, found)


def _decide(state: State, request: StepRequest, fingerprint: bytes, *, happened: bool) -> Decision:
    step = state.steps.get(request.key)
    if step is not None and step.fingerprint != fingerprint and not leaves_open(state, step.key):
        return Diverge(step)
    if request.policy.effect and state.effects and _is_left(state, step):
        held = _held(state, request.key, step, happened=happened)
        if held is not None:
            return held
    if step is None:
        return Start(1)
    match step.status:
        case "succeeded" | "failed":
            return Reuse()
        case "retrying" | "deferred":
            return Start(step.attempt + 1, step.not_before)
        case "running" if request.policy.effect and request.policy.on_doubt == "ask":
            return Hold("doubt", open=True)
        case "doubt":
            return _after_doubt(state, step)
        case _:
            return Start(step.attempt + 1)


def _is_left(state: State, step: Step | None) -> bool:
    """Tell whether a step has not begun since the fork."""
    return step is None or (step.begun < state.base and step.status not in ENDED)


def _held(state: State, key: str, step: Step | None, *, happened: bool) -> Decision | None:
    """Hold an effect that a fork has not begun until a person has said that it may happen.

    To try one again is such a word, but not where a person had refused it: that is for a person to take back.
    """
    gate = state.gates.get(key)
    if gate is None or gate.offset < state.base:
        known = happened or step is not None
        retried = state.forked is not None and key in state.forked.retried
        refused = gate is not None and gate.decision is not None and not gate.decision.approved
        free = (retried and not refused) or (state.effects == "repeat" and not known)
        return None if free else Hold("effect", open=True)
    if gate.decision is None:
        return Hold("effect", open=False)
    if gate.decision.approved:
        return Start(step.attempt + 1, step.not_before) if step else Start(1)
    why = gate.decision.note or "it was not to happen in this fork"
    return Fail(Failure("effect_denied", f"{gate.decision.by} decided: {why}"))


def _after_doubt(state: State, step: Step) -> Decision:
    gate = state.gates.get(step.key)
    if gate is None or gate.decision is None:
        return Hold("doubt", open=gate is None)
    if gate.decision.approved:
        return Start(step.attempt + 1)
    why = gate.decision.note or "its outcome is unknown and it was not to be repeated"
    return Fail(Failure("effect_in_doubt", f"{gate.decision.by} decided: {why}"))


def after_failure(
    step: Step,
    policy: Policy,
    failure: Failure,
    *,
    now: int,
    seconds: float,
    usage: Usage | None = None,
    session: str = "",
    hopeless: bool = False,
) -> AttemptFailed | StepFailed:
    """Return the event for a failed attempt: another will follow, or it was the last.

    `hopeless` says that trying again cannot help. Times in ns, `seconds` of this attempt.
    """
    failures = step.failures + 1
    invalid = failure.code == "output_invalid"
    allowed = max(policy.retries, policy.reasks) if invalid else policy.retries
    if failures > allowed or hopeless:
        return StepFailed(
            step.key, failure, step.attempt, seconds=seconds, usage=usage, session=session
        )
    wait = 0 if invalid else min(policy.backoff * 2 ** (failures - 1), LONGEST_BACKOFF)
    return AttemptFailed(
        step.key,
        failure,
        step.attempt,
        retry_at=now + wait,
        seconds=seconds,
        usage=usage,
        session=session,
    )
