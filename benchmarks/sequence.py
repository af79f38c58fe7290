"""Steps one after another, each durable before the next: cost of a step, and whether it grows."""

from pathlib import Path
from statistics import median

from holdfast.eventlog import Log

from . import lab, raw
from .figures import Figure, at_least, at_most, ratios
from .sample import Bench, Sample

SHORT, LONG = 1_000, 10_000


def holdfast(folder: Path, *, steps: int) -> Sample:
    """Execute a run of `steps` steps."""
    import trio

    with Log.open(folder / "log") as log:
        return {"seconds": trio.run(lab.execute, log, lab.sequence, steps)}


def turns(folder: Path, *, turns: int, steps: int) -> Sample:
    """Let raw commits and short runs take turns in one process, and return the median ratio.

    On a machine that others use too, what is measured a second apart cannot be compared.
    """
    import trio

    (folder / "raw").mkdir()
    found: list[float] = []
    with Log.open(folder / "log") as log, raw.appender(folder / "raw") as append:
        for turn in range(turns):
            ours = trio.run(lab.execute, log, lab.sequence, steps, f"run-{turn}")
            found.append(append(steps, 1) / ours)
    return {"ratio": median(found)}


def measure(bench: Bench) -> list[Figure]:
    """Time short runs beside raw commits, then short runs beside long ones."""
    bare: list[float] = []
    ours: list[float] = []
    for _ in range(bench.rounds(9)):
        bare.append(SHORT / bench.take("raw:commits", count=SHORT, each=1)["seconds"])
        ours.append(SHORT / bench.take("sequence:holdfast", steps=SHORT)["seconds"])
    taken = range(bench.rounds(4))
    in_turns = [bench.take("sequence:turns", turns=15, steps=200)["ratio"] for _ in taken]
    short: list[float] = []
    long: list[float] = []
    for _ in range(bench.rounds(4)):
        for steps, costs in ((SHORT, short), (LONG, long)):
            seconds = bench.take("sequence:holdfast", steps=steps)["seconds"]
            costs.append(seconds / steps * 1e6)
    return [
        Figure("sequence: raw LMDB, one event a commit", "commits/s", bare),
        Figure(f"sequence: {SHORT:,} steps", "steps/s", ours),
        ratios("sequence: beside raw LMDB", ours, bare, at_least(0.8)),
        Figure("sequence: beside raw LMDB, in turns of 200", "ratio", in_turns, at_least(0.8)),
        Figure(f"sequence: a step among {SHORT:,}", "us", short),
        Figure(f"sequence: a step among {LONG:,}", "us", long),
        ratios(f"sequence: {LONG:,} beside {SHORT:,}", long, short, at_most(1.1)),
    ]
