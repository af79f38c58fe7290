"""How tasks of a workflow run side by side: limits, failures, races, cancellation."""

import gc
import warnings
from typing import Any

import pytest

from holdfast import Cancelled, Run, StepFailed, workflow
from holdfast.reducer import WorkflowError
from tests.support.player import Player, work


@workflow
async def fan(run: Run, limit: int | None = None) -> Any:
    names = ["a", "b", "c"]
    return await run.parallel(*(run.step(name, work) for name in names), limit=limit)


def test_results_come_in_the_order_given_whatever_the_order_of_answers() -> None:
    player = Player(fan)

    player.answer("c", 3).answer("a", 1).answer("b", 2)

    assert player.output == [1, 2, 3]


def test_a_limit_lets_the_next_begin_when_one_ends() -> None:
    player = Player(fan, {"limit": 2})

    assert player.open == ["a", "b"]
    player.answer("b", 2)
    assert player.open == ["a", "c"]
    assert player.answer_all({"a": 1, "c": 3}).output == [1, 2, 3]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(WorkflowError, match=f"limit={limit}.*at least 1"):
        Player(fan, {"limit": limit})


def test_nothing_at_once_is_done_at_once() -> None:
    @workflow
    async def idle(run: Run) -> list[list[Any]]:
        return [await run.parallel(), await run.map(lambda _: run.step("never", work), [])]

    assert Player(idle).output == [[], []]


def test_the_first_failure_cancels_the_siblings_and_is_raised() -> None:
    player = Player(fan, {"limit": 2})

    player.fail("b", "broken")

    assert player.keys == ["a", "b", "-a"]
    assert player.status == "failed"
    with pytest.raises(StepFailed, match="broken"):
        _ = player.output


def test_map_limits_and_fails_as_parallel_does() -> None:
    @workflow
    async def each(run: Run) -> Any:
        return await run.map(lambda item: run.step("do", work, item), "xyz", limit=1)

    player = Player(each)
    assert player.open == ["x/do"]
    player.answer("x/do", 1)
    assert player.open == ["y/do"]
    player.fail("y/do")

    assert player.status == "failed"
    assert player.keys == ["x/do", "y/do"]


def test_what_a_mapped_function_raises_is_raised_by_map_also_after_the_limit() -> None:
    def broken(run: Run, item: str) -> Any:
        if item == "y":
            raise ValueError(f"no {item}")
        return run.step("do", work)

    @workflow
    async def each(run: Run) -> Any:
        try:
            await run.map(lambda item: broken(run, item), "xy", limit=1)
        except ValueError as error:
            return str(error)
        return "well"

    assert Player(each).answer("x/do").output == "no y"


def test_the_first_to_end_wins_and_the_losers_are_cancelled() -> None:
    @workflow
    async def contest(run: Run) -> Any:
        return await run.race(
            run.step("a", work), run.approve("b"), run.wait("c"), run.sleep(9, "d")
        )

    player = Player(contest).answer("a", "first")

    assert player.output == "first"
    assert player.keys == ["a", "b", "c", "d", "-b", "-c", "-d"]
    assert player.state.steps["a"].status == "succeeded"
    assert not player.state.open_gates
    assert not player.state.timers
    assert not player.state.waits


def test_a_race_is_lost_by_all_when_the_first_to_end_fails() -> None:
    @workflow
    async def contest(run: Run) -> Any:
        return await run.race(a=run.step("do", work), b=run.step("do", work))

    player = Player(contest).fail("b/do", "fell")

    with pytest.raises(StepFailed, match="fell"):
        _ = player.output
    assert player.keys == ["a/do", "b/do", "-a/do"]


def test_a_race_of_nobody_is_refused() -> None:
    @workflow
    async def contest(run: Run) -> None:
        await run.race()

    with pytest.raises(WorkflowError, match="at least one"):
        Player(contest)


def test_what_was_asked_and_is_unwanted_at_once_is_never_asked_for() -> None:
    async def stumble() -> None:
        raise ValueError("at once")

    @workflow
    async def hasty(run: Run) -> Any:
        await run.step("before", work)
        try:
            await run.parallel(run.step("a", work), stumble())
        except ValueError:
            return await run.step("after", work)
        return "well"

    player = Player(hasty).answer("before").answer("after", "ok")

    assert player.keys == ["before", "after"]
    assert player.output == "ok"


