"""What is done only once it is on disk, and what is not done at all: found by the simulator."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.errors import RunReplaced
from holdfast.eventlog import (
    Batch,
    CancelRequested,
    ChildStarted,
    DoubtRaised,
    LogUnwritable,
    RunClaimed,
    RunReleased,
    SignalReceived,
    StepCancelled,
    StepStarted,
)
from holdfast.limits import Limits
from holdfast.reducer import ENDED
from holdfast.travel import Change, fork
from tests.support.lab import Counter, Lab, VirtualEngine, virtual_now


async def test_a_step_that_was_cancelled_before_its_start_was_on_disk_never_begins(
    lab: Lab, autojump_clock: object
) -> None:
    counter = Counter()

    @workflow
    async def raced(run: Run) -> None:
        await run.race(run.step("late", counter("late")), run.note("wins"))

    await lab.run(raced)

    assert [event.key for event in lab.events(kind=StepCancelled)] == ["late"]
    assert counter.calls == []


@workflow
async def waits(run: Run) -> None:
    await run.wait("never")


async def test_a_child_that_was_cancelled_before_its_start_was_on_disk_never_is(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def raced(run: Run) -> None:
        await run.race(run.child(waits), run.note("wins"))

    lab.workflows[waits.reference] = waits
    await lab.run(raced)

    assert [row.run for row in lab.log.runs()] == ["r"]


async def test_what_lost_a_race_is_not_stopped_before_the_end_of_the_race_is_on_disk(
    lab: Lab, autojump_clock: object
) -> None:
    """Else a commit that meets a moved branch leaves an effect cut short that is still wanted."""

    async def quick() -> None:
        await trio.sleep(0.5)
        news = SignalReceived("news")
        lab.log.append(1, [news], expected=lab.log.head(1), actor="cli:x", time=0)

    @workflow
    async def raced(run: Run) -> None:
        await run.race(run.step("deploy", trio.sleep, 100, effect=True), run.step("quick", quick))

    outcome = await lab.run(raced)

    assert outcome.status == "succeeded"
    assert lab.events(kind=DoubtRaised) == []
    assert sorted(event.key for event in lab.events(kind=StepStarted)) == ["deploy", "quick"]


async def test_a_child_is_told_that_nobody_wants_it_after_that_is_on_disk_and_surely_then(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def raced(run: Run) -> None:
        await run.race(run.child(waits), run.step("quick", trio.sleep, 1))

    def was_told(run: str) -> bool:
        child = f"{run}/waits"
        there = child in {row.run for row in lab.log.runs()}
        return there and bool(lab.events(child, kind=CancelRequested))

    lab.workflows[waits.reference] = waits
    crashed, at = True, 0
    while crashed:
        at += 1
        for after in (False, True):
            run = f"r{at}{after}"
            crashed = await lab.crash(raced, {}, at=at, after=after, run=run)
            if was_told(run):
                assert [event.key for event in lab.events(run, kind=StepCancelled)] == ["waits"]

            if lab.state(run).status not in ENDED:
                await lab.resume(run)
            assert was_told(run)
    assert at > 5


class OvertakenEngine(VirtualEngine):
    """Somebody signals right before a child's start is committed: nothing of that batch is written."""

    was_overtaken = False

    async def commit(self, batch: Batch) -> int:
        starts = any(isinstance(event, ChildStarted) for event in batch.events)
        if starts and not self.was_overtaken:
            self.was_overtaken = True
            head, news = self.log.head(batch.branch), SignalReceived("news")
            self.log.append(batch.branch, [news], expected=head, actor="cli:x", time=batch.time)
        return await super().commit(batch)


async def test_a_child_of_a_rewound_run_is_not_made_before_its_start_is_on_disk(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def quick(run: Run) -> None:
        await run.step("work", trio.sleep, 0)

    @workflow
    async def parent(run: Run) -> None:
        await run.child(quick, name="kid")

    lab.workflows[quick.reference] = quick
    await lab.run(parent)
    begun = next(n for n, event in enumerate(lab.events()) if isinstance(event, ChildStarted))
    rewind = Change("rewind", begun + 1)
    fork(lab.log, lab.load, "r", rewind, actor="cli:x", now=virtual_now())

    outcome = await lab.resume(kind=OvertakenEngine)

    assert outcome.status == "succeeded"
    names = [type(event).__name__ for event in lab.events()]
    assert names.index("SignalReceived") < len(names) - 1 - names[::-1].index("ChildStarted")


class RobbedEngine(VirtualEngine):
    """Another process takes the run over between the claim and the reading of the history."""

    async def _claim(self, run: str, *, takeover: bool) -> int:
        branch = await super()._claim(run, takeover=takeover)
        row = self.log.run(run)
        claim = RunClaimed("0" * 16, "elsewhere", 7)
        self.log.append(row.branch, [claim], expected=row.head, actor="engine", time=0)
        return branch


async def test_a_run_that_is_taken_over_before_its_history_was_read_is_let_be(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(waits)
    before = lab.state().offset

    with pytest.raises(RunReplaced, match="process 7 on 'elsewhere'"):
        await lab.resume(kind=RobbedEngine)

    assert lab.state().offset == before + 2


class SilentlyRobbedEngine(VirtualEngine):
    """Another process takes the run over right after the start of an effect, and dies before it rings."""

    async def commit(self, batch: Batch) -> int:
        head = await super().commit(batch)
        if isinstance(batch.events[-1], StepStarted):
            claim = RunClaimed("0" * 16, "elsewhere", 7)
            self.log.append(batch.branch, [claim], expected=head, actor="engine", time=0)
        return head


async def test_an_owner_that_finds_itself_replaced_before_an_effect_stops_at_once(
    lab: Lab, autojump_clock: object
) -> None:
    counter = Counter()

    @workflow
    async def deploys(run: Run) -> None:
        await run.step("deploy", counter("deploy"), effect=True)

    began = trio.current_time()
    with pytest.raises(RunReplaced, match="process 7 on 'elsewhere'"):
        await lab.run(deploys, kind=SilentlyRobbedEngine)

    assert counter.calls == []
    assert trio.current_time() == began


class FullDiskEngine(VirtualEngine):
    """Cannot write that it lets go of a run."""

    async def commit(self, batch: Batch) -> int:
        events: Sequence[Any] = batch.events
        if isinstance(events[-1], RunReleased):
            raise LogUnwritable(str(self.log.path), "the disk is full")
        return await super().commit(batch)


async def test_an_interrupted_run_gives_its_slots_back_also_when_the_disk_is_full(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def naps(run: Run, seconds: int) -> None:
        await run.step("nap", trio.sleep, seconds)

    lab.workflows[naps.reference] = naps
    async with lab.engine(kind=FullDiskEngine, limits=Limits(steps=1)) as engine:
        engine.create(naps, {"seconds": 100}, run="long")
        engine.create(naps, {"seconds": 1}, run="short")
        with trio.move_on_after(5), pytest.raises(LogUnwritable):
            await engine.execute("long")

        assert (await engine.execute("short")).status == "succeeded"
