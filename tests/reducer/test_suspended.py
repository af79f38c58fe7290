"""Where a driven workflow stands: the lines of its own, and nobody else's."""

from typing import Any

import pytest

from holdfast import Run, Workflow, workflow
from holdfast.reducer import Stack, raised, suspended
from tests.support.player import Player


def names(stack: Stack) -> list[str]:
    return [frame.f_code.co_name for frame, _ in stack]


def nested() -> Workflow:
    async def inner(run: Run, item: str) -> Any:
        mine = item * 2
        return mine, await run.wait(item)

    async def outer(run: Run, item: str) -> Any:
        async for _ in run.loop("loop", max=2):
            await inner(run, item)

    @workflow
    async def flow(run: Run) -> Any:
        here = "outside"
        return here, await run.map(lambda item: outer(run, item), ["x", "y"])

    return flow


def test_each_task_has_the_frames_from_the_workflow_s_own_to_where_it_waits() -> None:
    player = Player(nested())

    tasks = suspended(player.driver)

    assert [task.key for task in tasks] == ["x/loop[1]/x", "y/loop[1]/y"]
    for task, item in zip(tasks, "xy", strict=True):
        assert names(task.stack) == ["flow", "outer", "inner"]
        assert task.stack[0][0].f_locals["here"] == "outside"
        assert task.stack[-1][0].f_locals["mine"] == item * 2
    player.driver.close()


def test_calls_that_are_gathered_directly_stand_where_they_are_gathered() -> None:
    @workflow
    async def flow(run: Run) -> Any:
        await run.parallel(run.approve("one"), run.wait("two"))

    player = Player(flow)

    assert [(t.key, names(t.stack)) for t in suspended(player.driver)] == [
        ("one", ["flow"]),
        ("two", ["flow"]),
    ]
    player.driver.close()


def test_an_exception_has_the_workflow_s_frames_of_all_tasks_that_it_went_through() -> None:
    async def part(run: Run) -> None:
        local = 5
        await run.shell("go", "true")
        raise ValueError(local)

    @workflow
    async def flow(run: Run) -> None:
        await run.parallel(part(run))

    player = Player(flow)
    player.answer("part/go", {"code": 0, "stdout": "", "stderr": "", "seconds": 1.0})

    assert player.driver.ended is not None
    assert player.driver.ended.error is not None
    stack = raised(player.driver.ended.error)
    assert names(stack) == ["flow", "part"]
    assert stack[-1][0].f_locals["local"] == 5


def test_an_exception_that_met_no_workflow_has_no_frames() -> None:
    with pytest.raises(ValueError, match="out here") as caught:
        raise ValueError("out here")

    assert raised(caught.value) == []


def test_what_has_ended_stands_nowhere() -> None:
    @workflow
    async def flow(run: Run) -> None:
        pass

    assert suspended(Player(flow).driver) == []
