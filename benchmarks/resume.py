"""How soon a killed run goes on: from the start of a new process to its first new step."""

import os
import subprocess
import time
from pathlib import Path

from holdfast import Run, workflow
from holdfast.eventlog import Log

from . import lab
from .figures import Figure, at_most, ratios
from .sample import ROOT, Bench, Sample, command, copied, run

STEPS = 10_000
TOLD, HANGS = "HOLDFAST_BENCHMARK_TOLD", "HOLDFAST_BENCHMARK_HANGS"


async def last() -> None:
    """Tell when it began, and in the process that is to be killed never end."""
    import trio

    told = Path(os.environ[TOLD])
    told.with_suffix(".part").write_text(repr(time.monotonic()))
    told.with_suffix(".part").rename(told)
    if HANGS in os.environ:
        await trio.sleep_forever()


@workflow
async def interrupted(run: Run, steps: int) -> None:
    for index in range(steps):
        await run.step(f"step-{index}", lab.nothing, index)
    await run.step("last", last)


def first(folder: Path, *, steps: int) -> Sample:
    """Execute the run; it hangs in its last step."""
    import trio

    async def execute() -> None:
        async with lab.engine_on(log, [interrupted]) as engine:
            engine.create(interrupted, {"steps": steps}, run="run")
            await engine.execute("run")

    with Log.open(folder / "log") as log:
        trio.run(execute)
    return {}


def second(folder: Path) -> Sample:
    """Resume the run, as another process."""
    import trio

    async def execute() -> None:
        async with lab.engine_on(log, [interrupted]) as engine:
            outcome = await engine.execute("run")
            assert outcome.status == "succeeded", outcome

    with Log.open(folder / "log", create=False) as log:
        trio.run(execute)
    return {}


def _killed(folder: Path, steps: int) -> Path:
    """Return the log of a run whose process was killed inside its last step."""
    told = folder / "told"
    env = {**os.environ, TOLD: str(told), HANGS: "1"}
    with subprocess.Popen(
        command("resume:first", folder, steps=steps), cwd=ROOT, env=env, stdout=subprocess.DEVNULL
    ) as process:
        while not told.exists():
            assert process.poll() is None, "it hangs in its last step"
            time.sleep(0.05)
        process.kill()
    return folder / "log"


def _seconds_to_first_step(log: Path, folder: Path) -> float:
    copied(log, folder)
    told = folder / "told"
    began = time.monotonic()
    subprocess.run(
        command("resume:second", folder),
        cwd=ROOT,
        env={**os.environ, TOLD: str(told)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return float(told.read_text()) - began


def _seconds_of_raw(folder: Path) -> float:
    """Time a process that does no more than read as many events from LMDB."""
    began = time.monotonic()
    writing = run("raw:scan", folder, count=2 * STEPS)["writing"]
    return time.monotonic() - began - writing


def measure(bench: Bench) -> list[Figure]:
    """Kill one run, then resume copies of it."""
    raw: list[float] = []
    ours: list[float] = []
    with bench.temporary() as name:
        log = _killed(Path(name), STEPS)
        for index in range(bench.rounds(7)):
            with bench.temporary() as other:
                raw.append(_seconds_of_raw(Path(other)))
            ours.append(_seconds_to_first_step(log, Path(name, f"copy-{index}")))
    return [
        Figure(f"resume: Python and raw LMDB reading {2 * STEPS:,} events", "s", raw),
        Figure(f"resume: first new step after {STEPS:,}", "s", ours, at_most(1.0)),
        ratios("resume: beside raw LMDB", ours, raw, None),
    ]
