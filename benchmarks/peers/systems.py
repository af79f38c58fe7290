"""Who is compared: what each needs, when it flushes, and what it cannot do. Imports none of them."""

import shutil
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from ..sample import ROOT

EXTRA = "pip install 'holdfast[peers]'"


class System(msgspec.Struct, frozen=True):
    """One that does the work, by a module of this package. `lacks`: why it does not do a task."""

    name: str
    title: str
    module: str
    flush: str
    distributions: tuple[str, ...] = ()
    lacks: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    program: str = ""
    get_program: str = ""

    def missing(self) -> str:
        """Return how to get what is not installed here, or an empty string."""
        try:
            self.versions()
        except PackageNotFoundError:
            return f"not installed: {EXTRA}"
        if self.program and path_of(self.program) is None:
            return f"not installed: no {self.program!r} on the PATH: {self.get_program}"
        return ""

    def versions(self) -> dict[str, str]:
        """Return the version of each distribution; PackageNotFoundError where one is missing."""
        return {name: version(name) for name in self.distributions}


HOLDFAST = System(
    "holdfast",
    "Holdfast",
    "holdfast_lmdb",
    "LMDB, fdatasync and a synchronous write of the meta page, for each commit",
    ("lmdb", "trio"),
    notes=("its bytes are those of LMDB's pages in use",),
)
FLOOR = System(
    "floor",
    "raw LMDB",
    "raw_lmdb",
    "as Holdfast's; one event a step, in a bare loop. At once: 100 events a commit. "
    "Many runs: one event of every run a commit",
    ("lmdb",),
)
PEERS = (
    System(
        "dbos",
        "DBOS",
        "dbos_sqlite",
        "SQLite, rollback journal, synchronous=FULL: as DBOS opens it",
        ("dbos",),
        notes=(
            "a fork copies the steps it keeps, then waits in a queue that is polled each second",
        ),
    ),
    System(
        "langgraph",
        "LangGraph",
        "langgraph_sqlite",
        'SQLite, write-ahead log, synchronous=FULL, durability="sync"',
        ("langgraph", "langgraph-checkpoint-sqlite"),
        notes=(
            "its state holds the last result only; a list of all would be written at each step",
        ),
    ),
    System(
        "restate",
        "Restate",
        "restate_server",
        "RocksDB in its server, its write-ahead log compressed and fsynced a batch: its defaults",
        ("restate-sdk", "hypercorn"),
        notes=(
            "killed is the service, not the server, which is made to stay; memory is of both",
            "its files hold more than the journal; the bytes are what they grew by",
        ),
        program="restate-server",
        get_program=f"npm install --prefix {sys.prefix} @restatedev/restate-server",
    ),
    System(
        "burr",
        "Burr",
        "burr_sqlite",
        "SQLite, rollback journal, synchronous=FULL: as its persister opens it",
        ("apache-burr",),
        notes=(
            "at once: a sub-application keeps each step; they wait for the lock up to 60 s",
            "many runs: one after another",
            "resuming loads the last state; the program has to know what comes next",
            "a fork is in memory until its first step has ended, whose row the bytes are",
        ),
    ),
)


def chosen(only: str) -> tuple[System, ...]:
    """Return Holdfast, the floor, and the peers that a list with commas names, or all of them."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = [system.name for system in PEERS]
    for name in names:
        if name not in known:
            raise ValueError(f"no peer is named {name!r}; there are {', '.join(known)}")
    return (HOLDFAST, FLOOR, *(system for system in PEERS if not names or system.name in names))


def path_of(program: str) -> str | None:
    """Find a program on the PATH, or where npm puts it with `--prefix` and this environment."""
    beside = Path(sys.prefix, "node_modules", ".bin")
    return shutil.which(program) or shutil.which(program, path=str(beside))


def versions(system: System) -> dict[str, str]:
    """Return the versions of all that a system brings."""
    found = system.versions()
    if system == HOLDFAST:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        found = {"this checkout": project["version"], **found}
    if system.program:
        found[system.program] = _program_version(system.program)
    return found


def _program_version(program: str) -> str:
    """Return a program's version, from the package that npm unpacked around it."""
    for folder in Path(path_of(program) or "").resolve().parents:
        package = folder / "package.json"
        if package.is_file():
            return str(msgspec.json.decode(package.read_bytes())["version"])
    return "of unknown version"
