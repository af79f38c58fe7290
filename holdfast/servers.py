"""Who serves a log: one process at a time, which a kernel lock tells; and which runs are its work."""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.eventlog import Event, Log, LogUnwritable, RunReleased, RunRow, owner_alive
from holdfast.reducer import ENDED, State

from .errors import AlreadyServed, RunBusy, RunEnded
from .pausing import paused_with
from .runs import append_to

LEFT = "was left to whoever serves"
ORPHANED = "its owner has died"
NEWS = "there is news"
DUE = "its time has come"

PICK_UP_NS = (
    5_000_000_000  # within which who serves has a run that has work, if it can be had at all
)
FILE = "server"
TRIES, PAUSE_S = 10, 0.02  # who only asks holds the lock for a moment


@contextmanager
def only_server(folder: Path) -> Generator[None]:
    """Be the one that serves the log in `folder`. Raises AlreadyServed, LogUnwritable."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LogUnwritable(str(folder), error.strerror or str(error)) from error
    try:
        _lock(descriptor, folder)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    for _ in range(TRIES):
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(PAUSE_S)
    raise AlreadyServed(str(folder), _pid(descriptor))


def server_of(folder: Path) -> int:
    """Return the process that serves the log in `folder`; 0 where there is none."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor)
    else:
        return 0
    finally:
        os.close(descriptor)


def _pid(descriptor: int) -> int:
    told = os.pread(descriptor, 32, 0).strip()
    return int(told) if told.isdigit() else 0


def leave_to_server(log: Log, run: str, actor: str, *, now: int = 0) -> None:
    """Let whoever serves the log go on with a run, now or when there is one. Raises RunBusy, RunEnded."""

    def decide(state: State) -> list[Event]:
        if state.status in ENDED:
            raise RunEnded(run, state.status, "resumed")
        if owner_alive(log.path, state.owner):
            row = log.run(run)
            raise RunBusy(run, host=row.host, pid=row.pid)
        return [RunReleased("", "interrupted", served=True)]

    append_to(log, run, decide, actor, now=now)


def work_for(log: Log, row: RunRow, now: int, *, me: str = "", is_due: bool = True) -> str:
    """Return why whoever serves should go on with a run; empty where it should leave it alone.

    `me` is the owner who asks, and executes it at no time; `is_due` says whether timers count.
    A run that a person interrupted, or that stopped for an error, is left alone until something
    happens to it; so is a fork that nobody has begun.
    """
    if row.status in ENDED:
        return ""
    why = _reason(log, row, now, me, is_due=is_due)
    return why if why and not paused_with(log, row) else ""


def _reason(log: Log, row: RunRow, now: int, me: str, *, is_due: bool) -> str:
    if row.owner:
        return ORPHANED if row.owner == me or not owner_alive(log.path, row.owner) else ""
    if row.served:
        return LEFT
    if row.released and row.head > row.released:
        return NEWS
    waits = is_due and row.status == "waiting"
    return DUE if waits and any(moment <= now for moment in row.alarms.values()) else ""


def is_served(log: Log, row: RunRow) -> bool:
    """Tell whether another process is about to go on with a run."""
    return bool(server_of(log.path) and work_for(log, row, time.time_ns()))