def test_a_task_that_was_about_to_go_on_is_cancelled_once() -> None:
    seen: list[str] = []

    async def empty(run: Run) -> None:
        try:
            await run.map(lambda _: run.step("never", work), [])
        except Cancelled:
            seen.append("cancelled")
            raise

    async def stumble() -> None:
        raise ValueError("at once")

    @workflow
    async def hasty(run: Run) -> Any:
        try:
            await run.parallel(empty(run), stumble())
        except ValueError:
            return "caught"
        return "well"

    assert Player(hasty).output == "caught"
    assert seen == ["cancelled"]


def test_cancel_reaches_the_innermost_of_nested_groups() -> None:
    async def inner(run: Run, name: str) -> None:
        await run.parallel(run.step("x", work), run.race(run.step("y", work), run.wait("z")))

    @workflow
    async def nested(run: Run) -> None:
        await run.parallel(left=inner(run, "l"), right=inner(run, "r"))

    player = Player(nested).cancel()

    assert player.status == "cancelled"
    asked, unwanted = player.keys[:6], player.keys[6:]
    assert unwanted == [f"-{key}" for key in ["left/x", "left/race/y", "left/race/z"]] + [
        f"-{key}" for key in ["right/x", "right/race/y", "right/race/z"]
    ]
    assert {f"-{key}" for key in asked} == set(unwanted)


@workflow
async def careful(run: Run) -> Any:
    try:
        await run.step("work", work)
    finally:
        await run.parallel(run.step("sweep", work), run.step("wash", work))
        await run.step("lock", work)
    return "done"


def test_finally_blocks_run_to_their_end_on_cancel() -> None:
    player = Player(careful).cancel()

    assert player.open == ["sweep", "wash"]
    player.answer("sweep").answer("wash")
    assert player.open == ["lock"]
    player.answer("lock")

    assert player.status == "cancelled"


def test_a_second_cancel_does_not_disturb_the_first() -> None:
    player = Player(careful).cancel().cancel("really")

    assert player.answer_all().status == "cancelled"
    assert player.keys == ["work", "-work", "sweep", "wash", "lock"]


def test_a_cancel_arrives_although_a_failure_was_being_cleaned_up() -> None:
    async def tidy(run: Run) -> None:
        try:
            await run.step("work", work)
        finally:
            await run.step("sweep", work)

    @workflow
    async def stubborn(run: Run) -> Any:
        try:
            await run.parallel(tidy=tidy(run), other=run.step("fails", work))
        except StepFailed:
            return await run.step("goes on", work)
        return "well"

    player = Player(stubborn).fail("other/fails")
    assert player.open == ["tidy/sweep"]
    player.cancel()

    assert player.answer_all().status == "cancelled"
    assert "goes on" not in player.keys


def test_the_time_of_the_cancel_counts_in_what_follows_it() -> None:
    @workflow
    async def slow(run: Run) -> None:
        try:
            await run.step("work", work)
        finally:
            await run.sleep(10, "settle")

    player = Player(slow)
    player.cancel()

    assert player.request("settle").until == player.records[3].time + 10 * 10**9 - 10**9


def test_a_workflow_may_catch_what_failed_and_go_on() -> None:
    @workflow
    async def resilient(run: Run) -> Any:
        try:
            await run.step("risky", work)
        except StepFailed as error:
            return await run.step("plan b", work, error.failure.code)
        return "well"

    player = Player(resilient).fail("risky")

    assert player.request("plan b").call.args == ("test",)
    assert player.answer("plan b", "ok").output == "ok"


@pytest.mark.filterwarnings("error")
def test_closing_a_driver_leaves_no_coroutine_behind() -> None:
    async def tidy(run: Run, item: str) -> None:
        try:
            await run.parallel(run.step("work", work), run.step("more", work))
        finally:
            await run.step("sweep", work)

    @workflow
    async def nested(run: Run) -> None:
        try:
            await run.map(lambda item: tidy(run, item), "abc", limit=2)
        finally:
            await run.parallel(run.step("last", work), tidy(run, "z"))

    player = Player(nested)
    asked = list(player.keys)

    player.driver.close()
    player.driver.close()
    del player.driver
    gc.collect()

    assert player.keys == asked


def test_branches_that_never_began_are_dropped_without_a_warning() -> None:
    @workflow
    async def nested(run: Run) -> None:
        async def branch(name: str) -> None:
            await run.step(name, print)

        async def fails() -> None:
            raise ValueError("at once")

        await run.parallel(
            fails(), run.parallel(branch("a"), inner=run.race(branch("b"), branch("c"))), limit=1
        )

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        player = Player(nested)
        gc.collect()

    assert player.driver.ended is not None
    assert player.driver.ended.status == "failed"
