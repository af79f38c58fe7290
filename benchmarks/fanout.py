"""Steps all at once: how many a second when they share flushes."""

from pathlib import Path

from holdfast.eventlog import Log

from . import lab
from .figures import Figure, at_least, ratios
from .sample import Bench, Sample

STEPS = 1_000


def holdfast(folder: Path, *, steps: int) -> Sample:
    """Execute a run that maps over `steps` items."""
    import trio

    with Log.open(folder / "log") as log:
        return {"seconds": trio.run(lab.execute, log, lab.fanout, steps), "commits": log.commits}


def measure(bench: Bench) -> list[Figure]:
    """Time the fan-out beside raw commits of 100 events."""
    raw: list[float] = []
    ours: list[float] = []
    for _ in range(bench.rounds(7)):
        raw.append(STEPS / bench.take("raw:commits", count=STEPS, each=100)["seconds"])
        ours.append(STEPS / bench.take("fanout:holdfast", steps=STEPS)["seconds"])
    return [
        Figure("fanout: raw LMDB, 100 events a commit", "events/s", raw),
        Figure(f"fanout: {STEPS:,} steps", "steps/s", ours, at_least(10_000)),
        ratios("fanout: beside raw LMDB", ours, raw, None),
    ]
