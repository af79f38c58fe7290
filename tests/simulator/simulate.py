"""One seed: make its program, play it undisturbed and in a storm, and judge what happened."""

import os
import random
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from holdfast.eventlog import Log
from tests.simulator.history import History
from tests.simulator.programs import Program, budget, make, rounds, smaller
from tests.simulator.referee import Referee, compare
from tests.simulator.world import World, Wrong

MEMORY = Path("/dev/shm")


class Report(msgspec.Struct):
    """What came of a seed: `wrong` says what must never happen and did, or is empty."""

    seed: int
    program: Program
    wrong: str = ""
    trace: list[str] = []
    events: list[str] = []
    operations: int = 0


def simulate(seed: int, program: Program | None = None, *, detailed: bool = False) -> Report:
    """Simulate a seed, with another program in place of its own where one is given."""
    played = make(seed) if program is None else program
    report = Report(seed, played)
    with _folder() as folder, Log.open(folder / "log") as log:
        for run in ("calm", "storm"):
            world = World(log, seed, calm=run == "calm")
            report.wrong = _play(world, played, run, seed)
            report.trace += world.trace
            report.operations += world.operations
            if report.wrong:
                break
        if detailed or report.wrong:
            report.events = _events(log)
    return report


def _play(world: World, program: Program, run: str, seed: int) -> str:
    history = History(world, program, run, budget(seed), rounds(seed))

    async def main() -> None:
        await history.play()
        Referee(world, run).check()
        if not history.people.cancelled:
            compare(world, program, run, "calm" if run == "storm" else "")

    try:
        with _same_order(seed):
            trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed is to be told
        return world.wrong[0] if world.wrong else f"the simulator met {error!r}"
    except BaseException as error:
        if not world.wrong or not isinstance(error, Wrong | BaseExceptionGroup):
            raise
    return world.wrong[0] if world.wrong else ""


@contextmanager
def _same_order(seed: int) -> Generator[None, None, None]:
    """Let trio take tasks in an order that depends on the seed alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trio._core._run._r", random.Random(seed))
        patch.setattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING", True)
        patch.setattr("holdfast.execution.end_orphans", _end_nothing)
        yield


async def _end_nothing(*_: object) -> None:
    """Look for no processes, as there are none: that takes threads, whom no clock waits for."""


@contextmanager
def _folder() -> Generator[Path, None, None]:
    """Make a folder where a flush costs nothing."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="holdfast-simulator-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _events(log: Log) -> list[str]:
    return [
        f"{record.seq:5d} {record.branch:3d} {record.offset:4d} {record.actor:10} {record.event!r}"[
            :300
        ]
        for record in log.scan()
    ]


def shrink(seed: int, program: Program, *, most: int = 400) -> Report:
    """Return the report of a smaller program that goes wrong with the same seed."""
    best = simulate(seed, program)
    tries = 0
    found = True
    while found and tries < most:
        found = False
        for less in smaller(best.program):
            tries += 1
            report = simulate(seed, less)
            if report.wrong:
                best, found = report, True
                break
            if tries >= most:
                break
    return best
