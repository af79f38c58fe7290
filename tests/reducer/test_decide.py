"""What the engine has to do about a request, and about a failed attempt."""

from typing import Any

import msgspec
import pytest

from holdfast.eventlog import (
    AnyEvent,
    ApprovalDecided,
    AttemptFailed,
    DoubtRaised,
    Failure,
    Record,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepStarted,
    StepSucceeded,
    Usage,
)
from holdfast.reducer import (
    Diverge,
    Fail,
    FunctionCall,
    Hold,
    Policy,
    Reuse,
    Start,
    State,
    StepDecision,
    StepRequest,
    after_failure,
    decide,
    replay,
)
from tests.support.player import SECOND, work

WHY = Failure("test", "no luck")
INVALID = Failure("output_invalid", "no JSON")
STARTED = StepStarted("k", "step", b"mark")
EFFECT = Policy(effect=True)


def after(*events: AnyEvent) -> State:
    return replay(Record(i + 1, 1, i, i, "t", 1, event) for i, event in enumerate(events))


def asked(policy: Policy) -> StepRequest:
    return StepRequest("k", "step", FunctionCall(work), policy, Any)


def denied(note: str) -> ApprovalDecided:
    return ApprovalDecided("k", False, "anna", note)


DOUBT: list[AnyEvent] = [STARTED, DoubtRaised("k")]
UNKNOWN = "anna decided: its outcome is unknown and it was not to be repeated"

TABLE: list[tuple[list[AnyEvent], Policy, StepDecision]] = [
    ([], Policy(), Start(1)),
    ([], EFFECT, Start(1)),
    ([STARTED, StepSucceeded("k")], Policy(), Reuse()),
    ([STARTED, StepSucceeded("k")], EFFECT, Reuse()),
    ([STARTED, StepFailed("k", WHY)], Policy(), Reuse()),
    ([STARTED], Policy(), Start(2)),
    ([STARTED], EFFECT, Hold("doubt", open=True)),
    ([STARTED], Policy(effect=True, on_doubt="retry"), Start(2)),
    ([STARTED, AttemptFailed("k", WHY, retry_at=70)], Policy(), Start(2, 70)),
    ([STARTED, AttemptFailed("k", WHY, retry_at=70)], EFFECT, Start(2, 70)),
    ([STARTED, StepDeferred("k", 80)], Policy(), Start(2, 80)),
    ([STARTED, StepCancelled("k")], Policy(), Start(2)),
    (DOUBT, EFFECT, Hold("doubt", open=False)),
    ([*DOUBT, ApprovalDecided("k", True, "anna")], EFFECT, Start(2)),
    (
        [*DOUBT, denied("it went out")],
        EFFECT,
        Fail(Failure("effect_in_doubt", "anna decided: it went out")),
    ),
    ([*DOUBT, denied("")], EFFECT, Fail(Failure("effect_in_doubt", UNKNOWN))),
    (
        [*DOUBT, ApprovalDecided("k", True, "anna"), msgspec.structs.replace(STARTED, attempt=2)],
        EFFECT,
        Hold("doubt", open=True),
    ),
]


@pytest.mark.parametrize(("events", "policy", "decision"), TABLE)
def test_the_state_and_the_policy_decide(
    events: list[AnyEvent], policy: Policy, decision: StepDecision
) -> None:
    assert decide(after(*events), asked(policy), b"mark") == decision


def test_every_state_of_a_step_diverges_from_another_fingerprint() -> None:
    for events, policy, _ in TABLE:
        state = after(*events)
        if events:
            assert decide(state, asked(policy), b"other") == Diverge(state.steps["k"])


def failed(step_failures: int, policy: Policy, failure: Failure = WHY, **options: Any) -> Any:
    step = msgspec.structs.replace(after(STARTED).steps["k"], failures=step_failures, attempt=7)
    return after_failure(step, policy, failure, now=1000, seconds=2.5, **options)


def test_waits_between_attempts_double_up_to_five_minutes() -> None:
    policy = Policy(retries=5000, backoff=40 * SECOND)

    waits = [(failed(n, policy).retry_at - 1000) // SECOND for n in (0, 1, 2, 3, 4, 4999)]

    assert waits == [40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(
    ("failures", "policy", "failure", "goes_on"),
    [
        (0, Policy(), WHY, False),
        (0, Policy(retries=1), WHY, True),
        (1, Policy(retries=1), WHY, False),
        (0, Policy(retries=0, reasks=2), WHY, False),
        (0, Policy(retries=0, reasks=2), INVALID, True),
        (1, Policy(retries=0, reasks=2), INVALID, True),
        (2, Policy(retries=0, reasks=2), INVALID, False),
        (2, Policy(retries=3, reasks=0), INVALID, True),
        (0, Policy(retries=0, reasks=0), INVALID, False),
    ],
)
def test_retries_and_reasks_say_how_often(
    failures: int, policy: Policy, failure: Failure, *, goes_on: bool
) -> None:
    assert isinstance(failed(failures, policy, failure), AttemptFailed if goes_on else StepFailed)


def test_an_answer_that_does_not_fit_is_asked_for_again_at_once() -> None:
    assert failed(0, Policy(reasks=2, backoff=9 * SECOND), INVALID).retry_at == 1000


def test_what_cannot_help_is_not_tried_again() -> None:
    assert isinstance(failed(0, Policy(retries=9, reasks=9), hopeless=True), StepFailed)
    assert isinstance(failed(0, Policy(reasks=9), INVALID, hopeless=True), StepFailed)


@pytest.mark.parametrize("retries", [0, 1])
def test_a_failure_tells_what_the_attempt_used(retries: int) -> None:
    event = failed(0, Policy(retries=retries), usage=Usage(1), session="s")

    assert (event.key, event.error, event.attempt) == ("k", WHY, 7)
    assert (event.seconds, event.usage, event.session) == (2.5, Usage(1), "s")
