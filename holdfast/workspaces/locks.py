"""Taking turns, in this process and among processes, by kernel locks that end with their holder."""

import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import trio

from .errors import StateUnwritable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.002, 0.05

_here: WeakValueDictionary[tuple[int, str], trio.StrictFIFOLock] = WeakValueDictionary()


@asynccontextmanager
async def locked(path: Path) -> AsyncGenerator[int]:
    """Hold the lock that is the file `path`; yields its descriptor, for children to inherit.

    Tasks of one process get it in the order in which they came; other processes when it is free.
    """
    key = (id(trio.lowlevel.current_trio_token()), str(path))
    queue = _here.setdefault(key, trio.StrictFIFOLock())
    async with queue:
        descriptor = _open(path)
        try:
            await _take(descriptor)
            try:
                yield descriptor
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds the lock at this moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StateUnwritable(str(path), error.strerror or str(error)) from error


async def _take(descriptor: int) -> None:
    pause = FIRST_PAUSE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await trio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        else:
            return
