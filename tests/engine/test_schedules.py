"""Schedules: each tick starts its run once, whoever serves, whatever crashes; what was missed is stated."""

import datetime
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from holdfast import Run, schedules, workflow
from holdfast.engine import Engine
from holdfast.errors import ScheduleExists, ScheduleInvalid
from holdfast.eventlog import (
    Batch,
    BranchMoved,
    Log,
    NewRun,
    NoSuchRun,
    NoSuchSchedule,
    RunRow,
    ScheduleTicked,
    verify,
)
from holdfast.reducer import InputInvalid, NotAWorkflow, Workflow
from holdfast.serving import Happening, Server
from tests.support.lab import EPOCH, Lab, virtual_now

MINUTE, HOUR, DAY = 60, 3600, 86_400


@workflow
async def greets(run: Run, name: str = "you") -> str:
    return f"hello {name}"


@workflow
async def waits(run: Run) -> None:
    await run.wait("enough")


def made(engine: Engine, flow: Workflow, **given: Any) -> NewRun:
    return engine.prepare(flow, given, run="", folder="", source="")


async def add(
    lab: Lab, cron: str, flow: Workflow = greets, name: str = "s", **options: Any
) -> RunRow:
    """Add a schedule as a person would. The lab's time begins on Friday, 2027-01-15, at 08:00 UTC."""
    lab.workflows[flow.reference] = flow
    given = options.pop("given", {})
    options = {"zone": "UTC", "actor": "cli:anna", "now": virtual_now(), **options}
    async with lab.engine() as engine:
        return schedules.add_schedule(
            lab.log, name, made(engine, flow, **given), cron=cron, **options
        )


@asynccontextmanager
async def served(lab: Lab, servers: int = 1) -> AsyncGenerator[list[Happening]]:
    told: list[Happening] = []
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(lab.engine(linger_s=1.0, serves=True))
            for _ in range(servers)
        ]
        async with trio.open_nursery() as nursery:
            for engine in engines:
                nursery.start_soon(Server(engine, told.append).run)
            await trio.sleep(0.01)
            yield told
            nursery.cancel_scope.cancel()


def ticks(lab: Lab, name: str = "s") -> list[ScheduleTicked]:
    records = lab.log.records(lab.log.schedule(name).branch)
    return [record.event for record in records if isinstance(record.event, ScheduleTicked)]


def outcomes(lab: Lab) -> list[tuple[str, str]]:
    """Return what became of each tick, with its time of day."""
    return [(at(event.tick), event.outcome) for event in ticks(lab)]


def at(moment: int) -> str:
    return f"{datetime.datetime.fromtimestamp(moment // 10**9, datetime.UTC):%d %H:%M}"


def runs(lab: Lab) -> dict[str, str]:
    return {row.run: row.status for row in reversed(lab.log.runs())}


async def test_a_run_starts_when_it_is_due_and_not_before(lab: Lab, autojump_clock: object) -> None:
    async with served(lab) as told:
        await add(lab, "2,4 8 * * *", given={"name": "anna"})  # the server is told at once
        await trio.sleep(2 * MINUTE - 1)
        assert runs(lab) == {}
        await trio.sleep(1.1)
        assert runs(lab) == {"s-2027-01-15T0802Z": "succeeded"}
        await trio.sleep(2 * MINUTE)

    assert runs(lab) == {f"s-2027-01-15T080{minute}Z": "succeeded" for minute in (2, 4)}
    assert [happening.what for happening in told] == ["started", "goes on", "succeeded"] * 2
    first = next(lab.log.records(lab.log.branch_of("s-2027-01-15T0802Z")))
    assert first.actor == "schedule:s"
    assert lab.replays("s-2027-01-15T0802Z")
    assert at(schedules.next_tick(lab.log.schedule("s"))) == "16 08:02"


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", [("18 08:00", "missed"), ("19 08:00", "started")]),
        ("once", [("18 08:00", "started"), ("19 08:00", "started")]),
        ("all", [(f"{day} 08:00", "started") for day in (16, 17, 18, 19)]),
    ],
)
async def test_what_was_missed_is_made_up_for_as_the_schedule_says(
    lab: Lab, autojump_clock: object, missed: str, expected: list[tuple[str, str]]
) -> None:
    await add(lab, "0 8 * * *", missed=missed, overlap="allow")
    await trio.sleep(4 * DAY - MINUTE)

    async with served(lab):
        await trio.sleep(2 * MINUTE)

    assert outcomes(lab) == expected
    assert [event.run for event in ticks(lab) if event.run] == [*runs(lab)]
    others = {"skip": [2, 0], "once": [2, 0], "all": [0] * 4}
    assert [event.others for event in ticks(lab)] == others[missed]


