"""Who goes on with a step where the one at work cannot."""

from typing import Any

import pytest

from holdfast.eventlog import (
    AnyEvent,
    AttemptFailed,
    Failure,
    FellBack,
    Record,
    RunForked,
    SessionOpened,
    StepDeferred,
    StepFailed,
    StepStarted,
    Usage,
)
from holdfast.reducer import (
    AgentCall,
    Choice,
    Policy,
    Start,
    Step,
    StepRequest,
    after_end,
    after_limit,
    decide,
    replay,
    session_to_continue,
)
from tests.support.player import SECOND

HOUR = 3600 * SECOND
STARTED = StepStarted("k", "agent", b"mark", by="a")


def after(*events: AnyEvent) -> Step:
    records = [Record(i + 1, 1, i, i, "t", 1, event) for i, event in enumerate(events)]
    return replay(records).steps["k"]


def asked(*fallback: str) -> StepRequest:
    policy = Policy(fallback=tuple(Choice(name) for name in fallback))
    return StepRequest("k", "agent", AgentCall("do", "a"), policy, str)


def failed(code: str, **fields: Any) -> StepFailed:
    return StepFailed("k", Failure(code, f"it is {code}."), **fields)


def test_a_long_limit_lets_the_next_go_on_at_once() -> None:
    moved = after_limit(after(STARTED), asked("b", "c"), 2 * HOUR, now=HOUR)

    assert moved == FellBack("k", 1, "b", "a", "rate_limited", until=2 * HOUR)


def test_a_short_limit_is_waited_for() -> None:
    assert after_limit(after(STARTED), asked("b"), HOUR + 60 * SECOND, now=HOUR) is None


def test_a_limit_is_waited_for_where_nobody_else_may_do_it() -> None:
    assert after_limit(after(STARTED), asked(), 9 * HOUR, now=HOUR) is None


def test_when_all_are_limited_the_one_whose_limit_ends_first_goes_on_then() -> None:
    step = after(STARTED, FellBack("k", 1, "b", "a", "rate_limited", until=3 * HOUR))

    assert after_limit(step, asked("b"), 5 * HOUR, now=HOUR) == FellBack(
        "k", 0, "a", "b", "rate_limited", until=5 * HOUR, not_before=3 * HOUR
    )
    assert after_limit(step, asked("b"), 2 * HOUR, now=HOUR) is None  # it is the first itself


def test_whose_limit_has_ended_is_asked_before_those_that_come_after_him() -> None:
    step = after(STARTED, FellBack("k", 1, "b", "a", "rate_limited", until=2 * HOUR))

    moved = after_limit(step, asked("b", "c"), 9 * HOUR, now=3 * HOUR)

    assert moved is not None
    assert (moved.place, moved.by) == (0, "a")


@pytest.mark.parametrize(
    "code", ["refused", "missing_binary", "not_logged_in", "unknown_agent", "crashed", "timeout"]
)
def test_a_failure_for_good_lets_the_next_go_on(code: str) -> None:
    end = failed(code, attempt=3, seconds=1.5, usage=Usage(1), session="s")

    assert after_end(after(STARTED), asked("b"), end, now=7) == (
        AttemptFailed("k", end.error, 3, 7, 1.5, Usage(1), "s"),
        FellBack("k", 1, "b", "a", code),
    )


@pytest.mark.parametrize("code", ["missing_folder", "still_running"])
def test_a_failure_that_would_meet_anybody_is_the_step_s(code: str) -> None:
    assert after_end(after(STARTED), asked("b"), failed(code), now=7) == failed(code)


def test_when_nobody_is_left_the_failure_tells_all_that_was_tried() -> None:
    step = after(STARTED, FellBack("k", 1, "b", "a", "refused"))

    end = after_end(step, asked("b"), failed("crashed"), now=7)

    assert isinstance(end, StepFailed)
    assert end.error == Failure(
        "crashed", "it is crashed. Before that it was left by: a (refused)."
    )


def test_who_failed_for_good_is_not_asked_again_and_who_is_limited_is() -> None:
    step = after(
        STARTED,
        FellBack("k", 1, "b", "a", "refused"),
        FellBack("k", 2, "c", "b", "rate_limited", until=3 * HOUR),
    )

    end = after_end(step, asked("b", "c"), failed("crashed"), now=HOUR)

    assert isinstance(end, tuple)
    assert (end[0].retry_at, end[1].place, end[1].not_before) == (3 * HOUR, 1, 3 * HOUR)


def test_another_begins_anew_without_the_session_of_the_one_before() -> None:
    step = after(
        STARTED,
        SessionOpened("k", "a's"),
        AttemptFailed("k", Failure("output_invalid", "no JSON"), retry_at=9),
        FellBack("k", 1, "b", "a", "output_invalid"),
    )

    assert (step.place, step.failures, step.session, step.error) == (1, 0, "", None)
    assert session_to_continue(step) == ""
    assert step.not_before == 0


def test_after_a_crash_it_goes_on_with_whoever_was_at_work() -> None:
    fell = FellBack("k", 1, "b", "a", "refused")
    step = after(STARTED, fell, STARTED, SessionOpened("k", "b's"))

    assert (step.place, session_to_continue(step)) == (1, "b's")


def test_a_place_in_the_list_of_old_code_is_no_place() -> None:
    step = after(STARTED, FellBack("k", 3, "d", "a", "refused"))

    assert after_end(step, asked("b"), failed("crashed"), now=7) != failed("crashed")


def test_a_step_that_was_put_off_to_a_reset_starts_then() -> None:
    events: list[AnyEvent] = [
        STARTED,
        StepDeferred("k", 5 * HOUR),
        FellBack("k", 1, "b", "a", "rate_limited", until=5 * HOUR, not_before=4 * HOUR),
    ]
    state = replay(Record(i + 1, 1, i, i, "t", 1, event) for i, event in enumerate(events))

    assert decide(state, asked("b"), b"mark") == Start(2, 4 * HOUR)


def test_a_retry_begins_with_the_first_choice_again() -> None:
    step = after(
        STARTED,
        FellBack("k", 1, "b", "a", "refused"),
        failed("crashed"),
        RunForked("r", "retry", "r", 1, 3, 3, retried=["k"]),
    )

    assert (step.place, step.left, step.status) == (0, (), "retrying")
