"""The rules for sandboxes: what programs can do in one, and what they cannot."""

import os
import signal
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trio

from .. import marks
from ..confining import Confined, confined
from ..offers import check
from ..process import run_process
from ..types import Confinement, Sandbox
from .kit import Rule, check_readiness, require

Make = Callable[[], Sandbox]
SECRET, BEFORE = "secret", "before"


class Cell:
    """A folder in which a sandbox's programs work, with something hidden in it and something beside."""

    def __init__(self, make: Make, base: Path) -> None:
        self._sandbox = make()
        self.work, self.outside = base / "work", base / "outside"
        self._hidden = self.work / "hidden"
        self._hidden.mkdir(parents=True, exist_ok=True)
        (self._hidden / "told").write_text(SECRET)
        self.outside.write_text(BEFORE)

    def run(self, command: str, stdin: bytes = b"") -> tuple[int, bytes]:
        """Run a line of shell inside; return its exit code and what it printed."""
        return trio.run(self._run, command, stdin)

    async def _run(self, command: str, stdin: bytes) -> tuple[int, bytes]:
        heard = bytearray()
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            marks.MARK: f"conformance-{uuid.uuid4()}",
        }
        with confined(
            Confined(self._sandbox, Confinement(folder=self.work, hidden=(self._hidden,)))
        ):
            code = await run_process(
                command, folder=self.work, env=env, stdin=stdin, on_stdout=heard.extend
            )
        return code, bytes(heard)


def _protocol(make: Make, folder: Path) -> None:
    faults = check("holdfast_sandboxes", {"it": make()})[1]
    require(not faults, "; ".join(fault.reason for fault in faults))


def _readiness(make: Make, folder: Path) -> None:
    check_readiness(make())
    require(make().readiness().ready, f"it cannot work here: {make().readiness().detail}")


def _exit_code(make: Make, folder: Path) -> None:
    code, _ = Cell(make, folder).run("exit 7")
    require(code == 7, f"the exit code 7 comes through as {code}")


def _streams(make: Make, folder: Path) -> None:
    _, heard = Cell(make, folder).run("cat", b"hello")
    require(heard == b"hello", f"input or output does not come through: {heard!r}")


def _folder(make: Make, folder: Path) -> None:
    cell = Cell(make, folder)
    code, heard = cell.run("echo new > made && pwd")
    require(code == 0 and (cell.work / "made").exists(), "what is written in the folder is lost")
    place = str(cell.work.resolve())
    require(heard.decode().strip() == place, f"it starts in {heard.decode().strip()!r}")


def _outside(make: Make, folder: Path) -> None:
    cell = Cell(make, folder)
    cell.run("echo changed > ../outside")
    require(cell.outside.read_text() == BEFORE, "a file outside of the folder can be changed")


def _hidden(make: Make, folder: Path) -> None:
    _, heard = Cell(make, folder).run("cat hidden/told")
    require(SECRET.encode() not in heard, "what is hidden can be read")


def _nothing_left(make: Make, folder: Path) -> None:
    seconds = (
        f"600.{uuid.uuid4().int % 10**15:015}"  # known by its command line: it may lose its mark
    )
    Cell(make, folder).run(f"(setsid sleep {seconds} >/dev/null 2>&1 &) ; true")
    left = _sleepers(seconds)
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    require(not left, f"processes {left} outlived the program that started them")


def _sleepers(seconds: str) -> list[int]:
    found: list[int] = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):  # nothing where there is no /proc
        with suppress(OSError):
            if seconds.encode() in line.read_bytes().split(b"\0"):
                found.append(int(line.parent.name))
    return found


SANDBOX_RULES = (
    Rule("has-its-methods", _protocol, ("folder",)),
    Rule("works-here", _readiness, ("folder",)),
    Rule("passes-on-exit-codes", _exit_code, ("folder",)),
    Rule("passes-on-input-and-output", _streams, ("folder",)),
    Rule("lets-programs-work-in-their-folder", _folder, ("folder",)),
    Rule("guards-what-is-outside", _outside, ("folder",)),
    Rule("hides-what-is-hidden", _hidden, ("folder",)),
    Rule("leaves-nothing-running", _nothing_left, ("folder",)),
)
"""In this order; each is one test."""
