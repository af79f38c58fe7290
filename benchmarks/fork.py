"""A fork in the middle of a long run: time and bytes until it is on disk."""

import time
from pathlib import Path

from . import lab
from .figures import Figure, at_most, ratios
from .sample import Bench, Sample

STEPS = 10_000
FORKS = 20


def holdfast(folder: Path, *, steps: int, forks: int) -> Sample:
    """Fork a recorded run in the middle, several times."""
    with lab.recorded(folder, lab.sequence, steps) as log:
        parent = log.branch_of("run")
        offset = log.head(parent) // 2
        before, began = log.used_bytes(), time.perf_counter()
        for index in range(forks):
            log.create_run(
                f"fork-{index}", [], actor="cli", time=time.time_ns(), parent=parent, offset=offset
            )
        seconds = time.perf_counter() - began
        return {"seconds": seconds / forks, "bytes": (log.used_bytes() - before) / forks}


def measure(bench: Bench) -> list[Figure]:
    """Time forks beside raw commits."""
    raw: list[float] = []
    ours: list[float] = []
    sizes: list[float] = []
    for _ in range(bench.rounds(3)):
        raw.append(bench.take("raw:commits", count=FORKS, each=1)["seconds"] / FORKS * 1e3)
        sample = bench.take("fork:holdfast", steps=STEPS, forks=FORKS)
        ours.append(sample["seconds"] * 1e3)
        sizes.append(sample["bytes"])
    return [
        Figure("fork: raw LMDB, one event a commit", "ms", raw),
        Figure(f"fork: in the middle of {STEPS:,} steps", "ms", ours, at_most(50.0)),
        ratios("fork: beside raw LMDB", ours, raw, None),
        Figure("fork: bytes that one adds", "bytes", sizes),
    ]
