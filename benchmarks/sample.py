"""Samples, each taken in a process of its own: `python -m benchmarks.sample MODULE:FUNCTION`."""

import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]

Sample = dict[str, float]


class Bench:
    """Where samples are taken, and whether fewer of them will do."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick

    def rounds(self, usual: int) -> int:
        """Return how often to measure."""
        return max(2, usual // 3) if self.quick else usual

    def take(self, what: str, **arguments: object) -> Sample:
        """Run a function of this package in a new process and folder, and return its sample."""
        with self.temporary() as name:
            return run(what, Path(name), **arguments)

    def temporary(self) -> "tempfile.TemporaryDirectory[str]":
        return tempfile.TemporaryDirectory(prefix="holdfast-benchmark-", dir=self.folder)


def run(what: str, folder: Path, **arguments: object) -> Sample:
    """Run a function of this package in a new process, in `folder`, and return its sample."""
    done = subprocess.run(
        command(what, folder, **arguments), cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    return cast(Sample, json.loads(done.stdout))


def command(what: str, folder: Path, **arguments: object) -> list[str]:
    """Return the command that takes a sample in a process of its own."""
    return [sys.executable, "-m", "benchmarks.sample", what, str(folder), json.dumps(arguments)]


def copied(log: Path, folder: Path) -> Path:
    """Return a copy of a log that no process has open."""
    target = folder / "log"
    target.mkdir(parents=True)
    shutil.copy(log / "data.mdb", target / "data.mdb")
    return target


def peak_bytes(process: int | str = "self") -> int:
    """Return the most memory that a process ever had resident."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel tells VmHWM")


def main() -> None:
    what, folder, arguments = sys.argv[1:]
    module, _, name = what.partition(":")
    function = cast(
        "Callable[..., Sample]", getattr(importlib.import_module(f"benchmarks.{module}"), name)
    )
    print(json.dumps(function(Path(folder), **json.loads(arguments))))


if __name__ == "__main__":
    main()