async def test_of_many_missed_ones_the_newest_are_made_up_for(
    lab: Lab, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.ticking.MOST_STARTED", 5)
    await add(lab, "* * * * *", missed="all", overlap="allow")
    await trio.sleep(110 * MINUTE + 1)

    async with served(lab):
        await trio.sleep(1)

    assert ticks(lab)[0].outcome == "missed"
    assert ticks(lab)[0].others == 104
    assert len(runs(lab)) == 5
    assert ticks(lab)[-1].run == "s-2027-01-15T0950Z"


async def test_a_tick_that_is_a_few_seconds_late_was_not_missed(
    lab: Lab, autojump_clock: object
) -> None:
    await add(lab, "5 8 * * *", missed="skip")
    await trio.sleep(5 * MINUTE + 30)

    async with served(lab):
        await trio.sleep(1)

    assert outcomes(lab) == [("15 08:05", "started")]


@pytest.mark.parametrize(
    ("overlap", "before", "after"),
    [
        ("skip", ["started", "overlapped", "overlapped"], []),
        ("queue", ["started", "queued", "queued"], ["started", "started"]),
        ("allow", ["started"] * 3, []),
    ],
)
async def test_a_run_that_goes_on_still_is_not_joined_unless_the_schedule_says_so(
    lab: Lab, autojump_clock: object, overlap: str, before: list[str], after: list[str]
) -> None:
    async with served(lab):
        await add(lab, "1-3 8 * * *", waits, overlap=overlap)
        await trio.sleep(4 * MINUTE)
        assert [event.outcome for event in ticks(lab)] == before

        for _ in range(3):
            for run, status in runs(lab).items():
                if status == "waiting":
                    lab.append_unheard(*enough(), run=run)
            await trio.sleep(5)

    assert [event.outcome for event in ticks(lab)] == before + after
    assert set(runs(lab).values()) == {"succeeded"}
    assert lab.log.schedule("s").waiting == []


def enough() -> list[Any]:
    from holdfast.eventlog import NONE, SignalReceived

    return [SignalReceived("enough", NONE)]


async def test_what_is_queued_is_started_by_who_serves_next(
    lab: Lab, autojump_clock: object
) -> None:
    await add(lab, "1,2 8 * * *", waits, overlap="queue")
    async with served(lab):
        await trio.sleep(3 * MINUTE)
    lab.append_unheard(*enough(), run="s-2027-01-15T0801Z")

    async with served(lab):
        await trio.sleep(5)

    assert runs(lab) == {"s-2027-01-15T0801Z": "succeeded", "s-2027-01-15T0802Z": "waiting"}


async def test_two_servers_start_each_tick_once(lab: Lab, autojump_clock: object) -> None:
    async with served(lab, servers=2) as told:
        await add(lab, "* * * * *")
        await trio.sleep(5 * MINUTE + 1)

    assert [outcome for _, outcome in outcomes(lab)] == ["started"] * 5
    assert len(runs(lab)) == 5
    assert set(runs(lab).values()) == {"succeeded"}
    assert [happening.what for happening in told].count("started") == 5


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_the_tick_leaves_run_and_tick_or_neither(
    lab: Lab, autojump_clock: object, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        """The process ends here."""

    write_one = Log.write_one

    def crash(log: Log, item: Batch | NewRun) -> int:
        if isinstance(item, NewRun):
            if after:
                write_one(log, item)
            raise Crash
        return write_one(log, item)

    await add(lab, "1 8 * * *")
    monkeypatch.setattr(Log, "write_one", crash)
    with pytest.RaisesGroup(Crash, flatten_subgroups=True):
        async with served(lab):
            await trio.sleep(2 * MINUTE)
    monkeypatch.setattr(Log, "write_one", write_one)
    assert len(ticks(lab)) == len(runs(lab)) == after

    async with served(lab):
        await trio.sleep(1)

    assert outcomes(lab) == [("15 08:01", "started")]
    assert runs(lab) == {"s-2027-01-15T0801Z": "succeeded"}


async def test_nothing_is_started_where_the_schedule_was_ended_in_between(
    lab: Lab, autojump_clock: object
) -> None:
    row = await add(lab, "1 8 * * *")
    async with lab.engine() as engine:
        new = made(engine, greets)
    event = ScheduleTicked(1, "started", 2, "r")
    beside = Batch(row.branch, [event], row.head, "engine", EPOCH)
    schedules.remove(lab.log, "s", "cli:bo", now=EPOCH)

    with pytest.raises(BranchMoved):
        lab.log.write_one(replace(new, run="r", beside=beside))

    assert runs(lab) == {}
    assert verify(lab.log).ok


async def test_a_workflow_that_is_gone_is_told_with_the_tick_and_tried_again_at_the_next(
    lab: Lab, autojump_clock: object
) -> None:
    there = lab.load

    def gone(reference: str) -> Workflow:
        raise NotAWorkflow("it is gone")

    lab.load = gone  # type: ignore[method-assign]
    async with served(lab) as told:
        await add(lab, "1 8 * * *")
        await trio.sleep(MINUTE + 1)
        assert [(one.what, one.code) for one in told] == [("refused", "not_a_workflow")]
    assert lab.log.schedule("s").error_message == "it is gone"
    lab.load = there  # type: ignore[method-assign]
    await trio.sleep(DAY - MINUTE)

    async with served(lab):
        await trio.sleep(MINUTE)

    assert [outcome for _, outcome in outcomes(lab)] == ["refused", "started"]
    assert lab.log.schedule("s").error_message == ""


async def test_a_run_of_that_id_that_somebody_else_made_is_left_alone(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(greets, run="s-2027-01-15T0801Z")
    async with served(lab):
        await add(lab, "1 8 * * *")
        await trio.sleep(2 * MINUTE)

    assert [(event.outcome, event.error and event.error.code) for event in ticks(lab)] == [
        ("refused", "run_exists")
    ]


async def test_a_paused_schedule_starts_nothing_and_makes_up_for_nothing(
    lab: Lab, autojump_clock: object
) -> None:
    async with served(lab):
        await add(lab, "* * * * *", missed="all")
        schedules.pause(lab.log, "s", "cli:anna", now=virtual_now())
        schedules.pause(lab.log, "s", "cli:anna", now=virtual_now())
        await trio.sleep(3 * MINUTE)
        assert runs(lab) == {}
        schedules.unpause(lab.log, "s", "cli:anna", now=virtual_now())
        schedules.unpause(lab.log, "s", "cli:anna", now=virtual_now())
        await trio.sleep(MINUTE)

    assert [*runs(lab)] == ["s-2027-01-15T0804Z"]


async def test_a_removed_schedule_starts_nothing_and_its_name_is_free(
    lab: Lab, autojump_clock: object
) -> None:
    async with served(lab):
        await add(lab, "1 8 * * *")
        with pytest.raises(ScheduleExists, match="holdfast schedule remove s"):
            await add(lab, "2 8 * * *")
        schedules.remove(lab.log, "s", "cli:anna", now=virtual_now())
        with pytest.raises(NoSuchSchedule, match="no schedule is called 's'"):
            schedules.pause(lab.log, "s", "cli:anna")
        assert schedules.schedules(lab.log) == []
        await add(lab, "3 8 * * *")
        await trio.sleep(5 * MINUTE)

    assert [*runs(lab)] == ["s-2027-01-15T0803Z"]
    assert verify(lab.log).ok


async def test_a_local_time_is_kept_over_a_change_of_the_clocks(
    lab: Lab, autojump_clock: object
) -> None:
    await trio.sleep(70 * DAY + 20 * HOUR)
    await add(lab, "30 2 * * *", zone="Europe/Berlin", missed="all", overlap="allow")
    await trio.sleep(3 * DAY)

    async with served(lab):
        await trio.sleep(1)

    assert [at(event.tick) for event in ticks(lab)] == ["28 01:00", "29 00:30", "30 00:30"]


async def test_what_does_not_fit_is_refused_before_anything_is_written(
    lab: Lab, autojump_clock: object
) -> None:
    with pytest.raises(InputInvalid, match=r"\$\.name"):
        await add(lab, "0 8 * * *", given={"name": 7})
    with pytest.raises(ScheduleInvalid, match="its hour is '25'"):
        await add(lab, "0 25 * * *")
    with pytest.raises(ScheduleInvalid, match="'a b' cannot be the name"):
        await add(lab, "0 8 * * *", name="a b")
    with pytest.raises(ScheduleInvalid, match="no such day in 50 years"):
        await add(lab, "0 8 */30 2 1#5")

    assert lab.log.size() == 0


async def test_a_schedule_is_no_run_and_the_record_says_who_added_it(
    lab: Lab, autojump_clock: object
) -> None:
    row = await add(lab, "0 8 * * *")

    assert lab.log.runs() == []
    for look in (lab.log.run, lab.log.branch_of):
        with pytest.raises(NoSuchRun):
            look("@s")
    record, added = schedules.addition(lab.log, row)
    assert (record.actor, added.cron, added.zone) == ("cli:anna", "0 8 * * *", "UTC")
    lab.log.rebuild()
    assert schedules.schedules(lab.log) == [row]
    assert verify(lab.log).ok
