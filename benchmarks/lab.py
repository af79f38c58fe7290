"""An engine on a log, and the workflows whose steps do nothing."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from holdfast import Run, Workflow, workflow
from holdfast.engine import Engine
from holdfast.eventlog import Log
from holdfast.plugins import Plugins

TEXT = "x" * 150


async def nothing(index: int) -> dict[str, Any]:
    """Do nothing, and return about 200 bytes."""
    return {"step": index, "ok": True, "tool": "nothing", "text": TEXT}


@workflow
async def sequence(run: Run, steps: int) -> int:
    for index in range(steps):
        await run.step(f"step-{index}", nothing, index)
    return steps


@workflow
async def fanout(run: Run, steps: int) -> int:
    return len(await run.map(lambda index: run.step("work", nothing, index), range(steps)))


WORKFLOWS = {item.reference: item for item in (sequence, fanout)}


@asynccontextmanager
async def engine_on(log: Log, workflows: Iterable[Workflow] = ()) -> AsyncGenerator[Engine]:
    """Open an engine as a program of its own would have it."""
    known = WORKFLOWS | {item.reference: item for item in workflows}
    plugins = Plugins.load(installed=False)
    async with Engine(log, plugins, known.__getitem__) as engine:
        yield engine


async def execute(log: Log, item: Workflow, steps: int, run: str = "run") -> float:
    """Execute a new run, and return the seconds from its claim to its end."""
    async with engine_on(log, [item]) as engine:
        engine.create(item, {"steps": steps}, run=run)
        began = trio.current_time()
        outcome = await engine.execute(run)
        seconds = trio.current_time() - began
    assert outcome.status == "succeeded", outcome
    return seconds


def recorded(folder: Path, item: Workflow, steps: int) -> Log:
    """Return the log of a finished run, still open."""
    log = Log.open(folder / "log")
    trio.run(execute, log, item, steps)
    return log
