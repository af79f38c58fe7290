"""DBOS on the work that all systems are given, with the SQLite database that it makes by itself."""

# pyright: basic, reportMissingImports=false
# The types of what is seldom installed are not known.

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from ..sample import Sample, peak_bytes
from . import crash, work


@DBOS.step()
def step(index: int) -> dict[str, Any]:
    return work.step(index)


@DBOS.step()
async def async_step(index: int) -> dict[str, Any]:
    return work.step(index)


@DBOS.workflow()
def one_by_one(steps: int) -> int:
    for index in range(steps):
        step(index)
    return steps


@DBOS.workflow()
async def all_at_once(steps: int) -> int:
    return len(await asyncio.gather(*[async_step(index) for index in range(steps)]))


@contextmanager
def launched(folder: Path, *, warm: bool = True) -> Generator[None]:
    """Launch DBOS on a database in a folder, and let it execute something short."""
    config = DBOSConfig(
        name="bench",
        system_database_url=f"sqlite:///{folder / 'dbos.sqlite'}",
        application_version="1",
        executor_id="bench",
        log_level="ERROR",
    )
    DBOS(config=config)
    DBOS.launch()
    try:
        if warm:
            one_by_one(work.WARM)
        yield
    finally:
        DBOS.destroy()


def sequence(folder: Path, *, steps: int) -> Sample:
    """Execute one workflow of `steps` steps, and leave it in the folder."""
    with launched(folder):
        size, began = work.folder_bytes(folder), time.perf_counter()
        with SetWorkflowID("run"):
            one_by_one(steps)
        seconds = time.perf_counter() - began
        size = work.folder_bytes(folder) - size
        return {"seconds": seconds, "bytes": size, "resident": peak_bytes()}


def fanout(folder: Path, *, steps: int) -> Sample:
    """Gather `steps` asynchronous steps."""
    with launched(folder):
        began = time.perf_counter()
        asyncio.run(all_at_once(steps))
        return {"seconds": time.perf_counter() - began}


def runs(folder: Path, *, runs: int, steps: int) -> Sample:
    """Start many workflows, and wait for all of them."""
    with launched(folder):
        began = time.perf_counter()
        handles = [DBOS.start_workflow(one_by_one, steps) for _ in range(runs)]
        for handle in handles:
            handle.get_result()
        return {"seconds": time.perf_counter() - began}


def resume(folder: Path, *, steps: int) -> Sample:
    return crash.resume("dbos_sqlite", folder, steps)


def first(folder: Path, *, steps: int) -> Sample:
    """Execute the workflow that hangs in its last step."""
    work.watch.get_stuck(steps, crash.told(folder))
    with launched(folder, warm=False), SetWorkflowID("run"):
        one_by_one(steps + 1)
    raise AssertionError("it hangs until it is killed")


def second(folder: Path, *, steps: int) -> Sample:
    """Launch again, which recovers what this executor left behind."""
    with launched(folder, warm=False):
        DBOS.retrieve_workflow("run").get_result()
    return {"at": work.watch.first(steps)}


def replay(folder: Path, *, steps: int) -> Sample:
    """Read all steps of the workflow in the folder, with what they returned."""
    with launched(folder):
        began = time.perf_counter()
        results = [row["output"] for row in DBOS.list_workflow_steps("run")]
        seconds = time.perf_counter() - began
    assert len(results) == steps, len(results)
    return {"seconds": seconds}


def fork(folder: Path, *, steps: int) -> Sample:
    """Fork the workflow in the folder in the middle, and let it go on."""
    with launched(folder):
        work.watch.arm()
        size, began = work.folder_bytes(folder), time.monotonic()
        forked = DBOS.fork_workflow("run", steps // 2 + 1)  # it counts steps from 1
        seconds = time.monotonic() - began
        size = work.folder_bytes(folder) - size
        first = work.watch.first(steps // 2) - began
        forked.get_result()
    return {"seconds": seconds, "bytes": size, "first": first}
