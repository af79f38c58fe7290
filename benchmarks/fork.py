"""A fork in the middle of a long run: until it is made, until its first new step, and the bytes it adds."""

import time
from pathlib import Path

import trio

from holdfast import Run, workflow
from holdfast.eventlog import Log
from holdfast.travel import Change, fork

from . import lab
from .figures import Figure, at_most, ratios
from .sample import Bench, Sample

STEPS = 10_000
FORKS = 20


class Begun(BaseException):
    """The fork's first new step has begun, and nothing more is to be measured."""


_forked_at = 0.0
_seconds: list[float] = []


async def last() -> None:
    """End the original at once, and a fork as soon as it gets here."""
    if _forked_at:
        _seconds.append(time.perf_counter() - _forked_at)
        raise Begun


@workflow
async def halves(run: Run, steps: int) -> None:
    for index in range(steps // 2):
        await run.step(f"step-{index}", lab.nothing, index)
    await run.step("middle", last)
    for index in range(steps // 2, steps):
        await run.step(f"step-{index}", lab.nothing, index)


def _fork(log: Log, name: str | None = None) -> str:
    change = Change("fork", at="middle")
    return fork(log, lambda _: halves, "run", change, actor="cli:benchmark", id=name)[0]


def made(folder: Path, *, steps: int, forks: int) -> Sample:
    """Fork a recorded run before the step in its middle, several times."""
    with lab.recorded(folder, halves, steps) as log:
        before, began = log.used_bytes(), time.perf_counter()
        for _ in range(forks):
            _fork(log)
        seconds = time.perf_counter() - began
        return {"seconds": seconds / forks, "bytes": (log.used_bytes() - before) / forks}


def gone_on(folder: Path, *, steps: int) -> Sample:
    """Fork a recorded run and execute the fork up to its first new step."""
    global _forked_at
    with lab.recorded(folder, halves, steps) as log:
        before, _forked_at = log.used_bytes(), time.perf_counter()

        async def execute() -> None:
            async with lab.engine_on(log, [halves]) as engine:
                await engine.execute(_fork(log))

        try:
            trio.run(execute)
        except* Begun:
            pass
        return {"seconds": _seconds[0], "bytes": log.used_bytes() - before}


def measure(bench: Bench) -> list[Figure]:
    """Time forks beside raw commits."""
    raw: list[float] = []
    ours: list[float] = []
    first: list[float] = []
    sizes: list[float] = []
    for _ in range(bench.rounds(3)):
        raw.append(bench.take("raw:commits", count=FORKS, each=1)["seconds"] / FORKS * 1e3)
        sample = bench.take("fork:made", steps=STEPS, forks=FORKS)
        ours.append(sample["seconds"] * 1e3)
        sample = bench.take("fork:gone_on", steps=STEPS)
        first.append(sample["seconds"])
        sizes.append(sample["bytes"])
    where = f"in the middle of {STEPS:,} steps"
    return [
        Figure("fork: raw LMDB, one event a commit", "ms", raw),
        Figure(f"fork: {where}", "ms", ours, at_most(50.0)),
        ratios("fork: beside raw LMDB", ours, raw, None),
        Figure(f"fork: {where}, to its first new step", "s", first, at_most(1.0)),
        Figure("fork: bytes added until then", "bytes", sizes, at_most(16 * 1024)),
    ]
