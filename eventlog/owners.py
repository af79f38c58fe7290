"""Who is alive: a kernel file lock for each owner, which ends with its process and never before.

A stopped process still holds its lock, and a killed one does not: no time-out can tell as much.
"""

import fcntl
import os
import re
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

from .errors import LogUnwritable

_TOKEN = re.compile(r"[0-9a-f]{16}")


class Owner:
    """This process, or a part of it, as the owner of the runs that it claims with `token`."""

    def __init__(self, token: str, path: Path, descriptor: int) -> None:
        self.token = token
        self._path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, folder: str | os.PathLike[str]) -> Self:
        """Take a new token whose lock lies in `folder`/owners. Raises LogUnwritable."""
        try:
            return cls._acquire(Path(folder) / "owners")
        except OSError as error:
            raise LogUnwritable(str(folder), error.strerror or str(error)) from error

    @classmethod
    def _acquire(cls, owners: Path) -> Self:
        owners.mkdir(parents=True, exist_ok=True)
        token = secrets.token_hex(8)
        newborn = owners / f".{token}"
        descriptor = os.open(newborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            newborn.rename(owners / token)  # only now can it be seen, and it is locked
        except BaseException:
            os.close(descriptor)
            newborn.unlink(missing_ok=True)
            raise
        return cls(token, owners / token, descriptor)

    def close(self) -> None:
        """Stop owning; a second call does nothing."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def owner_alive(folder: str | os.PathLike[str], token: str) -> bool:
    """Tell whether the owner `token` lives; a dead one's file is removed."""
    if not _TOKEN.fullmatch(token):
        return False
    path = Path(folder) / "owners" / token
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)


def living_owners(folder: str | os.PathLike[str]) -> list[int]:
    """Return the processes of all owners that live, 0 for one that nobody knows.

    The files of dead ones are removed.
    """
    owners = Path(folder) / "owners"
    if not owners.is_dir():
        return []
    alive = [path for path in sorted(owners.iterdir()) if owner_alive(folder, path.name)]
    return sorted({_pid(path) for path in alive})


def _pid(path: Path) -> int:
    try:
        return int(path.read_text() or 0)
    except FileNotFoundError:  # it has just ended
        return 0
