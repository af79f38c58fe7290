"""Budgets: parallel steps cannot overspend together, and a person decides what more there is."""

from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast import Budget, Run, StepFailed, workflow
from holdfast.config import Config, LimitsConfig
from holdfast.eventlog import BudgetReached, ChildFinished, StepStarted, Usage
from holdfast.plugins import Crashed
from holdfast.reducer import Amount, limit_of, used_by
from holdfast.travel import Change, fork, plan, retry_change
from tests.support.crew import Answer, Crew
from tests.support.lab import Lab
from tests.support.player import raw


@workflow
async def fan(run: Run, width: int) -> int:
    done = await run.map(lambda _: run.model("ask", "?", model="m/x"), range(width))
    return len(done)


def settings(usd: float, each: float = 0.0) -> Config:
    return Config(limits=LimitsConfig(budget_usd=usd, reserve_usd=each))


def crew(usd: float | None = 0.1, seconds: float = 1.0) -> Crew:
    return Crew({"m/": [Answer(usd=usd, seconds=seconds)]}, a=[Answer(usd=usd, seconds=seconds)])


async def test_a_fan_out_stays_within_the_budget_and_asks_once(
    tmp_path: Path, autojump_clock: object
) -> None:
    plugin = crew()
    lab = Lab(tmp_path, plugin)

    stopped = await lab.run(fan, {"width": 20}, config=settings(0.75))

    assert stopped.status == "waiting"
    assert stopped.waiting[0] == "[budget]"
    assert len(plugin.asked) == 7
    assert plugin.spent == pytest.approx(0.7)
    assert plugin.most == 6  # the first one went alone, for nobody knew what it would cost
    assert len(lab.events(kind=BudgetReached)) == 1
    lab.log.close()


async def test_an_approval_adds_and_the_run_goes_on_exactly_there(
    tmp_path: Path, autojump_clock: object
) -> None:
    plugin = crew()
    lab = Lab(tmp_path, plugin)
    await lab.run(fan, {"width": 20}, config=settings(0.75))

    lab.approve("budget", edits=raw({"usd": 0.5}))
    again = await lab.resume()
    lab.approve("budget")  # as much again
    done = await lab.resume()

    assert again.status == "waiting"
    assert done.output == 20
    assert len(plugin.asked) == 20
    assert limit_of(lab.state()) == Amount(2.5)
    assert lab.replays()
    lab.log.close()


async def test_an_approval_reaches_a_run_at_work(tmp_path: Path, autojump_clock: object) -> None:
    lab = Lab(tmp_path, crew())

    @workflow
    async def busy(run: Run) -> int:
        long = run.step("long", trio.sleep, 30)
        got = await run.parallel(long, *(run.model("ask", "?", model="m/x") for _ in range(5)))
        return len(got)

    async with trio.open_nursery() as nursery:

        async def approve() -> None:
            await trio.sleep(10)
            lab.approve("budget", edits=raw({"usd": 5.0}))

        nursery.start_soon(approve)
        outcome = await lab.run(busy, config=settings(0.25))

    assert outcome.output == 6
    lab.log.close()


async def test_a_denied_budget_fails_the_steps_and_lets_the_workflow_clean_up(
    tmp_path: Path, autojump_clock: object
) -> None:
    @workflow
    async def careful(run: Run) -> Any:
        try:
            async for _ in run.loop("try", max=9):
                await run.model("ask", "?", model="m/x")
        except StepFailed as error:
            return [error.failure.code, (await run.shell("tidy", "echo tidy")).stdout]

    lab = Lab(tmp_path, crew())
    await lab.run(careful, config=settings(0.35))
    lab.approve("budget", approved=False, note="that is enough")
    outcome = await lab.resume()

    assert outcome.output == ["budget_exceeded", "tidy\n"]
    assert lab.replays()
    lab.log.close()


async def test_what_was_denied_can_be_retried_with_more(
    tmp_path: Path, autojump_clock: object
) -> None:
    @workflow
    async def two(run: Run) -> int:
        await run.model("one", "?", model="m/x")
        await run.model("two", "?", model="m/x")
        return 2

    lab = Lab(tmp_path, crew())
    await lab.run(two, config=settings(0.15))
    lab.approve("budget", approved=False)
    failed = await lab.resume()
    fork(lab.log, lab.load, "r", retry_change(lab.log, "r"), actor="t")
    asks = await lab.resume()
    lab.approve("budget")
    outcome = await lab.resume()

    assert failed.error is not None
    assert (failed.status, failed.error.type) == ("failed", "budget_exceeded")
    assert asks.waiting[0] == "[budget]"
    assert outcome.output == 2
    lab.log.close()


async def test_a_step_s_own_budget_stops_its_tries(tmp_path: Path, autojump_clock: object) -> None:
    crash = Crashed("bang", usage=Usage(cost_usd=0.3))
    plugin = Crew(a=[crash, crash, Answer()])

    @workflow
    async def single(run: Run) -> str:
        return str(await run.agent("do", "Do it", agent="a", retries=9, budget=0.5))

    lab = Lab(tmp_path, plugin)
    stopped = await lab.run(single)
    lab.approve("budget")
    outcome = await lab.resume()

    assert stopped.waiting == ("do[budget]", "do")
    assert len(plugin.asked) == 3
    assert outcome.output == "a: done"
    lab.log.close()


async def test_tokens_are_a_budget_too(tmp_path: Path, autojump_clock: object) -> None:
    plugin = Crew(a=[Answer(tokens=60)])

    @workflow
    async def many(run: Run) -> None:
        for _ in range(5):
            await run.agent("do", "Do it", agent="a", budget=Budget(tokens=70))

    lab = Lab(tmp_path, plugin)
    config = Config(limits=LimitsConfig(budget_tokens=200))
    stopped = await lab.run(many, config=config)

    assert stopped.waiting == ("[budget]", "do#4")
    assert len(plugin.asked) == 3
    lab.log.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 9))
