"""Serving: each run that has work goes on at once, and nothing is done about the others."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.engine import Engine
from holdfast.errors import AlreadyServed, RunBusy, RunEnded
from holdfast.eventlog import RunClaimed, RunReleased, RunRow, StepSucceeded, ring
from holdfast.pausing import pause, unpause
from holdfast.reducer import NotAWorkflow, Workflow
from holdfast.runs import answer_question, request_cancel, send_signal
from holdfast.servers import leave_to_server, only_server, server_of
from holdfast.serving import Happening, Server
from holdfast.travel import Change, fork
from tests.support.lab import Counter, Lab, virtual_now

count = Counter()


@pytest.fixture(autouse=True)
def uncounted() -> None:
    count.calls.clear()


@workflow
async def asks(run: Run) -> str:
    first = await run.step("first", count("first"))
    await run.approve("go")
    return first + " " + str(await run.step("second", count("second")))


@workflow
async def naps(run: Run, seconds: int = 600) -> str:
    await run.sleep(seconds)
    return "awake"


@workflow
async def hears(run: Run) -> Any:
    return await run.wait("news")


@workflow
async def works(run: Run, seconds: float = 100) -> str:
    await run.step("first", count("first"))
    await run.step("long", trio.sleep, seconds)
    return "done"


class Served:
    """An engine that serves a lab's runs, and what it told."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.told: list[Happening] = []

    def of(self, run: str = "r") -> list[str]:
        return [happening.what for happening in self.told if happening.run == run]


@asynccontextmanager
async def serving(lab: Lab, **options: Any) -> AsyncGenerator[Served]:
    async with lab.engine(linger_s=1.0, serves=True, **options) as engine:
        served = Served(engine)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Server(engine, served.told.append).run)
            await trio.sleep(0.01)
            yield served
            nursery.cancel_scope.cancel()


async def waiting(lab: Lab, flow: Workflow, run: str = "r", **given: Any) -> None:
    """Let a run come to where it waits."""
    outcome = await lab.run(flow, given, run)
    assert outcome.status == "waiting"


def make(lab: Lab, engine: Engine, flow: Workflow, run: str = "r", **given: Any) -> None:
    lab.workflows[flow.reference] = flow
    engine.create(flow, given, run=run, folder=str(lab.folder))


async def test_an_approved_run_goes_on_within_a_tenth_of_a_second(
    lab: Lab, autojump_clock: object
) -> None:
    await waiting(lab, asks)

    async with serving(lab) as served:
        lab.approve()
        await trio.sleep(0.1)

        assert lab.state().status == "succeeded"
        assert served.of() == ["goes on", "succeeded"]
    assert count.calls == ["first", "second"]


async def test_what_was_decided_while_nobody_served_is_taken_up_at_the_start(
    lab: Lab, autojump_clock: object
) -> None:
    await waiting(lab, asks)
    lab.approve()

    async with serving(lab):
        await trio.sleep(0.1)

    assert lab.state().status == "succeeded"


