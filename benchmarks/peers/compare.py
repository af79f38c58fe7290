"""Rounds in which every system does every task, each time in a process of its own."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from ..sample import ROOT, Bench, Sample, command
from .results import Column, Row, Sizes, rows_of
from .systems import System, versions

WHOLE, QUICK = Sizes(steps=500, runs=100), Sizes(steps=200, runs=50)
ROUNDS = 5  # many and short: on a shared machine the disk is slow for seconds at a time
LIMIT_S = 180.0
ON_ONE_RUN = ("sequence", "replay", "fork")  # the first makes the run that the others look at
TASKS = (*ON_ONE_RUN, "fanout", "runs", "resume")

Take = Callable[[str, Path, Mapping[str, int]], Sample]


class SampleFailed(Exception):
    """A system did not do its task; the message ends with what its process wrote to stderr."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} {why}")


def take(what: str, folder: Path, arguments: Mapping[str, int]) -> Sample:
    """Take a sample in a process group of its own, of which nothing is left when it fails."""
    process = subprocess.Popen(
        command(what, folder, **arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise SampleFailed(what, f"took longer than {LIMIT_S:.0f} s") from None
    finally:
        if process.returncode != 0:
            _kill_group(process)
    if process.returncode:
        raise SampleFailed(what, f"ended with status {process.returncode}: {errors[-2000:]}")
    return cast(Sample, json.loads(output.splitlines()[-1]))


def _kill_group(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def compare(
    bench: Bench, systems: Sequence[System], tell: Callable[[str], None], take: Take = take
) -> tuple[list[Row], list[Column]]:
    """Let systems take turns in all tasks, and return rows and columns of what they took."""
    sizes = QUICK if bench.quick else WHOLE
    rows = rows_of(sizes)
    columns = [_column(system) for system in systems]
    rounds = bench.rounds(ROUNDS)
    for turn in range(rounds):
        with bench.temporary() as name:
            for task in TASKS:
                tell(f"round {turn + 1} of {rounds}: {task}")
                for column in _able(columns, task, turn):
                    system = column.system
                    folder = _folder(Path(name, system.name), task)
                    try:
                        sample = take(f"peers.{system.module}:{task}", folder, _work(task, sizes))
                    except SampleFailed as error:
                        column.fail(rows, task, str(error))
                    else:
                        column.add(rows, task, sample)
    return rows, columns


def _column(system: System) -> Column:
    missing = system.missing()
    return Column(system, {} if missing else versions(system), missing)


def _able(columns: Sequence[Column], task: str, turn: int) -> list[Column]:
    """Return who does a task, each turn in another order; who failed at it does not try again."""
    able = [
        column
        for column in columns
        if not column.missing and task not in column.system.lacks and task not in column.errors
    ]
    first = turn % max(1, len(able))
    return able[first:] + able[:first]


def _folder(place: Path, task: str) -> Path:
    folder = place / ("run" if task in ON_ONE_RUN else task)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _work(task: str, sizes: Sizes) -> dict[str, int]:
    if task == "runs":
        return {"runs": sizes.runs, "steps": sizes.steps_of_run}
    return {"steps": sizes.steps}
