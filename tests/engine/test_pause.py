"""A paused run begins no new step, nor do its children; what is at work comes to its end."""

from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.errors import NotPaused, RunEnded
from holdfast.eventlog import (
    ChildStarted,
    RunPaused,
    RunReleased,
    StepStarted,
    StepSucceeded,
)
from holdfast.pausing import pause, paused_with, unpause
from holdfast.runs import request_cancel
from holdfast.travel import Change, fork
from tests.support.lab import Counter, Lab, virtual_now


@workflow
async def three(run: Run) -> str:
    for name in ("one", "two", "three"):
        await run.step(name, trio.sleep, 10)
    return "done"


async def at(lab: Lab, seconds: float, run: str = "r") -> None:
    await trio.sleep(seconds)
    pause(lab.log, run, "cli:anna", "lunch", now=virtual_now())


async def test_what_is_at_work_ends_and_nothing_begins(lab: Lab, autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at, lab, 5)
        paused = await lab.run(three)
    again = await lab.resume()

    assert (paused.status, paused.waiting, again.status) == ("waiting", ("two",), "waiting")
    assert [e.key for e in lab.events(kind=StepStarted)] == ["one"]
    assert [e.key for e in lab.events(kind=StepSucceeded)] == ["one"]
    state = lab.state()
    assert state.paused is not None
    assert (state.paused.reason, lab.log.run("r").paused) == ("lunch", True)

    unpause(lab.log, "r", "cli:anna")
    assert (await lab.resume()).output == "done"
    assert lab.log.run("r").paused is False


