"""A process killed inside a step, and the time until another one begins the next new step."""

import subprocess
import time
from pathlib import Path

from ..sample import ROOT, Sample, command, run

FIRST_STEP_LIMIT_S = 120.0


def resume(module: str, folder: Path, steps: int) -> Sample:
    """Kill a module's `first` when `steps` steps are done, and time its `second` from its start."""
    with subprocess.Popen(command(f"peers.{module}:first", folder, steps=steps), cwd=ROOT) as first:
        try:
            await_file(told(folder), first)
        finally:
            first.kill()
    began = time.monotonic()
    sample = run(f"peers.{module}:second", folder, steps=steps)
    return {"seconds": sample["at"] - began}


def told(folder: Path) -> Path:
    """Return the file that the step makes in which the first process hangs."""
    return folder / "told"


def await_file(path: Path, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a file is there, as long as the process that is to make it lives."""
    end = time.monotonic() + FIRST_STEP_LIMIT_S
    while not path.exists():
        if process.poll() is not None:
            raise ChildProcessError(
                f"it ended with status {process.returncode} before {path.name!r}"
            )
        if time.monotonic() > end:
            raise TimeoutError(f"no {path.name!r} within {FIRST_STEP_LIMIT_S:.0f} s")
        time.sleep(0.02)
