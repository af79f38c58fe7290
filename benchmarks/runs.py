"""Many short runs at once in one process."""

from pathlib import Path

from holdfast.eventlog import Log

from . import lab
from .figures import Figure, at_least, ratios
from .sample import Bench, Sample

RUNS, STEPS = 500, 5
EVENTS_OF_RUN = 2 * STEPS + 3


def holdfast(folder: Path, *, runs: int, steps: int) -> Sample:
    """Create and execute runs in one nursery over one engine."""
    import trio

    async def all_of_them() -> float:
        async with lab.engine_on(log) as engine:

            async def one(name: str) -> None:
                outcome = await engine.start(lab.sequence, {"steps": steps}, run=name)
                assert outcome.status == "succeeded", outcome

            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                for index in range(runs):
                    nursery.start_soon(one, f"run-{index}")
            return trio.current_time() - began

    with Log.open(folder / "log") as log:
        return {"seconds": trio.run(all_of_them), "commits": log.commits}


def measure(bench: Bench) -> list[Figure]:
    """Time the runs beside raw LMDB that commits one event of every run at a time."""
    raw: list[float] = []
    ours: list[float] = []
    for _ in range(bench.rounds(7)):
        events = RUNS * EVENTS_OF_RUN
        raw.append(RUNS / bench.take("raw:commits", count=events, each=RUNS)["seconds"])
        ours.append(RUNS / bench.take("runs:holdfast", runs=RUNS, steps=STEPS)["seconds"])
    return [
        Figure("runs: raw LMDB, an event of each a commit", "runs/s", raw),
        Figure(f"runs: {RUNS} runs of {STEPS} steps", "runs/s", ours, at_least(1_000)),
        ratios("runs: beside raw LMDB", ours, raw, None),
    ]
