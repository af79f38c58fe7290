"""Who goes on with a step where the one at work cannot: a pure choice among those it may be given to."""

from collections.abc import Mapping

from msgspec.structs import replace

from holdfast.eventlog import AttemptFailed, Failure, FellBack, StepFailed

from .requests import StepRequest
from .roles import choices
from .state import NEVER, Step

PATIENCE = 60 * 1_000_000_000
"""A limit that ends within this time (ns) is waited for; for a longer one another goes on."""

NOBODY_S_FAULT = frozenset({"missing_folder", "still_running"})
"""Failures with which anybody would meet."""


def after_limit(step: Step, request: StepRequest, until: int, *, now: int) -> FellBack | None:
    """Return who goes on with a step whose agent or model is limited until a moment (ns)."""
    if until - now <= PATIENCE:
        return None
    return _next(step, request, "rate_limited", until=until, now=now)


def after_end(
    step: Step, request: StepRequest, event: StepFailed, *, now: int
) -> tuple[AttemptFailed, FellBack] | StepFailed:
    """Return who goes on with a step that failed for good, or the failure, with all that was tried."""
    code = event.error.code
    moved = None if code in NOBODY_S_FAULT else _next(step, request, code, until=0, now=now)
    if moved is None:
        return replace(event, error=_with_others(step, event.error)) if step.left else event
    failed = AttemptFailed(
        event.key,
        event.error,
        event.attempt,
        retry_at=max(now, moved.not_before),
        seconds=event.seconds,
        usage=event.usage,
        session=event.session,
        transcript=event.transcript,
        snapshot=event.snapshot,
    )
    return failed, moved


def _next(
    step: Step, request: StepRequest, reason: str, *, until: int, now: int
) -> FellBack | None:
    """Return the first that may be asked now, else the one that may be asked first; None: it goes on."""
    names = [choice.name for choice in choices(request)]
    here = step.place if step.place < len(names) else 0
    closed = {one.place: one.until for one in step.left} | {here: until or NEVER}
    place = _place(len(names), closed, now)
    if place is None or place == here:
        return None
    not_before = closed.get(place, 0)
    return FellBack(step.key, place, names[place], names[here], reason, until, max(not_before, 0))


def _place(count: int, closed: Mapping[int, int], now: int) -> int | None:
    for place in range(count):
        if closed.get(place, 0) <= now:
            return place
    limited = {place: time for place, time in closed.items() if place < count and time < NEVER}
    return min(limited, key=lambda place: (limited[place], place)) if limited else None


def _with_others(step: Step, error: Failure) -> Failure:
    """Say as well why those that were asked before could not."""
    before = ", ".join(f"{one.by} ({one.reason})" for one in step.left)
    message = f"{error.message} Before that it was left by: {before}."
    return replace(error, message=message)
