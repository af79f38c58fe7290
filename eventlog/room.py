"""Room ahead in the data file: blocks that a commit finds already written.

A commit into blocks that the file system has yet to allocate is several times slower to flush.
"""

import errno
import os
from typing import Any, cast

import lmdb

from .errors import LogDamaged

_FIRST_BYTES = 1 << 20
_MOST_BYTES = 32 << 20
_ZEROS = bytes(1 << 20)
_COMMIT_BYTES = 64 << 10  # more than the pages that a small commit dirties


class Room:
    """Keeps zeros written ahead of the last page in use."""

    def __init__(self, path: str, env: lmdb.Environment) -> None:
        self._env = env
        self._page_bytes = env.stat()["psize"]
        self._file = open(os.path.join(path, "data.mdb"), "r+b", buffering=0)  # noqa: SIM115
        self._left = 0

    def reserve(self, size_bytes: int) -> None:
        """Make sure of room for one transaction. Call it at the start of a write transaction.

        Only there may the file be written beyond the last committed page: at any other moment the
        pages of another process's commit could be what is overwritten.
        """
        self._left -= _COMMIT_BYTES + 2 * size_bytes
        if self._left > 0:
            return
        used = (self._env.info()["last_pgno"] + 1) * self._page_bytes
        length = os.fstat(self._file.fileno()).st_size
        wanted = used + _COMMIT_BYTES + 2 * size_bytes
        if length - used < wanted - used + _FIRST_BYTES // 4:
            ahead = max(min(used // 2, _MOST_BYTES), _FIRST_BYTES)
            length = self._extend(length, max(wanted, length) + ahead)
        self._left = length - wanted

    def _extend(self, length: int, target: int) -> int:
        target += -target % self._page_bytes
        at = length
        try:
            while at < target:
                at += os.pwrite(self._file.fileno(), _ZEROS[: target - at], at)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # What is left of the disk is worth more to commits than to zeros. The length stays
            # ahead of the last page, though, since a shorter file is taken for a damaged one.
            self._file.truncate(length)
            self._file.truncate(target)
        return target

    def close(self) -> None:
        """Close the file; the zeros stay."""
        self._file.close()


def check_length(path: str, env: lmdb.Environment) -> None:
    """Raise LogDamaged when pages in use are beyond the file's end: reading them is SIGBUS."""
    needed = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    length = os.path.getsize(os.path.join(path, "data.mdb"))
    # LMDB may leave its last pages unwritten where they are free: only then is it sound.
    if length < needed and _problems(path):
        raise LogDamaged(path, f"data.mdb has {length} of at least {needed} bytes")


def _problems(path: str) -> list[str]:
    from lmdb import verify as offline  # needed only here, in the worst case

    try:
        return cast("list[str]", cast(Any, offline).verify(path))
    except offline.VerifyError as error:
        return [str(error)]
