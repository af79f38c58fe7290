"""The log: append, fork, read. All that others need of it is here; the parts are beside it."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from msgspec.structs import replace

from .branches import BranchRow
from .codec import Codec
from .draft import Batch, Draft, Edge, Prepared, prepare
from .errors import (
    BadRunName,
    BranchMoved,
    LogError,
    NoSuchOffset,
    NoSuchRun,
    RunExists,
)
from .events import Event, Record, UnknownEvent, Value
from .group import Done, Writer
from .merkle import root_of
from .projection import STATUSES, Due, RunRow, first_row
from .reading import Reader
from .store import MAP_SIZES, MAX_READERS, Store, Txn
from .tables import FORMAT, NAMES, Tables
from .values import reference, unwrap

T = TypeVar("T")

RUN_NAME_BYTES = 200
"""The longest run id, in UTF-8: it is a key, and keys are short."""


class Log:
    """The append-only log of a project, in one folder.

    Any number of processes may have it open. Within one process, methods may be called from any
    thread; a write is on disk when its method returns or its `done` is called.
    """

    def __init__(self, store: Store, codec: Codec) -> None:
        self._store = store
        self._codec = codec
        self._tables = Tables(store)
        self._reader = Reader(store, self._tables, codec)
        self._edge = Edge(-1, 0, [], {}, {})
        self._writer: Writer | None = None
        self.commits = 0
        """How many transactions this Log has committed."""

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        codec: Codec | None = None,
        map_size: int = MAP_SIZES[0],
        max_readers: int = MAX_READERS,
    ) -> Self:
        """Open the log in the folder `path`, made when it is missing unless `create` is false.

        A log on a read-only file system opens too; writing to it raises LogUnwritable.
        """
        store = Store(
            Path(path).resolve(),
            NAMES,
            format=FORMAT,
            create=create,
            map_size=map_size,
            max_readers=max_readers,
        )
        return cls(store, codec or Codec())

    @property
    def path(self) -> Path:
        """The folder that the log is in."""
        return Path(self._store.path)

    def close(self) -> None:
        """Write what is queued and close the file; a second call does nothing."""
        if self._store.closed:
            return
        if self._writer is not None and not self._store.is_forked:
            self._writer.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Writing

    def create_run(
        self,
        run: str,
        events: Sequence[Event | UnknownEvent],
        *,
        actor: str,
        time: int,
        blobs: Mapping[bytes, bytes] = {},
        parent: int | None = None,
        offset: int = 0,
        reason: str = "",
        replaces: bool = False,
    ) -> int:
        """Make a run's branch, with its first events, and return the branch's number.

        With `parent` it is a fork: it begins with the parent's events before `offset`. With
        `replaces` it may take over the name of an earlier run, which then is listed no more
        though its branch stays.
        """
        if not 0 < len(run.encode("utf-8", "replace")) <= RUN_NAME_BYTES:
            raise BadRunName(run, limit_bytes=RUN_NAME_BYTES)
        seed = BranchRow(0, run, parent, offset, reason, time, actor)
        row = first_row(seed, self._inherited(parent, offset))
        batch = Batch(0, events, offset, actor, time, blobs)
        return self._commit(
            lambda draft, txn: self._create(draft, txn, seed, row, batch, replaces=replaces),
            sum(map(len, blobs.values())),
        )

    def _inherited(self, parent: int | None, offset: int) -> Iterator[Record]:
        if parent is None:
            if offset:
                raise NoSuchOffset(0, offset=offset, head=0)
            return iter(())
        head = self.head(parent)
        if not 0 <= offset <= head:
            raise NoSuchOffset(parent, offset=offset, head=head)
        return self.records(parent, 0, offset)

    def _create(
        self, draft: Draft, txn: Txn, seed: BranchRow, row: RunRow, batch: Batch, *, replaces: bool
    ) -> int:
        try:
            old = self._tables.branch_of(txn, seed.run)
        except NoSuchRun:
            pass
        else:
            if not replaces:
                raise RunExists(seed.run)
            draft.retire(old)
        last = txn.cursor(self._store.db["branches"])
        branch = int.from_bytes(last.key(), "big") + 1 if last.last() else 1
        draft.create(replace(seed, branch=branch), replace(row, branch=branch))
        draft.add(prepare(self._codec, replace(batch, branch=branch), self._has_blob(txn)))
        return branch

    def append(
        self,
        branch: int,
        events: Sequence[Event | UnknownEvent],
        *,
        expected: int,
        actor: str,
        time: int,
        blobs: Mapping[bytes, bytes] = {},
    ) -> int:
        """Write events to a branch at offset `expected` and return its new head.

        Raises BranchMoved, and writes nothing, when the branch is at another offset.
        """
        batch = Batch(branch, events, expected, actor, time, blobs)
        result = self._write([batch])[0]
        if isinstance(result, LogError):
            raise result
        return result

    def write(self, batches: Sequence[Batch]) -> list[int | BranchMoved]:
        """Write several batches in one commit, in order; each is written whole or refused.

        Returns for each batch its branch's new head, or BranchMoved. Raises NoSuchBranch, and
        writes nothing, when one is for a branch that does not exist.
        """
        for branch in {batch.branch for batch in batches}:
            self._reader.branch_row(branch)
        results = self._write(batches)
        return [result for result in results if isinstance(result, int | BranchMoved)]

    def submit(self, batch: Batch, done: Done) -> None:
        """Hand a batch to the writer thread, which commits all that is queued in one go.

        `done` runs in that thread, after the flush, with the branch's new head, or with the error
        for which nothing of this batch was written.
        """
        if self._writer is None:
            with self._store.lock:
                if self._writer is None:
                    self._store.check()
                    self._writer = Writer(self._store.path, self._write_each)
        self._writer.submit(batch, done)

    def _write_each(self, batches: Sequence[Batch]) -> list[int | Exception]:
        """Write batches where one that cannot be encoded is refused by itself."""
        results: dict[int, int | Exception] = {}
        prepared: dict[int, Prepared] = {}
        for index, batch in enumerate(batches):
            try:
                prepared[index] = self._prepare(batch)
            except Exception as error:  # noqa: BLE001 - told to whoever submitted it
                results[index] = error
        results.update(zip(prepared, self._write_prepared([*prepared.values()]), strict=True))
        return [results[index] for index in range(len(batches))]

    def _prepare(self, batch: Batch) -> Prepared:
        if not batch.blobs:
            return prepare(self._codec, batch, _is_never_stored)
        return self._store.view(lambda txn: prepare(self._codec, batch, self._has_blob(txn)))

    def _has_blob(self, txn: Txn) -> Callable[[bytes], bool]:
        cursor = txn.cursor(self._store.db["blobs"])
        return cursor.set_key

    def _write(self, batches: Sequence[Batch]) -> list[int | LogError]:
        return self._write_prepared([self._prepare(batch) for batch in batches])

    def _write_prepared(self, prepared: list[Prepared]) -> list[int | LogError]:
        size_bytes = sum(batch.size_bytes for batch in prepared)
        return self._commit(lambda draft, _: [draft.add(batch) for batch in prepared], size_bytes)

    def _commit(self, work: Callable[[Draft, Txn], T], size_bytes: int) -> T:
        draft: Draft | None = None

        def run(txn: Txn) -> T:
            nonlocal draft
            draft = Draft(self._tables, txn, self._edge)
            result = work(draft, txn)
            draft.write()
            return result

        with self._store.lock:
            result = self._store.transact(run, size_bytes)
            assert draft is not None
            if edge := draft.edge():
                self._edge = edge
                self.commits += 1
        return result

    # Reading

    def records(self, branch: int, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """Yield the records of a branch at offsets [start, stop), the inherited ones included.

        Pages are read as they are needed, so what is appended meanwhile is seen as well.
        """
        self._reader.branch_row(branch)
        return self._reader.records(branch, start, stop)

    def scan(self, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """Yield the records of all branches at seq [start, stop), in the order of writing."""
        return self._reader.scan(start, stop)

    def head(self, branch: int) -> int:
        """Return a branch's next offset."""
        return self._store.view(lambda txn: self._tables.head(txn, branch)).offset

    def branch_of(self, run: str) -> int:
        """Return the branch of a run; NoSuchRun when there is none."""
        return self._store.view(lambda txn: self._tables.branch_of(txn, run))

    def run(self, run: str) -> RunRow:
        """Return what the listings know of a run; NoSuchRun when there is none."""

        def read(txn: Txn) -> RunRow:
            return self._tables.run(txn, self._tables.branch_of(txn, run))

        return self._store.view(read)

    def runs(self, *, limit: int | None = None, statuses: Collection[str] = ()) -> list[RunRow]:
        """Return runs, the newest first, of the given statuses or of all."""

        def read(txn: Txn) -> list[RunRow]:
            branches = self._tables.newest_runs(txn, statuses or STATUSES)
            return [self._tables.run(txn, branch) for branch in islice(branches, limit)]

        return self._store.view(read)

    def due(self, until: int) -> list[Due]:
        """Return the timers that are due by the time `until`, the earliest first."""
        return self._store.view(lambda txn: self._tables.due(txn, until))

    def load(self, value: Value) -> bytes:
        """Return the MessagePack bytes of a value, from its blob where it is a reference."""
        place = reference(value)
        if place is None:
            return bytes(value)
        return self.blob(place.digest)

    def blob(self, digest: bytes) -> bytes:
        """Return the blob of a digest, checked against it; BlobDamaged when it is not there."""
        stored = self._store.view(lambda txn: txn.get(digest, db=self._store.db["blobs"]))
        return unwrap(digest, stored)

    def branches(self) -> list[BranchRow]:
        """Return all branches, in the order in which they were made."""
        return self._store.view(self._tables.branches)

    def size(self) -> int:
        """Return the number of records."""
        return self._store.view(self._tables.size)

    def root(self) -> bytes:
        """Return the RFC 6962 Merkle tree hash over all records."""
        return self._store.view(
            lambda txn: root_of(self._tables.peaks(txn, self._tables.size(txn)))
        )

    def used_bytes(self) -> int:
        """Return the bytes of the pages in use; the file itself has room ahead of them."""
        return self._store.used_bytes()

    def copy(self, folder: str | os.PathLike[str]) -> None:
        """Write a compact and consistent copy of the log into a new or empty folder."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        self._store.copy(target)


def _is_never_stored(digest: bytes) -> bool:
    return False
