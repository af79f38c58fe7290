"""A run takes up edited code while it goes on, unless the edit reaches what has begun."""

import trio

from holdfast import Run, workflow
from holdfast.eventlog import StepStarted
from holdfast.reducer import Workflow
from tests.support.lab import Lab


async def long() -> str:
    await trio.sleep(10)
    return "a"


def old() -> str:
    return "old"


def new() -> str:
    return "new"


@workflow
async def before(run: Run) -> list[str]:
    first = await run.step("a", long)
    return [first, await run.step("b", old)]


@workflow(name="before")
async def later(run: Run) -> list[str]:
    first = await run.step("a", long)
    return [first, await run.step("b", new), await run.step("c", new)]


@workflow(name="before")
async def earlier(run: Run) -> list[str]:
    first = await run.step("a", old)
    return [first]


@workflow(name="before")
async def broken(run: Run) -> list[str]:
    return [await run.step("a/b", old)]


async def edited(lab: Lab, code: Workflow) -> tuple[object, str]:
    """Run `before`, with its code edited while its first step is at work."""
    told: list[str] = []
    lab.workflows[before.reference] = before
    outcomes: list[object] = []
    async with lab.engine() as engine, trio.open_nursery() as nursery:

        async def execute() -> None:
            engine.create(before, {}, run="r", folder=str(lab.folder))
            outcomes.append((await engine.execute("r")).output)

        nursery.start_soon(execute)
        await trio.sleep(5)
        engine.edit("r", code, told.append)
    return outcomes[0], " ".join(told)


async def test_an_edit_of_what_is_to_come_is_taken_up_and_what_is_at_work_goes_on(
    lab: Lab, autojump_clock: object
) -> None:
    output, told = await edited(lab, later)

    assert output == ["a", "new", "new"]
    assert "in use" in told
    assert [event.key for event in lab.events(kind=StepStarted)] == ["a", "b", "c"]


async def test_an_edit_of_what_has_begun_is_told_and_the_old_code_goes_on(
    lab: Lab, autojump_clock: object
) -> None:
    output, told = await edited(lab, earlier)

    assert output == ["a", "old"]
    assert "reaches 'a'" in told
    assert "resume r --accept" in told


async def test_edited_code_that_cannot_be_driven_is_told_and_the_old_code_goes_on(
    lab: Lab, autojump_clock: object
) -> None:
    output, told = await edited(lab, broken)

    assert output == ["a", "old"]
    assert "cannot be driven" in told
