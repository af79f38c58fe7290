"""Opening the log's file and putting another in its place exclude one another.

Whoever has an LMDB file open holds a shared record lock on the first byte of its lock file, and one
who waits for that lock in LMDB goes on with what the lock file knew of the old data file. So whoever
opens waits here instead, at a lock of the folder itself, until the file is whole and in its place.
"""

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .errors import LogInUse, LogUnwritable
from .owners import living_owners

_UNKNOWN = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}
"""What file systems say that have no locks on folders: there, nothing is ever put in its place."""


@contextmanager
def opening(folder: Path) -> Generator[None]:
    """Hold off `alone` while the file is being opened; waits where it is being replaced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Hold off everybody from opening the file. Raises LogInUse while somebody has it open.

    This process must not open and close it by LMDB's own locking meanwhile: that ends the lock.
    """
    gate = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _take_gate(gate, folder)
        if owners := living_owners(folder):
            raise LogInUse(str(folder), [pid for pid in owners if pid])
        held = _open_lock_file(folder)
        try:
            _take_file(held, folder)
            yield
        finally:
            os.close(held)
    finally:
        os.close(gate)


def _take_gate(gate: int, folder: Path) -> None:
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LogInUse(str(folder), []) from error
    except OSError as error:
        raise LogUnwritable(str(folder), f"its folder cannot be locked ({error})") from error


def _open_lock_file(folder: Path) -> int:
    try:
        return os.open(folder / "lock.mdb", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LogUnwritable(str(folder), error.strerror or str(error)) from error


def _take_file(held: int, folder: Path) -> None:
    try:
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
    except (BlockingIOError, PermissionError) as error:  # POSIX allows for both
        raise LogInUse(str(folder), _holders(held)) from error


def _holders(held: int) -> list[int]:
    """Return the processes that hold a lock on an open file, where the system tells: on Linux."""
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return []
    inode = f":{os.fstat(held).st_ino}"
    fields = [line.split() for line in lines]
    found = {int(f[4]) for f in fields if f[1] == "POSIX" and f[5].endswith(inode)}
    return sorted(pid for pid in found if pid > 0)
