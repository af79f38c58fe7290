"""Finished work stays finished, wherever the process dies."""

from collections.abc import Sequence

import pytest

from holdfast import Run, StepFailed, workflow
from holdfast.eventlog import AnyEvent, StepStarted, StepSucceeded
from holdfast.plugins import Progress
from holdfast.reducer import State
from tests.support.lab import Counter, Lab

count = Counter()


@pytest.fixture(autouse=True)
def fresh() -> None:
    count.calls.clear()


@workflow
async def mixed(run: Run) -> str:
    """Sequence, loop, fan-out, race and a caught failure."""
    seen = [await run.step("plan", count("plan"))]
    async for index in run.loop("fix", max=5):
        seen.append(await run.step("code", count(f"code {index}")))
        results = await run.map(
            lambda t: run.step("test", count(f"test {index} {t}")),  # noqa: B023 - awaited at once
            "abc",
            limit=2,
        )
        seen += results
        if index == 2:
            break
    seen.append(await run.race(run.step("fast", count("fast")), run.sleep("1h")))
    try:
        await run.step("bad", fail)
    except StepFailed as error:
        seen.append(error.failure.code)
    await run.note("nearly done", count=len(seen))
    await run.step("last", count(f"last {run.uuid()}"[:4]))
    return " ".join(seen)


def fail() -> None:
    count.calls.append("fail")
    raise ValueError("always")


EXPECTED = "plan code 1 test 1 a test 1 b test 1 c code 2 test 2 a test 2 b test 2 c fast exception"


async def test_an_undisturbed_run_runs_every_step_once(lab: Lab, autojump_clock: object) -> None:
    outcome = await lab.run(mixed)

    assert (outcome.status, outcome.output) == ("succeeded", EXPECTED)
    assert len(count.calls) == len(set(count.calls)) == 12


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 12))
async def test_a_crash_at_any_commit_repeats_no_finished_step(
    lab: Lab, autojump_clock: object, at: int, after: bool
) -> None:
    crashed = await lab.crash(mixed, {}, at=at, after=after)
    finished = {event.key for event in lab.events(kind=StepSucceeded)}

    outcome = await lab.resume() if lab.state().status == "running" else None

    assert crashed
    assert lab.state().status == "succeeded"
    assert outcome is None or outcome.output == EXPECTED
    started = [event.key for event in lab.events(kind=StepStarted)]
    assert all(started.count(key) == 1 for key in finished)
    assert [event.key for event in lab.events(kind=StepSucceeded)].count("plan") == 1


async def test_state_from_the_log_equals_state_in_memory(lab: Lab, autojump_clock: object) -> None:
    states: list[State] = []

    class Watcher:
        def events(self, state: State, events: Sequence[AnyEvent]) -> None:
            states.append(state)

        def progress(self, run: str, key: str, progress: Progress) -> None:
            raise AssertionError("functions say nothing")

    await lab.run(mixed, watcher=Watcher())

    assert lab.state() == states[-1]


async def test_a_resumed_run_sees_the_same_random_numbers(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def chance(run: Run) -> list[str]:
        before = [str(run.uuid()), str(run.random()), run.now().isoformat()]
        await run.step("a", count("a"))
        await run.approve("go")
        return [*before, str(run.uuid())]

    first = await lab.run(chance)
    lab.approve("go")
    second = await lab.resume()
    third = await lab.run(chance, run="other")

    assert first.status == "waiting"
    assert second.status == "succeeded"
    assert len(set(second.output)) == 4
    lab.approve("go", run="other")
    assert not set(second.output) & set((await lab.resume("other")).output)
    assert third.status == "waiting"


async def test_results_of_any_size_come_back_whole(lab: Lab, autojump_clock: object) -> None:
    text = "".join(map(chr, [0, 9, 0x7F, 0xE9, 0x20AC, 0x1F600, 0xE0001, 0x10FFFF])) * 1000

    @workflow
    async def large(run: Run, text: str) -> list[int]:
        echoed = await run.step("echo", lambda: text)
        await run.approve("go")
        big = await run.step("big", lambda: b"x" * 50_000_000)
        return [len(echoed), len(big), int(echoed == text)]

    await lab.run(large, {"text": text})
    lab.approve("go")

    assert (await lab.resume()).output == [8000, 50_000_000, 1]
