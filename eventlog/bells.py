"""Waking other processes: whoever waits for news hangs up a bell, whoever wrote some rings all.

A bell is a FIFO. Its reader sleeps in the kernel until somebody writes, so nobody polls.
"""

import errno
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from .errors import LogUnwritable


class Doorbell:
    """A bell in `folder`/bells. Its `fileno()` becomes readable when somebody rings.

    Raises LogUnwritable where it cannot be hung up.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            self._hang_up(Path(folder) / "bells")
        except OSError as error:
            raise LogUnwritable(str(folder), error.strerror or str(error)) from error

    def _hang_up(self, bells: Path) -> None:
        bells.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(8)
        newborn, self._path = bells / f".{name}", bells / name
        os.mkfifo(newborn, 0o600)
        try:
            # Open for writing too: a FIFO whose last writer has left is readable for ever.
            self._descriptor = os.open(newborn, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            newborn.rename(self._path)  # only now can it be rung, and somebody listens
        except BaseException:
            newborn.unlink(missing_ok=True)
            raise

    def fileno(self) -> int:
        """Return the descriptor to wait for, such as with `trio.lowlevel.wait_readable`."""
        return self._descriptor

    def drain(self) -> bool:
        """Take in all rings so far, and tell whether there was one. Drain, then read the log."""
        rung = False
        try:
            while os.read(self._descriptor, 4096):
                rung = True
        except BlockingIOError:
            pass
        return rung

    def close(self) -> None:
        """Take the bell down; a second call does nothing."""
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def ring(folder: str | os.PathLike[str]) -> None:
    """Ring every bell in `folder`/bells; those of dead processes are taken down."""
    try:
        entries = [*os.scandir(Path(folder) / "bells")]
    except FileNotFoundError:
        return
    for entry in entries:
        if not entry.name.startswith(".") and stat.S_ISFIFO(_mode(entry)):
            _ring_one(entry.path)


def _mode(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:  # taken down since
        return 0


def _ring_one(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        Path(path).unlink(missing_ok=True)  # nobody listens any more
        return
    try:
        os.write(descriptor, b"!")
    except (BlockingIOError, BrokenPipeError):
        pass  # rung often enough to be heard, or taken down since
    finally:
        os.close(descriptor)
