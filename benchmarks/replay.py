"""From stored records to state: the fold alone, and the workflow driven through it."""

import time
from pathlib import Path

from holdfast.eventlog import Log

from . import lab
from .figures import Figure, at_least, ratios
from .sample import Bench, Sample, run

STEPS = 10_000


def record(folder: Path, *, steps: int) -> Sample:
    """Write a run to read."""
    lab.recorded(folder, lab.sequence, steps).close()
    return {}


def fold(folder: Path) -> Sample:
    """Read and fold all events of the run, as every command does first."""
    from holdfast.reducer import replay

    with Log.open(folder / "log", create=False) as log:
        branch = log.branch_of("run")
        began = time.perf_counter()
        state = replay(log.records(branch))
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "events": state.offset}


def redrive(folder: Path) -> Sample:
    """Drive the workflow through all events of the run, as a resume does first."""
    from holdfast.reducer import Driver, digest
    from holdfast.reducer import redrive as drive

    with Log.open(folder / "log", create=False) as log:
        branch, code = log.branch_of("run"), digest(lab.sequence.function)
        began = time.perf_counter()
        driver = Driver(lab.sequence, log.load)
        state = drive(driver, log.records(branch), code=code)
        seconds = time.perf_counter() - began
        driver.close()
    return {"seconds": seconds, "events": state.offset}


def measure(bench: Bench) -> list[Figure]:
    """Read one log again and again, each time in a new process, beside raw reading."""
    raw: list[float] = []
    folded: list[float] = []
    driven: list[float] = []
    with bench.temporary() as name:
        folder = Path(name)
        run("replay:record", folder, steps=STEPS)
        for _ in range(bench.rounds(7)):
            count = 2 * STEPS
            raw.append(count / bench.take("raw:scan", count=count)["seconds"])
            for what, rates in (("replay:fold", folded), ("replay:redrive", driven)):
                sample = run(what, folder)
                rates.append(sample["events"] / sample["seconds"])
    return [
        Figure("replay: raw LMDB, reading only", "events/s", raw),
        Figure(f"replay: {2 * STEPS:,} events", "events/s", folded, at_least(300_000)),
        ratios("replay: beside raw LMDB", folded, raw, None),
        Figure("replay: with the workflow driven", "events/s", driven),
    ]
