"""`holdfast serve` over runs that all wait: what it costs to let them, and how soon an approved one goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from holdfast.eventlog import Log

from .figures import Figure, at_most
from .listing import compacted
from .sample import ROOT, Bench, Sample, run

WAITING = 10_000
BATCH = 1_000
APPROVED = 20
IDLE_S = 10.0
PATIENCE_S = 120.0
MEGABYTE = 1_000_000
TEMPLATE = "template"
WORK = """\
from holdfast import Run, workflow


@workflow
async def asks(run: Run) -> int:
    await run.step("first", int)
    await run.approve("go", subject="all of it")
    return await run.step("second", int)
"""


def waiting(folder: Path, *, count: int) -> Sample:
    """Let one run come to its gate, and make `count` more with the same history."""
    from msgspec.structs import replace

    from holdfast.eventlog import NewRun, RunStarted

    (folder / "work.py").write_text(WORK)
    first = _holdfast(folder, "run", "work.py:asks", "--id", TEMPLATE, "--json")
    assert first.wait() == 3, "it waits"
    with Log.open(folder / "log") as log:
        records = [*log.records(log.branch_of(TEMPLATE))]
    (folder / "log").rename(folder / "log-of-template")
    started, events = records[0].event, [record.event for record in records[1:]]
    assert isinstance(started, RunStarted)

    def write(log: Log) -> None:
        for start in range(0, count, BATCH):
            names = [f"run-{start + index}" for index in range(BATCH)]
            made = [replace(started, run=name) for name in names]
            log.write_each(
                [NewRun(one.run, [one, *events], "engine", records[0].time) for one in made]
            )

    return compacted(folder, write)


def served(folder: Path, *, first: int, idle_s: float, approved: int) -> Sample:
    """Serve them: measure the process at rest, then approve some of them, one after the other."""
    with Log.open(folder / "log") as log, _serving(folder) as server:
        _go_on(log, f"run-{first}")  # whatever it does first has been done
        stock, began = _cpu_seconds(server.pid), time.monotonic()
        time.sleep(idle_s)
        busy, passed = _cpu_seconds(server.pid) - stock, time.monotonic() - began
        told = [_go_on(log, f"run-{first + 1 + index}") for index in range(approved)]
        claimed, ended = ([taken[at] * 1e3 for taken in told] for at in (0, 1))
        return {
            "idle": busy / passed * 100, "stock": stock, "resident": _resident_bytes(server.pid),
            "claimed": median(claimed), "worst claimed": max(claimed),
            "ended": median(ended), "worst ended": max(ended),
        }  # fmt: skip


def _holdfast(folder: Path, *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", "--home", str(folder), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _serving(folder: Path) -> "Generator[subprocess.Popen[bytes]]":
    with _holdfast(folder, "serve") as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0, "it ended in good order"


def _go_on(log: Log, run: str) -> tuple[float, float]:
    """Approve a run; return the seconds until somebody has claimed it, and until it has ended."""
    from holdfast.runs import decide_gate

    branch = log.branch_of(run)
    decided = log.head(branch) + 1
    began = time.perf_counter()
    decide_gate(log, run, "go", approved=True, by="ann", actor="cli:ann")
    _until(lambda: log.head(branch) > decided)
    claimed = time.perf_counter() - began
    _until(lambda: log.run(run).status == "succeeded")
    return claimed, time.perf_counter() - began


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the server goes on with it"
        time.sleep(0.0005)


def _cpu_seconds(process: int) -> float:
    """Return what a process has used of a processor so far.

    /proc/PID/stat says the same in ticks of 10 ms, in which a process that sleeps does not show.
    """
    threads = Path(f"/proc/{process}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def _resident_bytes(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel tells VmRSS")


def measure(bench: Bench) -> list[Figure]:
    """Serve the same waiting runs several times, each time with a new server."""
    count, idle_s = (WAITING // 10, 2.0) if bench.quick else (WAITING, IDLE_S)
    with bench.temporary() as name:
        run("crowd:waiting", Path(name), count=count)
        samples = [
            run("crowd:served", Path(name), first=first, idle_s=idle_s, approved=APPROVED)
            for first in range(0, bench.rounds(3) * (APPROVED + 1), APPROVED + 1)
        ]
    return _figures(samples, f"serve: {count:,} wait")


def _figures(samples: list[Sample], who: str) -> list[Figure]:
    def of(what: str) -> list[float]:
        return [sample[what] for sample in samples]

    sizes = [size / MEGABYTE for size in of("resident")]
    return [
        Figure(f"{who}, processor until the first is approved", "s", of("stock")),
        Figure(f"{who}, processor at rest", "%", of("idle"), at_most(1.0)),
        Figure(f"{who}, memory", "MB", sizes, at_most(300)),
        Figure(f"{who}, from the decision to the next event", "ms", of("claimed"), at_most(100)),
        Figure(f"{who}, the slowest of {APPROVED}", "ms", of("worst claimed"), at_most(100)),
        Figure(f"{who}, from the decision to its end, a step on", "ms", of("ended"), at_most(100)),
        Figure(f"{who}, the slowest of {APPROVED}", "ms", of("worst ended")),
    ]