async def test_an_answer_and_a_signal_let_their_runs_go_on(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def curious(run: Run) -> int:
        return await run.ask("how many", "How many?", output=int)

    await waiting(lab, curious, "a")
    await waiting(lab, hears, "b")

    async with serving(lab) as served:
        answer_question(lab.log, "a", None, 3, by="anna", actor="cli:anna", now=virtual_now())
        send_signal(lab.log, "b", "news", 7, "cli:anna", now=virtual_now())
        await trio.sleep(0.1)

        assert [served.engine.outcome(run).output for run in "ab"] == [3, 7]


async def test_a_cancelled_run_is_cancelled_here(lab: Lab, autojump_clock: object) -> None:
    await waiting(lab, asks)

    async with serving(lab):
        request_cancel(lab.log, "r", "cli:anna", now=virtual_now())
        await trio.sleep(0.1)

    assert lab.state().status == "cancelled"


async def test_a_timer_fires_when_it_is_due(lab: Lab, autojump_clock: object) -> None:
    await waiting(lab, naps, seconds=600)
    begun = trio.current_time()

    async with serving(lab) as served:
        while not served.of():
            await trio.sleep(1)
        await trio.sleep(0.1)

    assert lab.state().status == "succeeded"
    assert 590 < trio.current_time() - begun < 605


async def test_a_timer_that_fell_due_before_fires_at_the_start(
    lab: Lab, autojump_clock: object
) -> None:
    await waiting(lab, naps, seconds=600)
    await trio.sleep(700)

    async with serving(lab):
        await trio.sleep(0.1)

    assert lab.state().status == "succeeded"


async def test_a_gate_expires_when_its_time_runs_out(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def hurried(run: Run) -> bool:
        return bool((await run.approve("now", expires=600, on_deny="return")).approved)

    await waiting(lab, hurried)

    async with serving(lab) as served:
        await trio.sleep(700)

        assert served.engine.outcome("r").output is False


async def test_a_dead_owners_run_is_taken_over_and_no_finished_step_done_again(
    lab: Lab, autojump_clock: object
) -> None:
    assert await lab.crash(asks, {}, at=2, after=True)

    async with serving(lab) as served:
        await trio.sleep(0.1)

        assert served.of() == ["goes on", "waiting"]
    assert count.calls == ["first"]


async def test_an_owner_that_dies_is_found_out_at_the_next_look(
    lab: Lab, autojump_clock: object
) -> None:
    async with serving(lab) as served:
        assert await lab.crash(asks, {}, at=2, after=True)
        await trio.sleep(1.5)

        assert served.of() == ["goes on", "waiting"]


async def test_a_living_owners_run_is_left_to_it(lab: Lab, autojump_clock: object) -> None:
    async with serving(lab) as served:
        await lab.run(works, {"seconds": 50})

        assert served.told == []
    assert len(lab.events(kind=RunClaimed)) == 1


async def test_a_paused_run_is_left_alone_until_it_may_go_on(
    lab: Lab, autojump_clock: object
) -> None:
    await waiting(lab, asks)
    await waiting(lab, naps, "n")
    pause(lab.log, "r", "cli:anna", now=virtual_now())
    pause(lab.log, "n", "cli:anna", now=virtual_now())

    async with serving(lab) as served:
        lab.approve()
        await trio.sleep(700)
        assert served.told == []
        unpause(lab.log, "r", "cli:anna", now=virtual_now())
        unpause(lab.log, "n", "cli:anna", now=virtual_now())
        await trio.sleep(0.1)

    assert [lab.state(run).status for run in "rn"] == ["succeeded", "succeeded"]


async def test_a_stopped_run_is_reported_once_and_left_alone_until_it_changes(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def broken(run: Run) -> None:
        await run.approve("go")
        await trio.sleep(1)  # what a workflow may not do

    await waiting(lab, broken)

    async with serving(lab) as served:
        lab.approve()
        await trio.sleep(30)
        assert served.of() == ["goes on", "stopped"]
        send_signal(lab.log, "r", "again", None, "cli:anna", now=virtual_now())
        await trio.sleep(30)

        assert served.of() == ["goes on", "stopped"] * 2
    assert [e.reason for e in lab.events(kind=RunReleased)] == ["waiting", "stopped", "stopped"]


async def test_a_run_whose_workflow_is_gone_is_reported_once_and_disturbs_nobody(
    lab: Lab, autojump_clock: object
) -> None:
    await waiting(lab, asks, "lost")
    await waiting(lab, naps, "lost-timer")
    await waiting(lab, hears, "fine")
    there = lab.load

    def load(reference: str) -> Workflow:
        if reference in (asks.reference, naps.reference):
            raise NotAWorkflow("it is gone")
        return there(reference)

    lab.load = load  # type: ignore[method-assign]
    async with serving(lab) as served:
        lab.approve(run="lost")
        send_signal(lab.log, "fine", "news", 1, "cli:anna", now=virtual_now())
        await trio.sleep(700)

        assert served.of("lost") == served.of("lost-timer") == ["goes on", "stopped"]
        assert served.of("fine") == ["goes on", "succeeded"]
        lab.load = there  # type: ignore[method-assign]
        served.engine.load = there
        leave_to_server(lab.log, "lost", "cli:anna", now=virtual_now())
        await trio.sleep(0.1)
        assert lab.state("lost").status == "succeeded"


async def test_many_waiting_runs_are_not_touched(
    lab: Lab, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab.engine(linger_s=0) as engine:
        for number in range(100):
            make(lab, engine, asks if number % 2 else naps, f"w{number}")
            await engine.execute(f"w{number}")
    loaded: list[str] = []
    rows: list[str] = []
    there, row_of = lab.load, lab.log.run

    def load(reference: str) -> Workflow:
        loaded.append(reference)
        return there(reference)

    def look(run: str) -> RunRow:
        rows.append(run)
        return row_of(run)

    lab.load = load  # type: ignore[method-assign]
    async with serving(lab) as served:
        monkeypatch.setattr(lab.log, "run", look)
        monkeypatch.setattr(lab.log, "runs", None)
        lab.approve(run="w1")
        await trio.sleep(20)
        for _ in range(50):
            ring(lab.log.path)
            await trio.sleep(0.1)

        assert {happening.run for happening in served.told} == {"w1"}
    assert loaded == [asks.reference]
    assert set(rows) == {"w1"}


async def test_a_child_that_is_approved_goes_on_with_its_parent(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def outer(run: Run) -> str:
        return "outer " + str(await run.child(asks))

    lab.workflows[asks.reference] = asks
    await waiting(lab, outer)

    async with serving(lab) as served:
        lab.approve(run="r/asks")
        await trio.sleep(0.1)

        assert served.engine.outcome("r").output == "outer first second"
        assert {happening.run for happening in served.told} == {"r"}


@pytest.mark.parametrize("serves_meanwhile", [True, False])
async def test_a_child_that_ended_elsewhere_lets_its_parent_go_on(
    lab: Lab, autojump_clock: object, serves_meanwhile: bool
) -> None:
    @workflow
    async def outer(run: Run) -> str:
        return "outer " + str(await run.child(naps))

    lab.workflows[naps.reference] = naps
    await waiting(lab, outer)

    async def elsewhere() -> None:
        async with lab.engine(linger_s=10_000) as other:
            await other.execute("r/naps")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(elsewhere)
        await trio.sleep(0.1)
        if not serves_meanwhile:
            await trio.sleep(700)
        async with serving(lab) as served:
            await trio.sleep(700)
            assert served.engine.outcome("r").output == "outer awake"


async def test_a_run_left_to_the_server_begins_and_one_just_made_does_not(
    lab: Lab, autojump_clock: object
) -> None:
    async with serving(lab) as served:
        make(lab, served.engine, asks, "made")
        make(lab, served.engine, asks, "left")
        leave_to_server(lab.log, "left", "cli:anna", now=virtual_now())
        await trio.sleep(5)

        assert [happening.run for happening in served.told] == ["left", "left"]
    assert len(lab.events("made")) == 1
    assert lab.replays("left")


async def test_a_fork_begins_when_somebody_says_so(lab: Lab, autojump_clock: object) -> None:
    await waiting(lab, asks)

    async with serving(lab) as served:
        fork(lab.log, lab.load, "r", Change("fork"), actor="cli:a", id="f", now=virtual_now())
        await trio.sleep(5)
        assert served.told == []
        leave_to_server(lab.log, "f", "cli:anna", now=virtual_now())
        await trio.sleep(0.1)

        assert served.of("f") == ["goes on", "waiting"]


async def test_what_a_person_interrupted_stays_so_and_what_a_server_did_goes_on(
    lab: Lab, autojump_clock: object
) -> None:
    with trio.move_on_after(5):
        await lab.run(works, run="person")
    async with serving(lab) as served:
        make(lab, served.engine, works, "server")
        leave_to_server(lab.log, "server", "cli:anna", now=virtual_now())
        await trio.sleep(5)

    assert served.of("server") == ["goes on", "interrupted"]
    assert lab.events("server", kind=RunReleased)[-1].reason == "interrupted"
    async with serving(lab) as served:
        await trio.sleep(200)
    assert served.of("server") == ["goes on", "succeeded"]
    assert served.of("person") == []
    assert [e.key for e in lab.events("server", kind=StepSucceeded)] == ["first", "long"]
    assert count.calls == ["first", "first"]


async def test_what_has_an_owner_or_has_ended_is_not_left_to_a_server(
    lab: Lab, autojump_clock: object
) -> None:
    async with lab.engine() as engine, trio.open_nursery() as nursery:
        make(lab, engine, works)
        nursery.start_soon(engine.execute, "r")
        await trio.sleep(1)
        with pytest.raises(RunBusy):
            leave_to_server(lab.log, "r", "cli:anna")

    with pytest.raises(RunEnded):
        leave_to_server(lab.log, "r", "cli:anna")


def test_one_process_serves_a_log_and_a_second_is_told_which(lab: Lab) -> None:
    import os

    assert server_of(lab.log.path) == 0
    with only_server(lab.log.path):
        assert server_of(lab.log.path) == os.getpid()
        with (
            pytest.raises(
                AlreadyServed, match=f"process {os.getpid()} serves .*kill {os.getpid()}"
            ),
            only_server(lab.log.path),
        ):
            raise AssertionError("two serve it")

    assert server_of(lab.log.path) == 0