async def test_a_crash_anywhere_spends_no_more_than_the_budget_and_loses_no_gate(
    tmp_path: Path, autojump_clock: object, at: int, *, after: bool
) -> None:
    plugin = crew()
    lab = Lab(tmp_path, plugin)
    config = settings(0.65, each=0.1)

    await lab.crash(fan, {"width": 9}, at=at, after=after, config=config)
    if lab.log.run("r").status != "waiting":
        await lab.resume(config=config)
    stopped = lab.state()

    assert stopped.status == "waiting"
    assert plugin.spent <= 0.65
    assert used_by(stopped).usd <= 0.65 + 1e-9
    lab.approve("budget", edits=raw({"usd": 3.0}))
    assert (await lab.resume(config=config)).output == 9
    finished = [event.key for event in lab.events(kind=StepStarted)]
    assert len(finished) - 9 <= 6  # only what was cut short began again
    lab.log.close()


async def test_a_child_spends_of_its_parent_s_budget(
    tmp_path: Path, autojump_clock: object
) -> None:
    plugin = crew()

    @workflow
    async def small(run: Run, times: int) -> int:
        for _ in range(times):
            await run.model("ask", "?", model="m/x")
        return times

    @workflow
    async def parent(run: Run) -> list[int]:
        each = [run.child(small, {"times": 2}, name=name, budget=0.25) for name in ("a", "b", "c")]
        return await run.parallel(*each)

    lab = Lab(tmp_path, plugin)
    lab.workflows[small.reference] = small
    stopped = await lab.run(parent, config=settings(0.6))

    assert stopped.status == "waiting"
    assert plugin.spent == pytest.approx(0.4)
    assert used_by(lab.state()).usd == pytest.approx(0.4)
    assert [e.usage for e in lab.events(kind=ChildFinished)] == [Usage(cost_usd=0.2)] * 2
    lab.approve("budget", edits=raw({"usd": 1.0}))
    assert (await lab.resume()).output == [2, 2, 2]
    lab.log.close()


async def test_a_child_that_wants_more_asks_for_itself(
    tmp_path: Path, autojump_clock: object
) -> None:
    @workflow
    async def greedy(run: Run) -> str:
        for _ in range(9):
            await run.model("ask", "?", model="m/x")
        return "done"

    @workflow
    async def parent(run: Run) -> str:
        return str(await run.child(greedy, name="kid"))

    lab = Lab(tmp_path, crew())
    lab.workflows[greedy.reference] = greedy
    stopped = await lab.run(parent, config=settings(0.25))
    lab.approve("budget", run="r/kid", edits=raw({"usd": 9.0}))
    outcome = await lab.resume()

    assert stopped.waiting == ("kid",)
    assert lab.state("r/kid").purse.budget == Budget(0.25)
    assert outcome.output == "done"
    assert used_by(lab.state()).usd == pytest.approx(0.9)
    lab.log.close()


async def test_a_child_for_which_nothing_is_left_fails_when_that_is_denied(
    tmp_path: Path, autojump_clock: object
) -> None:
    @workflow
    async def parent(run: Run) -> str:
        await run.model("ask", "?", model="m/x")
        return str(await run.child(fan, {"width": 1}, name="kid"))

    lab = Lab(tmp_path, crew())
    lab.workflows[fan.reference] = fan
    stopped = await lab.run(parent, config=settings(0.1))
    lab.approve("budget", approved=False, note="no")
    outcome = await lab.resume()

    assert stopped.waiting == ("[budget]", "kid")
    assert outcome.error is not None
    assert "child_failed" in (outcome.error.code, outcome.error.type)
    assert lab.replays()
    lab.log.close()


async def test_a_retried_child_has_what_was_set_aside_for_it(
    tmp_path: Path, autojump_clock: object
) -> None:
    tries: list[str] = []

    async def flaky() -> None:
        tries.append("once")
        if len(tries) == 1:
            raise OSError("no luck")

    @workflow
    async def small(run: Run) -> None:
        await run.step("flaky", flaky)

    @workflow
    async def parent(run: Run) -> str:
        await run.child(small, name="kid")
        return "done"

    lab = Lab(tmp_path, crew())
    lab.workflows[small.reference] = small
    failed = await lab.run(parent, config=settings(0.5))
    fork(lab.log, lab.load, "r", retry_change(lab.log, "r"), actor="t")
    outcome = await lab.resume()

    assert failed.status == "failed"
    assert outcome.output == "done"
    lab.log.close()


async def test_a_fork_spends_its_own_budget_and_a_plan_says_where_it_would_ask(
    tmp_path: Path, autojump_clock: object
) -> None:
    plugin = crew()

    @workflow
    async def four(run: Run) -> int:
        for _ in range(4):
            await run.model("ask", "?", model="m/x")
        return 4

    lab = Lab(tmp_path, plugin)
    await lab.run(four, config=settings(0.25))
    change = Change("fork", "ask#2", reuse=False)

    stuck = plan(lab.log, lab.load, "r", Change("rewind", lab.log.run("r").head))
    foreseen = plan(lab.log, lab.load, "r", change)
    fork(lab.log, lab.load, "r", change, actor="t", id="f")
    plugin.asked.clear()
    stopped = await lab.resume("f")

    assert {i.key: i.action for i in stuck.items}["ask#3"] == "asks"
    assert {i.key: i.action for i in foreseen.items}["ask#2"] == "runs"
    assert len(plugin.asked) == 2
    assert stopped.waiting == ("[budget]", "ask#4")
    lab.log.close()
