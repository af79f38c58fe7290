"""What is no longer wanted: cancelled once, never started for nobody, also over a crash."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.engine import Engine
from holdfast.eventlog import CancelRequested, LogUnwritable, Record, StepCancelled, StepStarted
from holdfast.plugins import ModelCall, ModelResult, RateLimited, Readiness, hookimpl
from holdfast.reducer import NotDurable, Workflow
from holdfast.runs import request_cancel
from tests.support.lab import Counter, Lab


def keys(lab: Lab, kind: type[Any]) -> list[str]:
    events: list[Any] = list(lab.events(kind=kind))
    return [event.key for event in events]


async def stumble() -> None:
    raise ValueError("at once")


async def test_a_step_whose_sibling_fails_at_once_is_never_started(
    lab: Lab, autojump_clock: object
) -> None:
    counter = Counter()

    @workflow
    async def hasty(run: Run) -> str:
        await run.step("before", counter("before"))
        try:
            await run.parallel(run.step("a", counter("a")), stumble())
        except ValueError:
            await run.wait("go on")
        return "done"

    outcome = await lab.run(hasty)
    again = await lab.resume()

    assert (outcome.status, again.status) == ("waiting", "waiting")
    assert counter.calls == ["before"]


async def test_a_step_that_lost_its_race_before_it_began_is_never_started(
    lab: Lab, autojump_clock: object
) -> None:
    counter = Counter()

    @workflow
    async def raced(run: Run) -> str:
        await run.step("before", counter("before"))
        await run.race(run.note("wins"), run.step("late", counter("late")))
        await run.wait("go on")
        return "done"

    await lab.run(raced)
    again = await lab.resume()

    assert again.status == "waiting"
    assert counter.calls == ["before"]
    assert keys(lab, StepStarted) == ["before"]


async def test_thousands_of_notes_in_a_row_are_no_matter(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def talkative(run: Run) -> str:
        for number in range(2000):
            await run.note(f"note {number}")
        return "done"

    outcome = await lab.run(talkative)

    assert outcome.output == "done"
    assert outcome.offset == 2003


async def test_the_loser_of_a_race_that_was_decided_while_nobody_ran_is_cancelled(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def contest(run: Run) -> str:
        await run.race(run.approve("one"), run.approve("other"))
        await run.wait("go on")
        return "done"

    await lab.run(contest)
    lab.approve("one")

    await lab.resume()
    await lab.resume()

    assert keys(lab, StepCancelled) == ["other"]
    assert lab.state().open_gates == []


async def test_children_are_cancelled_with_a_run_that_nobody_ran(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def kid(run: Run) -> None:
        await run.wait("never")

    @workflow
    async def parent(run: Run) -> None:
        await run.child(kid)

    lab.workflows[kid.reference] = kid
    await lab.run(parent)
    request_cancel(lab.log, "r", "cli:anna", "enough", now=0)

    outcome = await lab.resume()

    assert outcome.status == "cancelled"
    assert lab.state("r/kid").cancelling is not None


async def test_a_waiting_run_with_a_clean_up_is_left_in_good_order(
    lab: Lab, autojump_clock: object
) -> None:
    counter = Counter()

    @workflow
    async def careful(run: Run) -> str:
        try:
            await run.wait("go on")
        finally:
            await run.step("sweep", counter("sweep"))
        return "done"

    outcome = await lab.run(careful)
    assert outcome.status == "waiting"
    assert counter.calls == []

    with trio.fail_after(10):
        request_cancel(lab.log, "r", "cli:anna", "enough")
        assert (await lab.resume()).status == "cancelled"
    assert counter.calls == ["sweep"]


async def test_what_loses_its_race_before_its_start_is_recorded_never_begins(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    ran: list[str] = []

    async def at_once() -> None:
        ran.append("late")

    @workflow
    async def inner(run: Run) -> None:
        await run.step("inside", count("inside"))

    @workflow
    async def raced(run: Run) -> None:
        await run.race(run.step("late", at_once), run.note("wins"))
        await run.race(run.child(inner, name="kid"), run.note("wins too"))
        await run.step("after", trio.sleep, 1)

    lab.workflows[inner.reference] = inner
    outcome = await lab.run(raced)

    assert outcome.status == "succeeded"
    assert (ran, count.calls) == ([], [])
    assert [row.run for row in lab.log.runs()] == ["r"]


async def test_a_pure_step_that_news_made_superfluous_is_let_go(
    lab: Lab, autojump_clock: object
) -> None:
    async def work() -> None:
        lab.append_unheard(CancelRequested("stop"))

    async def quick() -> None:
        return None

    @workflow
    async def computes(run: Run) -> None:
        await run.step("work", work)
        await run.parallel(run.step("pure", quick, pure=True), run.step("other", quick))

    outcome = await lab.run(computes)

    assert outcome.status == "cancelled"


async def fail() -> None:
    raise ValueError("at once")


@workflow
async def ends_with_a_race(run: Run) -> None:
    await run.race(run.step("quick", trio.sleep, 0), run.step("slow", trio.sleep_forever))


@workflow
async def ends_with_a_failure(run: Run) -> None:
    await run.parallel(run.step("fails", fail), run.step("slow", trio.sleep_forever))


@workflow
async def ends_cancelled(run: Run) -> None:
    await run.parallel(run.approve("go"), run.step("slow", trio.sleep_forever))


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (ends_with_a_race, "succeeded"),
        (ends_with_a_failure, "failed"),
        (ends_cancelled, "cancelled"),
    ],
)
async def test_a_run_whose_last_act_cancels_a_step_has_ended_and_does_not_wait(
    lab: Lab, ending: Workflow, status: str
) -> None:
    """The step is gone only after the commit, which leaves others their turn in a real engine."""

    async def cancel() -> None:
        while "slow" not in lab.state().steps:
            await trio.lowlevel.checkpoint()
        request_cancel(lab.log, "r", "cli:anna", "enough")

    lab.workflows[ending.reference] = ending
    async with lab.engine(kind=Engine) as engine, trio.open_nursery() as nursery:
        engine.create(ending, {}, run="r", folder=str(lab.folder))
        if ending is ends_cancelled:
            nursery.start_soon(cancel)
        with trio.fail_after(20):
            outcome = await engine.execute("r")

    assert (outcome.status, outcome.waiting) == (status, ())


async def test_a_waiting_child_that_lost_a_race_is_seen_off(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def child(run: Run) -> None:
        try:
            await run.approve("never")
        finally:
            await run.step("tidy", trio.sleep, 1)

    @workflow
    async def outer(run: Run) -> str:
        await run.race(run.child(child), run.step("quick", trio.sleep, 5))
        return "done"

    lab.workflows[child.reference] = child

    assert (await lab.run(outer)).output == "done"

    assert lab.state("r/child").status == "cancelled"
    assert lab.state("r/child").steps["tidy"].status == "succeeded"


async def test_what_ends_while_everything_is_stopped_is_finished_work(
    lab: Lab, autojump_clock: object
) -> None:
    calls: list[str] = []

    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(5)
        calls.append("deployed")
        return "deployed"

    @workflow
    async def deploys(run: Run) -> str:
        return str(await run.step("deploy", stubborn, effect=True))

    with trio.move_on_after(2):
        await lab.run(deploys)
    resumed = await lab.resume()

    assert (resumed.status, resumed.output, calls) == ("succeeded", "deployed", ["deployed"])


async def test_a_start_that_was_not_acted_upon_is_not_recorded_when_the_run_stops(
    lab: Lab, autojump_clock: object
) -> None:
    async def misuses(run: Run) -> None:
        await trio.sleep(1)

    @workflow
    async def wrong(run: Run) -> None:
        await run.step("first", trio.sleep, 0)
        await run.parallel(run.step("deploy", trio.sleep, 0, effect=True), misuses(run))

    with pytest.raises(NotDurable):
        await lab.run(wrong)

    assert list(lab.state().steps) == ["first"]
    assert lab.state().owner == ""


async def test_a_server_that_asks_for_no_patience_gets_some_all_the_same(
    tmp_path: Path, autojump_clock: object
) -> None:
    class Busy:
        asked = 0

        async def call(self, call: ModelCall, emit: Any) -> ModelResult:
            self.asked += 1
            if self.asked < 4:
                raise RateLimited("busy", until=1)
            return ModelResult(text="at last")

        def readiness(self) -> Readiness:
            return Readiness(True, "scripted")

        @hookimpl
        def holdfast_models(self) -> dict[str, Any]:
            return {"scripted/": self}

    @workflow
    async def asks(run: Run) -> str:
        return str(await run.model("ask", "Well?", model="scripted/one", backoff=0))

    lab = Lab(tmp_path, Busy())
    began = trio.current_time()

    assert (await lab.run(asks)).output == "at last"
    assert trio.current_time() - began >= 3
    lab.log.close()


async def test_a_child_that_cannot_be_seen_off_does_not_take_its_parent_down(
    lab: Lab, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    @workflow
    async def child(run: Run) -> None:
        await run.approve("never")

    @workflow
    async def outer(run: Run) -> str:
        await run.race(run.child(child), run.step("quick", trio.sleep, 5))
        return "done"

    async def full(self: Engine, run: str, **options: Any) -> Any:
        if run == "r/child":
            raise LogUnwritable("log", "the disk is full")
        return await execute(self, run, **options)

    execute = Engine.execute
    monkeypatch.setattr(Engine, "execute", full)
    lab.workflows[child.reference] = child

    assert (await lab.run(outer)).output == "done"
    assert lab.state("r/child").cancelling is not None


async def test_a_resume_reads_nothing_of_children_that_were_cancelled_long_ago(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    @workflow
    async def kid(run: Run) -> None:
        await run.wait("never")

    @workflow
    async def parent(run: Run) -> None:
        for name in ("a", "b", "c"):
            await run.race(run.sleep("1s"), run.child(kid, name=name))
        await run.wait("go on")

    lab.workflows[kid.reference] = kid
    await lab.run(parent)
    kids = [lab.log.run(f"r/{name}") for name in ("a", "b", "c")]
    assert {row.status for row in kids} == {"cancelled"}
    read: list[int] = []
    real = lab.log.records

    def records(branch: int, *args: Any) -> Iterator[Record]:
        read.append(branch)
        return real(branch, *args)

    monkeypatch.setattr(lab.log, "records", records)
    await lab.resume()

    assert lab.log.branch_of("r") in read
    assert not {row.branch for row in kids} & set(read)
