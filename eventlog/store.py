"""The LMDB file: opening it, transactions that survive growth, room ahead, and clear errors.

Knows nothing of what is stored. Everything that touches the disk for the log goes through here.
"""

import errno
import os
import struct
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from weakref import WeakValueDictionary

import lmdb
import msgspec

from .errors import (
    LogBusy,
    LogClosed,
    LogDamaged,
    LogForked,
    LogOpenTwice,
    LogTooNew,
    LogUnwritable,
)
from .gate import opening
from .room import Room, check_length

T = TypeVar("T")
if TYPE_CHECKING:
    Txn: TypeAlias = lmdb.Transaction[bytes]
else:
    Txn = lmdb.Transaction

MAP_SIZES = (1 << 40, 1 << 36, 1 << 32, 1 << 28)
"""Address space to ask for: the file is as large as what is in it, whichever is granted."""

MAX_READERS = 1024
_FORMAT_KEY = b"format"
_OPEN: "WeakValueDictionary[tuple[int, str], Store]" = WeakValueDictionary()


class BadRow(Exception):
    """A row that its table cannot have: only a damaged file has one."""


_SENSELESS = (BadRow, struct.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_HURT = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.PanicError)


class Store:
    """An LMDB environment in one folder, with its named databases in `db`.

    Of `names`, those of `later` are added to a file that has not got them; one that cannot be written
    does without. `alone`: without locks, for who knows that nobody else can open it, see gate.py.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        *,
        format: int,
        later: Collection[str] = (),
        create: bool = True,
        map_size: int = MAP_SIZES[0],
        max_readers: int = MAX_READERS,
        alone: bool = False,
    ) -> None:
        self.path = str(path)
        self.db: dict[str, lmdb._Database] = {}
        self.readonly = False
        self.lock = threading.RLock()
        """Held during a write; hold it to learn of a commit before the next one begins."""
        self._names, self._later, self._format = names, later, format
        self._pid = os.getpid()
        self._closed = False
        self._remaps = 0
        self._alone = alone
        self._room: Room | None = None
        if (self._pid, self.path) in _OPEN:
            raise LogOpenTwice(self.path)
        is_new = _make_folder(path, create=create)
        with nullcontext() if alone else opening(path):
            self._env = self._open(map_size, max_readers)
        _OPEN[self._pid, self.path] = self
        try:
            self._settle()
            if is_new:
                _flush_both(path)
        except BaseException:
            self.close()
            raise

    def _open(self, map_size: int, max_readers: int) -> lmdb.Environment:
        sizes = [map_size, *(size for size in MAP_SIZES if size < map_size)]
        while True:
            try:
                return self._environment(sizes[0], max_readers)
            except (lmdb.MemoryError, MemoryError) as error:
                if len(sizes) == 1:
                    raise LogUnwritable(self.path, f"no address space for it ({error})") from error
                sizes.pop(0)
            except lmdb.ReadonlyError as error:
                raise LogUnwritable(self.path, str(error)) from error
            except lmdb.Error as error:
                if error.code == errno.EROFS and not self.readonly:
                    self.readonly = True  # LMDB can then do without its lock file
                elif error.code in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC):
                    raise LogUnwritable(self.path, str(error)) from error
                else:
                    raise LogDamaged(self.path, str(error)) from error

    def _environment(self, map_size: int, max_readers: int) -> lmdb.Environment:
        return lmdb.Environment(
            self.path,
            map_size=map_size,
            readonly=self.readonly,
            create=False,
            max_dbs=len(self._names) + 4,
            max_readers=max_readers,
            max_spare_txns=0,
            lock=not self._alone,
        )

    def _settle(self) -> None:
        """Look at the file before its pages are touched, then open the databases."""
        try:
            check_length(self.path, self._env)
            self._env.reader_check()
            if self.readonly:
                self._recognise(None)
                return
            # LMDB keeps handles only of a write transaction that commits.
            self.transact(self._create_or_recognise, 0)
            self._room = Room(self.path, self._env)
        except lmdb.Error as error:
            raise LogDamaged(self.path, str(error)) from error

    def _create_or_recognise(self, txn: Txn) -> None:
        if self._env.stat()["entries"]:
            return self._recognise(txn)
        self.db = {name: self._env.open_db(name.encode(), txn=txn) for name in self._names}
        txn.put(_FORMAT_KEY, b"%d" % self._format, db=self.db["meta"])

    def _recognise(self, txn: Txn | None) -> None:
        def open_existing(name: str) -> lmdb._Database:
            is_new = txn is not None and name in self._later
            return self._env.open_db(name.encode(), txn=txn, create=is_new)

        try:
            meta = open_existing("meta")
        except lmdb.NotFoundError as error:
            raise LogDamaged(self.path, "its data.mdb is another program's") from error
        self._check_format(txn.get(_FORMAT_KEY, db=meta) if txn else self._peek(meta))
        for name in self._names:
            try:
                self.db[name] = open_existing(name)
            except lmdb.NotFoundError:
                if name not in self._later:
                    raise

    def _peek(self, meta: lmdb._Database) -> bytes | None:
        with self._env.begin() as txn:
            return txn.get(_FORMAT_KEY, db=meta)

    def _check_format(self, stored: bytes | None) -> None:
        found = int(stored) if stored and stored.isdigit() else 0
        if not found:
            raise LogDamaged(self.path, f"its format is {stored!r}, which is none")
        if found > self._format:
            raise LogTooNew(self.path, found=found, known=self._format)

    def view(self, work: Callable[[Txn], T]) -> T:
        """Run `work` in a read transaction, anew when the map changed below it; keep it short."""
        checked_readers = False
        while True:
            self.check()
            remaps = self._remaps
            try:
                with self._env.begin() as txn:
                    return work(txn)
            except lmdb.ReadersFullError as error:
                if checked_readers:
                    raise LogBusy(self.path, readers=self._env.max_readers()) from error
                self._env.reader_check()
                checked_readers = True
            except lmdb.MapResizedError:
                self._follow()
            except _SENSELESS as error:
                raise self._senseless(error) from error
            except lmdb.Error as error:
                if remaps == self._remaps:
                    raise LogDamaged(self.path, str(error)) from error

    def transact(self, work: Callable[[Txn], T], size_bytes: int) -> T:
        """Run `work` in a write transaction of about `size_bytes` and flush it; anew after growth.

        All of it happens in the calling thread: LMDB binds a write transaction to its thread.
        """
        if self.readonly:
            raise LogUnwritable(self.path, "its file system is read-only")
        with self.lock:
            while True:
                self.check()
                try:
                    return self._once(work, size_bytes)
                except lmdb.MapFullError:
                    self._grow(size_bytes)
                except lmdb.MapResizedError:
                    self._follow()
                except _SENSELESS as error:
                    raise self._senseless(error) from error
                except _HURT as error:
                    raise LogDamaged(self.path, str(error)) from error
                except lmdb.Error as error:
                    raise LogUnwritable(self.path, self._reason(error, size_bytes)) from error

    def _senseless(self, error: Exception) -> LogDamaged:
        return LogDamaged(self.path, f"a row of its tables makes no sense ({error})")

    def _reason(self, error: lmdb.Error, size_bytes: int) -> str:
        """Say in words why a write failed: of a full disk LMDB only tells an input/output error."""
        disk = os.statvfs(self.path)
        if error.code == errno.EIO and disk.f_bavail * disk.f_frsize < size_bytes + (1 << 20):
            return "the disk is full"
        return str(error)

    def _once(self, work: Callable[[Txn], T], size_bytes: int) -> T:
        txn = self._env.begin(write=True)
        try:
            if self._room is not None:
                self._room.reserve(size_bytes)
            result = work(txn)
            txn.commit()
        except BaseException:
            txn.abort()
            raise
        return result

    def _grow(self, size_bytes: int) -> None:
        size = self._env.info()["map_size"]
        self._remap(size + max(size // 2, 2 * size_bytes, 1 << 20))

    def _follow(self) -> None:
        """Adopt the size that another process gave the map."""
        with self.lock:
            self._remaps += 1
            try:
                self._env.set_mapsize(0)
            except (lmdb.MemoryError, MemoryError):  # it has more address space than we do
                self._remap(2 * os.path.getsize(os.path.join(self.path, "data.mdb")))

    def _remap(self, map_size: int) -> None:
        self._remaps += 1
        try:
            self._env.set_mapsize(map_size)
        except (lmdb.MemoryError, MemoryError) as error:
            self.close()  # the environment has no map any more
            raise LogUnwritable(self.path, "no address space to grow it") from error

    def check(self) -> None:
        """Raise when the log may not be used here any more."""
        if self.is_forked:
            raise LogForked(self.path, opened_by=self._pid)
        if self._closed:
            raise LogClosed(self.path)

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def is_forked(self) -> bool:
        """Whether this is a forked child of the process that opened the log."""
        return os.getpid() != self._pid

    def used_bytes(self) -> int:
        """Return the bytes of the pages that hold something; the file has room ahead of them."""

        def count(txn: Txn) -> int:
            stats = [self._env.stat(), *(txn.stat(db) for db in self.db.values())]
            pages = sum(s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"] for s in stats)
            return (pages + 2) * stats[0]["psize"]

        return self.view(count)

    def file_bytes(self) -> int:
        """Return the length of the data file."""
        return os.path.getsize(os.path.join(self.path, "data.mdb"))

    def free_bytes(self) -> int:
        """Return the bytes of the pages that held something once; what lies ahead is no part of it."""
        self.check()
        info, page_bytes = self._env.info(), self._env.stat()["psize"]
        return max(0, (info["last_pgno"] + 1) * page_bytes - self.used_bytes())

    def map_bytes(self) -> int:
        """Return the address space that the file may grow to before it is mapped anew."""
        return self._env.info()["map_size"]

    def copy(self, folder: Path) -> None:
        """Write a compact, consistent copy into an existing empty folder."""
        self.check()
        self._env.copy(str(folder), compact=True)

    def close(self) -> None:
        """Close the file; a second call does nothing. In a forked child nothing is touched."""
        if self._closed or self.is_forked:
            return
        with self.lock:
            self._closed = True
            if self._room is not None:
                self._room.close()
            self._env.close()
            _OPEN.pop((self._pid, self.path), None)


def is_open_here(path: Path) -> bool:
    """Tell whether this process has the log in a folder open."""
    return (os.getpid(), str(path)) in _OPEN


def _make_folder(path: Path, *, create: bool) -> bool:
    """Make the folder for a new log, and tell whether it is one that has no file yet."""
    data = path / "data.mdb"
    try:
        if not create and not (data.exists() and data.stat().st_size):
            raise LogDamaged(str(path), "there is no data.mdb, or nothing in it")
        path.mkdir(parents=True, exist_ok=True)
        if data.exists() and not data.is_file():  # LMDB would wait for a pipe's other end
            raise LogDamaged(str(path), "its data.mdb is not a file")
        return not data.exists()
    except FileExistsError as error:
        raise LogDamaged(str(path), "it is not a folder") from error
    except OSError as error:
        raise LogUnwritable(str(path), str(error)) from error


def _flush_both(path: Path) -> None:
    """Make the file's name as durable as what will be in it."""
    for folder in (path, path.parent):
        flush(folder)


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def renew_locks(path: Path) -> None:
    """Make the lock file fit the data file that stands there now, for who waits within LMDB.

    The caller has it locked by `alone` (gate.py), which ends with this.
    """
    lmdb.Environment(str(path), create=False, max_readers=MAX_READERS).close()
