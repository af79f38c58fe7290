"""Compacting the log: a copy without what is free, compared row by row, in the place of the file.

Nothing else may have the log open. Until the copy is renamed, which happens at once and only when it
is on disk, the old file is what there is: whenever this is killed, one of the two is there, whole.
"""

import errno
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path

import lmdb
import msgspec

from .codec import Codec
from .errors import CopyDiffers, LogDamaged, LogOpenTwice, LogUnwritable, NoRoomToCompact
from .gate import alone
from .readable import ReadableLog
from .store import Store, Txn, flush, is_open_here, renew_locks
from .tables import FORMAT, LATER, NAMES
from .tail import KEY
from .unused import Spare, spare, unused_blobs

Tell = Callable[[str, int, int], None]
"""Hears of progress: what is being done, how much of it is done, and how much there is to do."""

COPY = "compacting"  # the folder of the copy, within the log's
_HEADROOM_BYTES = 1 << 20
_TELL_ROWS = 50_000


class Compacted(msgspec.Struct, frozen=True):
    """What compacting did: what could go before, and what there is now."""

    before: Spare
    file_bytes: int
    records: int
    root: bytes

    @property
    def freed_bytes(self) -> int:
        """How much smaller the file has become."""
        return self.before.file_bytes - self.file_bytes


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def compact(path: str | os.PathLike[str], tell: Tell = silent) -> Compacted:
    """Drop what nobody needs from the log in a folder, and give free pages back to the disk.

    Raises LogInUse while anybody has it open, NoRoomToCompact, CopyDiffers, LogUnwritable, LogDamaged:
    then every record is where it was.
    """
    folder = Path(path).resolve()
    if is_open_here(folder):
        raise LogOpenTwice(str(folder))
    if not (folder / "data.mdb").exists():
        raise LogDamaged(str(folder), "there is no data.mdb, or nothing in it")
    with alone(folder):
        shutil.rmtree(folder / COPY, ignore_errors=True)  # of one that was killed
        return _compact(folder, tell)


def _compact(folder: Path, tell: Tell) -> Compacted:
    with _opened(folder) as log:
        tell("looking for what nobody needs", 0, 1)
        before = spare(log)
        _check_room(folder, before.used_bytes)
        _drop_unused(log)
        try:
            copy = _copy(log, folder, tell)
            with _opened(copy.parent) as other:
                _compare(log, other, tell)
                done = Compacted(before, other.store.file_bytes(), other.size(), other.root())
            _replace(copy, folder)
        finally:
            shutil.rmtree(folder / COPY, ignore_errors=True)
    renew_locks(folder)
    return done


@contextmanager
def _opened(folder: Path) -> Generator[ReadableLog]:
    """Open a log that nobody else can open."""
    store = Store(folder, NAMES, format=FORMAT, later=LATER, create=False, alone=True)
    try:
        yield ReadableLog(store, Codec())
    finally:
        store.close()


def _check_room(folder: Path, used_bytes: int) -> None:
    disk = os.statvfs(folder)
    needed, free = used_bytes + _HEADROOM_BYTES, disk.f_bavail * disk.f_frsize
    if free < needed:
        raise NoRoomToCompact(str(folder), needed_bytes=needed, free_bytes=free)


def _drop_unused(log: ReadableLog) -> None:
    store = log.store
    unused = unused_blobs(log)

    def drop(txn: Txn) -> None:
        for digest in unused:
            txn.delete(digest, db=store.db["blobs"])
        if txn.stat(store.db["snapshots"])["entries"]:
            txn.drop(store.db["snapshots"], delete=False)

    store.transact(drop, 0)


def _copy(log: ReadableLog, folder: Path, tell: Tell) -> Path:
    """Write the copy and return its data file."""
    tell("copying", 0, 1)
    copy, old = folder / COPY / "data.mdb", os.stat(folder / "data.mdb")
    try:
        copy.parent.mkdir()
        log.store.copy(copy.parent)
        descriptor = os.open(copy, os.O_RDWR)
        try:
            os.fchmod(descriptor, old.st_mode & 0o777)
            if (old.st_uid, old.st_gid) != (os.getuid(), os.getgid()):
                os.fchown(descriptor, old.st_uid, old.st_gid)
        finally:
            os.close(descriptor)
    except lmdb.Error as error:
        raise _named(folder, log, error.code or 0, error) from error
    except OSError as error:
        raise _named(folder, log, error.errno or 0, error) from error
    return copy


def _named(folder: Path, log: ReadableLog, code: int, error: Exception) -> Exception:
    if code == errno.ENOSPC:
        free = os.statvfs(folder)
        return NoRoomToCompact(
            str(folder),
            needed_bytes=log.used_bytes() + _HEADROOM_BYTES,
            free_bytes=free.f_bavail * free.f_frsize,
        )
    return LogUnwritable(str(folder), f"the copy of it could not be written ({error})")


def _compare(log: ReadableLog, copy: ReadableLog, tell: Tell) -> None:
    """Make sure that every row of every table is in the copy as it was."""
    log.store.view(
        lambda one: copy.store.view(lambda other: _compare_rows(log, one, copy, other, tell))
    )
    if log.root() != copy.root():
        raise CopyDiffers(str(log.path), "tree")


def _compare_rows(log: ReadableLog, one: Txn, copy: ReadableLog, other: Txn, tell: Tell) -> None:
    if one.get(KEY) != other.get(KEY):
        raise CopyDiffers(str(log.path), "meta")
    total = sum(one.stat(db)["entries"] for db in log.store.db.values())
    done = 0
    for name in log.store.db:
        pairs = zip_longest(one.cursor(log.store.db[name]), other.cursor(copy.store.db[name]))
        for row, twin in pairs:
            if row != twin:
                raise CopyDiffers(str(log.path), name)
            if done % _TELL_ROWS == 0:
                tell("comparing", done, total)
            done += 1
    tell("comparing", total, total)


def _replace(copy: Path, folder: Path) -> None:
    """Put the copy in the place of the log's file, once it is on disk, and flush that as well."""
    try:
        flush(copy)
        flush(copy.parent)
        os.replace(copy, folder / "data.mdb")
        flush(folder)
    except OSError as error:
        why = f"the copy could not be put in its place ({error})"
        raise LogUnwritable(str(folder), why) from error
