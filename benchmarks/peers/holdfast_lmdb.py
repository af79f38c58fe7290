"""Holdfast on the work that all systems are given."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio

from holdfast import Run, workflow
from holdfast.engine import Engine
from holdfast.eventlog import Log
from holdfast.plugins import Plugins
from holdfast.reducer import State
from holdfast.reducer import replay as fold
from holdfast.travel import Change
from holdfast.travel import fork as leave

from ..sample import Sample, peak_bytes
from . import crash, work

FORKS = 50  # so many that their bytes show in pages


async def step(index: int) -> dict[str, Any]:
    return work.step(index)


@workflow
async def one_by_one(run: Run, steps: int) -> int:
    for index in range(steps):
        await run.step(f"step-{index}", step, index)
    return steps


@workflow
async def all_at_once(run: Run, steps: int) -> int:
    return len(await run.map(lambda index: run.step("work", step, index), range(steps)))


WORKFLOWS = {item.reference: item for item in (one_by_one, all_at_once)}


@asynccontextmanager
async def opened(folder: Path, *, warm: bool = True) -> AsyncGenerator[Engine]:
    """Open an engine on a log in a folder, and let it execute something short."""
    plugins = Plugins.load(installed=False)
    with Log.open(folder / "log") as log:
        async with Engine(log, plugins, WORKFLOWS.__getitem__) as engine:
            if warm:
                await engine.start(one_by_one, {"steps": work.WARM}, run=f"warm-{time.time_ns()}")
            yield engine


def sequence(folder: Path, *, steps: int) -> Sample:
    """Execute one run of `steps` steps, and leave it in the folder."""

    async def main() -> Sample:
        async with opened(folder) as engine:
            size, began = engine.log.used_bytes(), time.perf_counter()
            outcome = await engine.start(one_by_one, {"steps": steps}, run="run")
            seconds = time.perf_counter() - began
            assert outcome.status == "succeeded", outcome
            size = engine.log.used_bytes() - size
            return {"seconds": seconds, "bytes": size, "resident": peak_bytes()}

    return trio.run(main)


def fanout(folder: Path, *, steps: int) -> Sample:
    """Execute one run that maps over `steps` items."""

    async def main() -> Sample:
        async with opened(folder) as engine:
            began = time.perf_counter()
            outcome = await engine.start(all_at_once, {"steps": steps}, run="run")
            assert outcome.status == "succeeded", outcome
            return {"seconds": time.perf_counter() - began}

    return trio.run(main)


def runs(folder: Path, *, runs: int, steps: int) -> Sample:
    """Execute many runs in one nursery over one engine."""

    async def main() -> Sample:
        async with opened(folder) as engine:

            async def one(name: str) -> None:
                outcome = await engine.start(one_by_one, {"steps": steps}, run=name)
                assert outcome.status == "succeeded", outcome

            began = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for index in range(runs):
                    nursery.start_soon(one, f"run-{index}")
            return {"seconds": time.perf_counter() - began}

    return trio.run(main)


def resume(folder: Path, *, steps: int) -> Sample:
    return crash.resume("holdfast_lmdb", folder, steps)


def first(folder: Path, *, steps: int) -> Sample:
    """Execute the run that hangs in its last step."""
    work.watch.get_stuck(steps, crash.told(folder))

    async def main() -> None:
        async with opened(folder, warm=False) as engine:
            await engine.start(one_by_one, {"steps": steps + 1}, run="run")

    trio.run(main)
    raise AssertionError("it hangs until it is killed")


def second(folder: Path, *, steps: int) -> Sample:
    """Resume that run."""

    async def main() -> None:
        async with opened(folder, warm=False) as engine:
            outcome = await engine.execute("run")
            assert outcome.status == "succeeded", outcome

    trio.run(main)
    return {"at": work.watch.first(steps)}


def replay(folder: Path, *, steps: int) -> Sample:
    """Read the history of the run in the folder, with all results."""
    with Log.open(folder / "log", create=False) as log:
        began = time.perf_counter()
        state = fold(log.records(log.branch_of("run")))
        results = [msgspec.msgpack.decode(log.load(s.result)) for s in state.steps.values()]
        seconds = time.perf_counter() - began
    assert len(results) == steps, len(results)
    return {"seconds": seconds}


def fork(folder: Path, *, steps: int) -> Sample:
    """Fork the run in the folder in the middle: several times, then once to let it go on."""

    async def main() -> Sample:
        async with opened(folder) as engine:
            offset = _offset_of(engine.log, steps // 2)
            size, began = engine.log.used_bytes(), time.perf_counter()
            for index in range(FORKS):
                make_fork(engine.log, f"fork-{index}", offset)
            seconds = (time.perf_counter() - began) / FORKS
            size = engine.log.used_bytes() - size
            return {
                "seconds": seconds,
                "bytes": size / FORKS,
                "first": await _first_step_of_fork(engine, offset, steps // 2),
            }

    return trio.run(main)


def make_fork(log: Log, name: str, offset: int) -> None:
    """Make a fork as `holdfast fork` makes one."""
    change = Change("fork", at=offset)
    leave(log, lambda _: one_by_one, "run", change, actor="cli:benchmark", id=name)


async def _first_step_of_fork(engine: Engine, offset: int, expected: int) -> float:
    work.watch.arm()
    began = time.monotonic()
    make_fork(engine.log, "fork", offset)
    outcome = await engine.execute("fork", workflow=one_by_one)
    assert outcome.status == "succeeded", outcome
    return work.watch.first(expected) - began


def _offset_of(log: Log, index: int) -> int:
    """Return where a step of the run in the folder began."""
    state: State = fold(log.records(log.branch_of("run")))
    return next(s.offset for s in state.steps.values() if s.key.endswith(f"step-{index}"))
