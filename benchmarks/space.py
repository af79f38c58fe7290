"""What steps take: memory while they run, bytes in the log for ever."""

from pathlib import Path

from holdfast.eventlog import Log

from . import lab
from .figures import Figure, at_most
from .sample import Bench, Sample, peak_bytes

STEPS = 10_000
MEGABYTE = 1_000_000


def holdfast(folder: Path, *, steps: int) -> Sample:
    """Execute a run, and look at what it left."""
    import trio

    with Log.open(folder / "log") as log:
        before = log.used_bytes()
        trio.run(lab.execute, log, lab.sequence, steps)
        return {"resident": peak_bytes(), "log": (log.used_bytes() - before) / steps}


def memory(bench: Bench) -> list[Figure]:
    """Measure the peak of a process that executes a long run, beside one that executes none."""
    idle: list[float] = []
    ours: list[float] = []
    for _ in range(bench.rounds(2)):
        for steps, sizes in ((1, idle), (STEPS, ours)):
            resident = bench.take("space:holdfast", steps=steps)["resident"]
            sizes.append(resident / MEGABYTE)
    return [
        Figure("memory: peak of a run of one step", "MB", idle),
        Figure(f"memory: peak of a run of {STEPS:,}", "MB", ours, at_most(150)),
    ]


def size(bench: Bench) -> list[Figure]:
    """Measure the pages that steps fill, beside those that raw LMDB fills with one event each."""
    raw = bench.take("raw:size", count=STEPS)["log"]
    samples = {steps: bench.take("space:holdfast", steps=steps)["log"] for steps in (1_000, STEPS)}
    return [
        Figure("size: raw LMDB, one event a step", "bytes", [raw]),
        *(
            Figure(f"size: a step among {steps:,}", "bytes", [size], at_most(700))
            for steps, size in samples.items()
        ),
    ]