async def test_a_run_at_work_goes_on_when_it_is_unpaused(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def both(run: Run) -> Any:
        return await run.parallel(run.step("long", trio.sleep, 100), a=chain(run))

    async def chain(run: Run) -> float:
        await run.step("first", trio.sleep, 10)
        await run.step("second", trio.sleep, 10)
        return run.now().timestamp()

    async def people() -> None:
        await at(lab, 5)
        await trio.sleep(45)
        unpause(lab.log, "r", "cli:anna", now=virtual_now())

    begun = virtual_now() / 1e9
    async with trio.open_nursery() as nursery:
        nursery.start_soon(people)
        outcome = await lab.run(both)

    assert outcome.status == "succeeded"
    assert 59 < outcome.output[1] - begun < 62  # ten seconds after it could go on


@workflow
async def child(run: Run) -> str:
    await run.step("one", trio.sleep, 10)
    await run.step("two", trio.sleep, 10)
    return "child"


@workflow
async def parent(run: Run) -> Any:
    return await run.parallel(run.child(child), run.step("long", trio.sleep, 100))


async def test_a_pause_reaches_children_and_one_word_lets_all_go_on(
    lab: Lab, autojump_clock: object
) -> None:
    async def people() -> None:
        await at(lab, 5)
        await trio.sleep(45)
        assert paused_with(lab.log, lab.log.run("r/child")) == "r"
        assert [e.key for e in lab.events("r/child", kind=StepStarted)] == ["one"]
        with pytest.raises(NotPaused, match="its parent 'r' is: holdfast unpause r"):
            unpause(lab.log, "r/child", "cli:anna")
        unpause(lab.log, "r", "cli:anna", now=virtual_now())

    lab.workflows[child.reference] = child
    async with trio.open_nursery() as nursery:
        nursery.start_soon(people)
        outcome = await lab.run(parent)

    assert outcome.output == ["child", None]
    assert lab.events("r/child", kind=RunPaused) == []
    assert trio.current_time() < 110


async def test_a_paused_run_starts_no_child(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def later(run: Run) -> Any:
        await run.approve("go")
        return await run.child(child)

    lab.workflows[child.reference] = child
    await lab.run(later)
    pause(lab.log, "r", "cli:anna")
    lab.approve()
    waiting = await lab.resume()
    unpause(lab.log, "r", "cli:anna")

    assert (waiting.status, lab.events(kind=ChildStarted)) == ("waiting", [])
    assert (await lab.resume()).output == "child"


async def test_a_child_that_another_process_executes_is_paused_with_its_parent(
    lab: Lab, autojump_clock: object
) -> None:
    lab.workflows[child.reference] = child

    @workflow
    async def gated(run: Run) -> str:
        await run.approve("go")
        return await run.child(child)

    await lab.run(gated)
    lab.approve()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at, lab, 5)
        await lab.resume()
    alone = await lab.resume("r/child")

    assert (alone.status, alone.waiting) == ("waiting", ("two",))


async def test_cancelling_a_paused_run_does_its_clean_up(lab: Lab, autojump_clock: object) -> None:
    count = Counter()

    @workflow
    async def tidy(run: Run) -> None:
        try:
            await run.approve("go")
        finally:
            await run.step("clean up", count("clean up"))

    await lab.run(tidy)
    pause(lab.log, "r", "cli:anna")
    request_cancel(lab.log, "r", "cli:anna")

    assert ((await lab.resume()).status, count.calls) == ("cancelled", ["clean up"])


async def test_a_retry_that_falls_due_during_a_pause_waits_for_its_end(
    lab: Lab, autojump_clock: object
) -> None:
    tries: list[float] = []

    async def flaky() -> None:
        tries.append(trio.current_time())
        if len(tries) == 1:
            raise ValueError("not yet")

    @workflow
    async def again(run: Run) -> None:
        await run.step("try", flaky, retries=1, backoff=20)

    async def people() -> None:
        await at(lab, 5)
        await trio.sleep(20)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(people)
        paused = await lab.run(again)
    unpause(lab.log, "r", "cli:anna")

    assert (paused.status, len(tries)) == ("waiting", 1)
    assert (await lab.resume()).status == "succeeded"


async def test_pausing_twice_is_once_and_a_run_that_is_not_paused_is_told(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(parent_of_nothing)
    first = pause(lab.log, "r", "cli:anna", "a")
    second = pause(lab.log, "r", "cli:bo", "b")
    unpause(lab.log, "r", "cli:bo")

    with pytest.raises(NotPaused, match="holdfast why r"):
        unpause(lab.log, "r", "cli:bo")
    assert (first, second, len(lab.events(kind=RunPaused))) == (True, False, 1)
    lab.approve()
    await lab.resume()
    for act in (pause, unpause):
        with pytest.raises(RunEnded, match="has succeeded"):
            act(lab.log, "r", "cli:anna")


@workflow
async def parent_of_nothing(run: Run) -> str:
    await run.step("before", str)
    await run.approve("go")
    return str(await run.step("after", str, "x"))


@pytest.mark.parametrize("reason", ["fork", "rewind", "retry", "accept"])
async def test_whoever_takes_another_way_is_not_paused(
    reason: Any, lab: Lab, autojump_clock: object
) -> None:
    await lab.run(parent_of_nothing)
    lab.approve()
    pause(lab.log, "r", "cli:anna")
    await lab.resume()
    name, _ = fork(
        lab.log, lab.load, "r", Change(reason), actor="cli:a", id="f" if reason == "fork" else None,
        now=virtual_now(),
    )  # fmt: skip

    assert lab.log.run(name).paused is False
    assert (await lab.resume(name)).output == "x"


async def test_a_pause_between_two_commits_holds(lab: Lab, autojump_clock: object) -> None:
    """The branch moved under the engine: it looks again before anything begins."""

    async def work() -> None:
        lab.append_unheard(RunPaused("now"))

    @workflow
    async def steps(run: Run) -> None:
        await run.step("one", work)
        await run.step("two", trio.sleep, 0)

    outcome = await lab.run(steps)

    assert outcome.status == "waiting"
    assert [e.key for e in lab.events(kind=StepStarted)] == ["one"]
    assert [e.reason for e in lab.events(kind=RunReleased)] == ["waiting"]
