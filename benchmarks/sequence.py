"""Steps one after another, each durable before the next: cost of a step, and whether it grows."""

from pathlib import Path

from holdfast.eventlog import Log

from . import lab
from .figures import Figure, at_least, at_most, ratios
from .sample import Bench, Sample

SHORT, LONG = 1_000, 10_000


def holdfast(folder: Path, *, steps: int) -> Sample:
    """Execute a run of `steps` steps."""
    import trio

    with Log.open(folder / "log") as log:
        return {"seconds": trio.run(lab.execute, log, lab.sequence, steps)}


def measure(bench: Bench) -> list[Figure]:
    """Time short runs beside raw commits, then short runs beside long ones."""
    raw: list[float] = []
    ours: list[float] = []
    for _ in range(bench.rounds(9)):
        raw.append(SHORT / bench.take("raw:commits", count=SHORT, each=1)["seconds"])
        ours.append(SHORT / bench.take("sequence:holdfast", steps=SHORT)["seconds"])
    short: list[float] = []
    long: list[float] = []
    for _ in range(bench.rounds(4)):
        for steps, costs in ((SHORT, short), (LONG, long)):
            seconds = bench.take("sequence:holdfast", steps=steps)["seconds"]
            costs.append(seconds / steps * 1e6)
    return [
        Figure("sequence: raw LMDB, one event a commit", "commits/s", raw),
        Figure(f"sequence: {SHORT:,} steps", "steps/s", ours),
        ratios("sequence: beside raw LMDB", ours, raw, at_least(0.8)),
        Figure(f"sequence: a step among {SHORT:,}", "us", short),
        Figure(f"sequence: a step among {LONG:,}", "us", long),
        ratios(f"sequence: {LONG:,} beside {SHORT:,}", long, short, at_most(1.1)),
    ]
