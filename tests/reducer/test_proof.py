"""Proving that code and history agree: at every frame of every run, and where not, where and why."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import Run, StepFailed, Workflow, workflow
from holdfast.eventlog import (
    AnyEvent,
    CancelRequested,
    Failure,
    Record,
    RunCancelled,
    RunClaimed,
    RunFailed,
    RunReleased,
    RunSucceeded,
)
from holdfast.reducer import Divergence, Driver, Proof, digest, prove, replay
from tests.support.player import Player, raw, work
from tests.support.programs import PROGRAMS, Program, generic, play_out


def explain(error: BaseException) -> Failure:
    return Failure("exception", str(error), type(error).__name__)


def proved(
    player: Player, code: Workflow | None = None, records: Sequence[Record] | None = None
) -> tuple[Driver, Proof]:
    other = code or player.workflow
    driver = Driver(other, bytes)
    given = player.records if records is None else records
    return driver, prove(driver, given, code=digest(other.function), explain=explain)


def ended(player: Player) -> Player:
    """Record the end of a run, as the engine does."""
    end = player.driver.ended
    if end is None:
        return player
    events: dict[str, Callable[[], AnyEvent]] = {
        "succeeded": lambda: RunSucceeded(raw(end.value)),
        "failed": lambda: RunFailed(explain(end.error or AssertionError())),
        "cancelled": lambda: RunCancelled(player.state.cancelling or ""),
    }
    player.record(events[end.status]())
    return player


def waits(player: Player) -> Player:
    player.record(RunReleased("me", "waiting", player.open))
    return player


@settings(max_examples=60, deadline=None)
@given(PROGRAMS, st.integers(0, 2**32))
def test_every_frame_of_every_run_fits_and_asks_for_what_was_pending(
    program: Program, seed: int
) -> None:
    player = ended(play_out(Player(generic, {"program": program}), random.Random(seed)))
    if player.driver.ended is None:
        waits(player)

    for frame in range(1, len(player.records) + 1):
        driver, proof = proved(player, records=player.records[:frame])
        assert proof.divergence is None
        assert list(driver.pending) == player.pending[frame - 1]
        assert (proof.events, proof.state) == (frame, replay(player.records[:frame]))
        driver.close()
    player.driver.close()


@workflow
async def short(run: Run, limit: int = 3) -> str:
    await run.shell("first", "true")
    return "well"


@workflow
async def longer(run: Run, limit: int = 3) -> str:
    await run.shell("first", "true")
    await run.shell("second", "true")
    return "well"


@workflow
async def otherwise(run: Run, limit: int = 3) -> str:
    await run.shell("first", "true")
    return "otherwise"


@workflow
async def unrecordable(run: Run, limit: int = 3) -> Any:
    await run.shell("first", "true")
    return object()


@workflow
async def raising(run: Run, limit: int = 3) -> str:
    await run.shell("first", "true")
    raise ValueError("no")


@workflow
async def raising_otherwise(run: Run, limit: int = 3) -> str:
    await run.shell("first", "true")
    raise ValueError("nay")


@workflow
async def stricter(run: Run, limit: str) -> str:
    return "well"


OK = {"code": 0, "stdout": "", "stderr": "", "seconds": 1.0}


@pytest.mark.parametrize(
    ("recorded", "changed", "difference"),
    [
        (short, longer, "the run succeeded, the workflow goes on and asks for 'second'"),
        (short, otherwise, "its output was 'well' and is 'otherwise' now"),
        (short, unrecordable, "the output cannot be recorded"),
        (short, raising, "the run succeeded, the workflow raised ValueError('no')"),
        (raising, short, "the run failed, the workflow returned 'well'"),
        (
            raising,
            raising_otherwise,
            "the run failed with [exception] 'no', the workflow with [exception] 'nay'",
        ),
    ],
)
def test_a_run_that_ends_otherwise_is_told(
    recorded: Workflow, changed: Workflow, difference: str
) -> None:
    player = ended(Player(recorded).answer("first", OK))

    _, proof = proved(player, changed)

    assert proof.divergence is not None
    found = proof.divergence
    assert (found.frame, found.key, found.edited) == (len(player.records), "", True)
    assert difference in found.difference


def test_a_workflow_that_refuses_the_input_does_not_fit_from_the_first_event_on() -> None:
    _, proof = proved(ended(Player(short).answer("first", OK)), stricter)

    assert proof.divergence is not None
    assert proof.divergence.frame == 1
    assert "it cannot be driven: the input does not fit" in proof.divergence.difference


def test_a_run_that_stopped_for_the_same_reason_fits() -> None:
    player = Player(short)
    player.record(RunReleased("me", "stopped", [], Failure("input_invalid", "")))

    _, proof = proved(player, stricter)

    assert proof.divergence is None
    assert "the input does not fit" in proof.stopped
    assert proof.look == 1


def test_a_run_that_went_on_after_it_had_stopped_does_not_fit_code_that_stops() -> None:
    player = Player(short)
    player.record(RunReleased("me", "stopped", [], Failure("input_invalid", "")))
    player.record(RunClaimed("me"))

    _, proof = proved(ended(player.answer("first", OK)), stricter)

    assert proof.divergence is not None


@workflow
async def two_gates(run: Run) -> None:
    await run.parallel(run.approve("one"), run.approve("two"))


@workflow
async def one_gate(run: Run) -> None:
    await run.approve("one")


@workflow
async def race_of_gates(run: Run) -> None:
    await run.race(run.approve("one"), run.approve("two"), run.approve("three"))


def test_a_step_that_is_not_asked_for_any_more_is_told_with_the_frame_before_it() -> None:
    _, proof = proved(waits(Player(two_gates)), one_gate)

    difference = "the log has ApprovalRequested, the workflow asks for nothing there"
    assert proof.divergence == Divergence(3, 2, "two", difference, edited=True)
    assert proof.look == 2


def test_a_waiting_run_must_wait_for_the_same() -> None:
    _, proof = proved(waits(Player(two_gates)), race_of_gates)

    assert proof.divergence is not None
    assert (proof.divergence.frame, proof.divergence.key) == (4, "three")
    assert proof.divergence.difference == (
        "the run waited for 'one', 'two', the workflow for 'one', 'three', 'two'"
    )


def test_what_was_cancelled_and_is_not_recorded_as_such_yet_fits() -> None:
    player = Player(two_gates).answer("one")

    driver, proof = proved(player, race_of_gates)

    assert list(driver.abandoned) == ["two", "three"]
    assert proof.divergence is None


@workflow
async def endless(run: Run) -> None:
    await run.step("first", work)
    raise run.continue_as_new()


def test_a_run_that_was_cancelled_when_it_was_about_to_go_on_fits() -> None:
    player = Player(endless).answer("first", OK)
    player.record(CancelRequested("enough"))
    player.record(RunCancelled("enough"))

    driver, proof = proved(player)

    assert driver.ended is not None
    assert driver.ended.status == "continued"
    assert proof.divergence is None


def test_the_frame_to_look_at_is_where_the_workflow_stands_or_stood_last() -> None:
    waiting = waits(Player(one_gate))
    done = ended(Player(short).answer("first", OK))
    failed = ended(Player(raising).answer("first", OK))

    looks = [proved(player)[1].look for player in (waiting, done, failed)]

    assert looks == [3, 2, 3]  # waits there; before the answer that ended it; where it raised


def test_unchanged_code_that_does_otherwise_is_not_called_edited() -> None:
    days = iter(["monday", "tuesday"])

    @workflow
    async def moody(run: Run) -> None:
        await run.step("work", work, next(days))

    _, proof = proved(Player(moody))

    assert proof.divergence is not None
    assert not proof.divergence.edited


def test_an_error_is_compared_without_its_traceback() -> None:
    @workflow
    async def moved(run: Run, limit: int = 3) -> str:
        note = "the same on other lines"
        try:
            await run.shell("first", "true")
        except StepFailed:
            return note
        raise ValueError("no")

    assert proved(ended(Player(raising).answer("first", OK)), moved)[1].divergence is None


def test_an_output_is_compared_as_plain_data() -> None:
    class Point(msgspec.Struct):
        x: int

    @workflow
    async def typed(run: Run) -> Any:
        return Point(3)

    @workflow
    async def plain(run: Run) -> Any:
        return {"x": 3}

    assert proved(ended(Player(typed)), plain)[1].divergence is None
