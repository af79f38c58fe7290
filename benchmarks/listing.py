"""What `holdfast ps` takes more than Python itself, on small and on large logs."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.eventlog import Log

from . import lab
from .figures import Figure, at_most
from .sample import ROOT, Bench, Sample, run

MANY = 100_000
BATCH = 1_000
NOW = 1_800_000_000_000_000_000


def few(folder: Path) -> Sample:
    """Make a log with three short runs."""
    import trio

    with Log.open(folder / "log") as log:
        for index in range(3):
            trio.run(lab.execute, log, lab.sequence, 2, f"run-{index}")
    return {}


def events(folder: Path, *, count: int) -> Sample:
    """Make a log with one run of `count` events."""
    from holdfast.eventlog import Batch, Noted

    def write(log: Log) -> None:
        branch = _create(log, "run")
        for at in range(log.head(branch), count, BATCH):
            notes = [Noted(f"note-{at + index}", lab.TEXT) for index in range(BATCH)]
            log.write([Batch(branch, notes, at, "engine", NOW + at)])

    return compacted(folder, write)


def runs(folder: Path, *, count: int) -> Sample:
    """Make a log with `count` runs, of which one in ten has not ended."""
    from holdfast.eventlog import Batch, RunSucceeded

    def write(log: Log) -> None:
        for start in range(0, count, BATCH):
            branches = [_create(log, f"run-{start + index}") for index in range(BATCH)]
            ended = [branch for branch in branches if branch % 10]
            log.write([Batch(branch, [RunSucceeded()], 1, "engine", NOW) for branch in ended])

    return compacted(folder, write)


def _create(log: Log, run: str) -> int:
    from holdfast.eventlog import RunStarted

    return log.create_run(run, [RunStarted(run, "sequence")], actor="engine", time=NOW)


def compacted(folder: Path, write: Callable[[Log], None]) -> Sample:
    """Write a log in memory, where commits cost no flush, and copy it to the disk."""
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else folder) as name,
        Log.open(Path(name, "log")) as log,
    ):
        write(log)
        log.copy(folder / "log")
    return {}


def measure(bench: Bench) -> list[Figure]:
    """Time `ps` on three logs, and Python doing nothing, in turn."""
    count = MANY // 10 if bench.quick else MANY
    with bench.temporary() as name:
        homes = {
            "a small log": Path(name, "small"),
            f"a log of {count:,} events": Path(name, "events"),
            f"a log of {count:,} runs": Path(name, "runs"),
        }
        for home in homes.values():
            home.mkdir()
        small, many_events, many_runs = homes.values()
        run("listing:few", small)
        run("listing:events", many_events, count=count)
        run("listing:runs", many_runs, count=count)
        return [
            _figure(bench, f"ps: over `python -c pass`, {what}", home)
            for what, home in homes.items()
        ]


def _figure(bench: Bench, name: str, home: Path) -> Figure:
    ps = [sys.executable, "-m", "holdfast", "--home", str(home), "ps"]
    samples: list[float] = []
    for _ in range(bench.rounds(18)):
        bare = _seconds([sys.executable, "-c", "pass"])
        samples.append((_seconds(ps) - bare) * 1e3)
    return Figure(name, "ms", samples, at_most(120))


def _seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - began
