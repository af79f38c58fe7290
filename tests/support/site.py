"""A project folder and the real `holdfast` processes at work in it, for tests of what a kill leaves."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from holdfast.eventlog import Log, Record

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300.0  # a machine that stalls for a minute has done nothing wrong
T = TypeVar("T")


def until(condition: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Return what `condition` answers as soon as it is true; fail when that takes too long."""
    deadline = time.monotonic() + patience_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"still waiting after {patience_s} s: {what}"
        time.sleep(0.005)
    return answer


def alive(pid: int) -> bool:
    """Whether the process is there, not counting a zombie that nobody has buried."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Ended:
    """How a process ended, and what it said."""

    def __init__(self, args: Sequence[str], status: int, out: str, err: str) -> None:
        self.args, self.status, self.out, self.err = args, status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> tuple[str, str]:
        """The code and the message of the error that `--json` printed."""
        told = self.json["error"]
        return told["code"], told["message"]

    def __repr__(self) -> str:
        return f"{' '.join(self.args)} -> {self.status}\n{self.out[:2000]}\n{self.err[-4000:]}"


class Process:
    """A `holdfast` command at work."""

    def __init__(self, args: Sequence[str], popen: "subprocess.Popen[str]") -> None:
        self.args, self.popen, self.pid = args, popen, popen.pid
        self._ended: Ended | None = None

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """End it as `kill -9` does, and wait until the kernel has let go of all that it held."""
        self.popen.kill()
        self.ended()

    def kill_when(self, ready: Callable[[], object]) -> None:
        """Kill it as soon as `ready` has waited for its moment."""
        ready()
        self.kill()

    def ended(self, patience_s: float = PATIENCE_S) -> Ended:
        """Wait for its own end."""
        if self._ended is None:
            out, err = self.popen.communicate(timeout=patience_s)
            self._ended = Ended(self.args, self.popen.returncode, out, err)
        return self._ended

    @property
    def at_work(self) -> bool:
        return self.popen.poll() is None


class Site:
    """A project in `folder`. The file `side` in it is where steps of tests leave their lines."""

    def __init__(self, folder: Path, home: Path | None = None) -> None:
        self.folder = folder
        self.home = home or folder / ".holdfast"
        self.log_folder = self.home / "log"
        self.side = folder / "side"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST")}
        self.env |= {"USER": "anna", "PYTHONPATH": str(ROOT), "SIDE": str(self.side)}
        self._started: list[Process] = []
        folder.mkdir(exist_ok=True)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path

    def start(self, *args: str) -> Process:
        """Start a `holdfast` command in a process of its own."""
        argv = [sys.executable, "-m", "holdfast", "--home", str(self.home), *args]
        popen = subprocess.Popen(
            argv,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        process = Process(args, popen)
        self._started.append(process)
        return process

    def call(self, *args: str) -> Ended:
        """Run a `holdfast` command to its end."""
        return self.start(*args).ended()

    def verified(self) -> bool:
        """Whether `audit verify` finds the record unharmed."""
        return self.call("audit", "verify", "--json").json["ok"] is True

    def records(self, run: str) -> list[Record]:
        """Read a run's history; empty while there is none."""
        if not (self.log_folder / "data.mdb").exists():
            return []
        with Log.open(self.log_folder) as log:
            rows = {row.run: row.branch for row in log.runs()}
            return [*log.records(rows[run])] if run in rows else []

    def events(self, run: str, kind: type[T]) -> list[T]:
        """Return a run's events of one kind."""
        return [r.event for r in self.records(run) if isinstance(r.event, kind)]

    def keys(self, run: str, kind: type[Any]) -> Counter[str]:
        """Count a run's events of one kind by step."""
        return Counter(event.key for event in self.events(run, kind))

    def lines(self) -> list[str]:
        """Return the whole lines of the side file."""
        if not self.side.exists():
            return []
        return self.side.read_text().split("\n")[:-1]

    def close(self) -> None:
        """End every process that was started here and is still there."""
        for process in self._started:
            if process.at_work:
                process.send(signal.SIGCONT)
                process.kill()
