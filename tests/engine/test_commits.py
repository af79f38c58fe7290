"""Many runs in one process: their commits share flushes, and none is lost or left waiting."""

import errno
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trio

from holdfast import Run, workflow
from holdfast.commits import Committer
from holdfast.engine import Engine
from holdfast.errors import RunBusy
from holdfast.eventlog import (
    Batch,
    BranchMoved,
    Log,
    LogClosed,
    NewRun,
    RunClaimed,
    RunExists,
    RunStarted,
)
from holdfast.plugins import Plugins


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "log") as log:
        yield log


def new_run(name: str) -> NewRun:
    return NewRun(name, [RunStarted(name, "w")], "test", 1)


@pytest.mark.parametrize("slow_s", [0, math.inf])
async def test_what_is_asked_for_at_once_is_flushed_at_once(log: Log, slow_s: float) -> None:
    committer = Committer(log, slow_s=slow_s)
    branches: list[int] = []

    async def one(name: str) -> None:
        branches.append(await committer.write(new_run(name), alone=False))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.run)
        async with trio.open_nursery() as writers:
            for index in range(100):
                writers.start_soon(one, f"run-{index}")
        committer.close()

    assert sorted(branches) == list(range(1, 101))
    assert log.commits <= 3


async def test_each_hears_of_its_own_refusal(log: Log) -> None:
    committer = Committer(log)
    heard: list[str] = []

    async def one(item: NewRun | Batch) -> None:
        try:
            heard.append(f"branch {await committer.write(item, alone=False)}")
        except (RunExists, BranchMoved) as error:
            heard.append(error.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.run)
        async with trio.open_nursery() as writers:
            writers.start_soon(one, new_run("a"))
            writers.start_soon(one, new_run("a"))
        await one(Batch(1, [], 7, "test", 1))
        committer.close()

    assert sorted(heard[:2]) == ["branch 1", "run_exists"]
    assert heard[2] == "branch_moved"


@pytest.mark.parametrize("alone", [False, True])
async def test_a_log_that_cannot_be_written_fails_the_commit(log: Log, *, alone: bool) -> None:
    committer = Committer(log)
    log.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.run)
        with pytest.raises(LogClosed):
            await committer.write(new_run("a"), alone=alone)
        committer.close()


@pytest.mark.parametrize("alone", [False, True])
async def test_a_defect_below_the_log_is_raised_by_whoever_waits(
    log: Log, monkeypatch: pytest.MonkeyPatch, *, alone: bool
) -> None:
    def broken(_items: object) -> list[int | Exception]:
        raise OSError(errno.EIO, "no such luck")

    monkeypatch.setattr(log, "write_each", broken)
    monkeypatch.setattr(log, "write_one", broken)
    committer = Committer(log)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.run)
        with pytest.raises(OSError, match="no such luck"):
            await committer.write(new_run("a"), alone=alone)
        committer.close()


@workflow
async def hangs(run: Run) -> None:
    await run.step("hang", trio.sleep_forever)


async def test_runs_that_are_interrupted_together_are_all_let_go(log: Log) -> None:
    with trio.move_on_after(0.2):
        async with (
            Engine(log, Plugins.load(installed=False), lambda _: hangs) as engine,
            trio.open_nursery() as nursery,
        ):
            for index in range(20):
                nursery.start_soon(start, engine, f"run-{index}")

    assert len(log.runs()) == 20
    assert {row.owner for row in log.runs()} == {""}


async def start(engine: Engine, name: str) -> None:
    await engine.start(hangs, {}, run=name)


async def test_one_engine_executes_a_run_once_and_again_after_it_could_not_let_go(log: Log) -> None:
    async with Engine(log, Plugins.load(installed=False), lambda _: quick) as engine:
        engine.create(quick, {}, run="r")
        busy = 0

        async def execute() -> None:
            nonlocal busy
            try:
                await engine.execute("r")
            except RunBusy:
                busy += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(execute)
            nursery.start_soon(execute)
        claim = RunClaimed(engine.owner.token)
        log.create_run(
            "left",
            [RunStarted("left", "quick", input=msgspec.Raw(b"\x80")), claim],
            actor="engine",
            time=1,
        )
        left = await engine.execute("left")

    assert (busy, log.run("r").status, left.status) == (1, "succeeded", "succeeded")


@workflow
async def quick(run: Run) -> None:
    await run.step("quick", trio.sleep, 0)
