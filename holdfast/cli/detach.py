"""Executing a run in a process of its own, which lives on when the terminal is closed."""

import subprocess
import sys
import threading
import time
from pathlib import Path

from holdfast.eventlog import Log

from .errors import NotStarted
from .place import Place

# Finds this package from a checkout too, without a PYTHONPATH that every agent would inherit.
_BEGIN = "import sys; sys.path.append(sys.argv.pop(1)); from holdfast.cli import main; main()"
PATIENCE_S = 15.0
PAUSE_S = 0.02


def detach(place: Place, log: Log, run: str, *, takeover: bool = False) -> Path:
    """Start the process, wait until it has claimed the run, and return where its output goes."""
    project = place.project()
    path = project.home / "logs" / f"{run.replace('/', '%2F')}.log"  # a child's id has slashes
    path.parent.mkdir(exist_ok=True)
    head = log.head(log.branch_of(run))
    argv = [sys.executable, "-P", "-c", _BEGIN, str(Path(__file__).parents[2])]
    argv += ["--home", str(project.home), "resume", run]
    argv += ["--takeover"] if takeover else []
    with path.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=project.root,
            start_new_session=True,
        )
    _wait_for_claim(log, run, head, process, path)
    return path


def _wait_for_claim(
    log: Log, run: str, head: int, process: "subprocess.Popen[bytes]", path: Path
) -> None:
    branch = log.branch_of(run)
    deadline = time.monotonic() + PATIENCE_S
    while log.head(branch) == head and time.monotonic() < deadline:
        if process.poll() is not None and log.head(branch) == head:
            raise NotStarted(run, str(path), _last_line(path))
        time.sleep(PAUSE_S)
    # It is on its own now. Somebody has to take note of its end while this process lives.
    threading.Thread(target=process.wait, name=f"reaper of {run}", daemon=True).start()


def _last_line(path: Path) -> str:
    return path.read_text(errors="replace").strip().rpartition("\n")[2][:300]
