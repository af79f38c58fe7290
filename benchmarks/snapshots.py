"""A snapshot of a large checkout, of which little changed, beside `git status`."""

import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from holdfast.workspaces import Workspace, restore, snapshot

from .figures import Figure, at_most, ratios
from .sample import Bench, Sample

FILES = 20_000
EACH = 50  # files in a folder
NAMED = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")


def checkout(folder: Path, *, files: int, times: int) -> Sample:
    """Make a repository, and time snapshots of it and restoring, again and again."""
    for number in range(files):
        path = _file(folder, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * 20)
    for command in (("init", "-q"), ("add", "-A"), (*NAMED, "commit", "-q", "-m", "base")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return trio.run(_measure, folder, times)


async def _measure(folder: Path, times: int) -> Sample:
    workspace = await Workspace.open(folder, run="bench")
    first = await snapshot(workspace)
    taken: dict[str, list[float]] = {"status": [], "unchanged": [], "changed": [], "restored": []}
    for turn in range(times):
        taken["status"].append(await _seconds(lambda: _status(folder)))
        taken["unchanged"].append(await _seconds(lambda: snapshot(workspace)))
        _file(folder, turn).write_text(f"changed {turn}\n")
        (folder / "new.txt").write_text(f"new {turn}\n")
        taken["changed"].append(await _seconds(lambda: snapshot(workspace)))
        taken["restored"].append(await _seconds(lambda: restore(workspace, first)))
    return {what: sorted(seconds)[times // 2] for what, seconds in taken.items()}


def measure(bench: Bench) -> list[Figure]:
    """Time snapshots with nothing and with two files changed."""
    taken: dict[str, list[float]] = {"status": [], "unchanged": [], "changed": [], "restored": []}
    for _ in range(bench.rounds(3)):
        sample = bench.take("snapshots:checkout", files=FILES, times=9)
        for what, samples in taken.items():
            samples.append(sample[what] * 1e3)
    status, unchanged, changed = taken["status"], taken["unchanged"], taken["changed"]
    return [
        Figure(f"snapshot: git status of {FILES:,} files", "ms", status),
        Figure("snapshot: nothing changed", "ms", unchanged, at_most(150.0)),
        Figure("snapshot: two files changed", "ms", changed, at_most(150.0)),
        Figure("snapshot: restoring them", "ms", taken["restored"]),
        ratios("snapshot: nothing changed, beside git status", unchanged, status, None),
        ratios("snapshot: two files changed, beside git status", changed, status, None),
    ]


def _file(folder: Path, number: int) -> Path:
    return folder / f"src/p{number // EACH // 20}/m{number // EACH}/f{number}.txt"


async def _status(folder: Path) -> None:
    await trio.run_process(["git", "status", "--porcelain"], capture_stdout=True, cwd=folder)


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began
