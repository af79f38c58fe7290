"""The log: append, fork, read. All that others need of it is here; the parts are beside it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from msgspec.structs import replace

from .branches import BranchRow
from .codec import Codec
from .draft import Batch, Begun, Draft, Edge, NewRun, Prepared, prepare
from .errors import BadRunName, BranchMoved, LogError, NoSuchOffset, NoSuchRun, RunExists
from .events import Event, Record, UnknownEvent
from .group import Done, Writer
from .projection import first_row
from .readable import ReadableLog
from .rebuild import is_outdated, rebuild
from .store import MAP_SIZES, MAX_READERS, Store, Txn
from .tables import FORMAT, LATER, NAMES, PLACE
from .tail import Tail

T = TypeVar("T")

RUN_NAME_BYTES = 200
"""The longest run id, in UTF-8: it is a key, and keys are short."""


class Log(ReadableLog):
    """The append-only log of a project, in one folder.

    Any number of processes may have it open. Within one process, methods may be called from any
    thread; a write is on disk when its method returns or its `done` is called.
    """

    def __init__(self, store: Store, codec: Codec) -> None:
        super().__init__(store, codec)
        self._edge = Edge(-1, 0, [], Tail(0, 0, 0, 0, 0), {}, {})
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
            later=LATER,
            create=create,
            map_size=map_size,
            max_readers=max_readers,
        )
        log = cls(store, codec or Codec())
        try:
            log._refresh()
        except BaseException:
            log.close()
            raise
        return log

    def _refresh(self) -> None:
        """Make the projections anew where a version that understood events otherwise made them."""
        outdated = self._store.view(lambda txn: is_outdated(self._tables, txn))
        if outdated and not self._store.readonly:
            self.rebuild()

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
        new = NewRun(run, events, actor, time, blobs, parent, offset, reason, replaces)
        return self.write_one(new)

    def _inherited(self, parent: int | None, offset: int) -> Iterator[Record]:
        if parent is None:
            if offset:
                raise NoSuchOffset(0, offset=offset, head=0)
            return iter(())
        head = self.head(parent)
        if not 0 <= offset <= head:
            raise NoSuchOffset(parent, offset=offset, head=head)
        return self._reader.turns(parent, 0, offset)

    def _create(self, draft: Draft, txn: Txn, begun: Begun) -> int | LogError:
        new, seed, row = begun.new, begun.branch, begun.row
        if new.beside and (moved := draft.moved(new.beside.branch, new.beside.expected)):
            return moved
        try:
            old = self._tables.branch_of(txn, new.run)
        except NoSuchRun:
            pass
        else:
            if not new.replaces:
                return RunExists(new.run)
            if moved := draft.moved(old, new.expected):
                return moved
            self._close(draft, txn, old, new)
            draft.retire(old)
        branch = draft.next_branch()
        draft.create(replace(seed, branch=branch), replace(row, branch=branch))
        batch = Batch(branch, new.events, new.offset, new.actor, new.time, new.blobs)
        draft.add(prepare(self._codec, batch, self._has_blob(txn)))
        if new.beside:
            draft.add(prepare(self._codec, new.beside, self._has_blob(txn)))
        return branch

    def _close(self, draft: Draft, txn: Txn, branch: int, new: NewRun) -> None:
        """Write what a branch ends with whose run goes on in a new one."""
        if new.closing:
            assert new.expected is not None, "it ends at an offset that its writer knows"
            last = Batch(branch, new.closing, new.expected, new.actor, new.time)
            draft.add(prepare(self._codec, last, self._has_blob(txn)))

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
        return self.write_one(Batch(branch, events, expected, actor, time, blobs))

    def write_one(self, item: Batch | NewRun) -> int:
        """Write a batch or a new run in the calling thread; return what `submit` would tell."""
        result = self._write([item])[0]
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

    def submit(self, item: Batch | NewRun, done: Done) -> None:
        """Hand a batch or a new run to the writer thread, which commits all that is queued in one go.

        `done` runs in that thread, after the flush, with the branch's new head (of a new run, its
        branch), or with the error for which nothing of this item was written.
        """
        self._store.check()
        if self._writer is None:
            with self._store.lock:
                if self._writer is None:
                    self._writer = Writer(self._store.path, self.write_each)
        self._writer.submit(item, done)

    def write_each(self, items: Sequence[Batch | NewRun]) -> list[int | Exception]:
        """Write items where one that cannot be encoded is refused by itself."""
        results: dict[int, int | Exception] = {}
        prepared: dict[int, Prepared | Begun] = {}
        for index, item in enumerate(items):
            try:
                prepared[index] = self._prepare(item)
            except Exception as error:  # noqa: BLE001 - told to whoever submitted it
                results[index] = error
        results.update(zip(prepared, self._write_prepared([*prepared.values()]), strict=True))
        return [results[index] for index in range(len(items))]

    def _prepare(self, item: Batch | NewRun) -> Prepared | Begun:
        if isinstance(item, NewRun):
            return self._begin(item)
        if not item.blobs:
            return prepare(self._codec, item, _is_never_stored)
        return self._store.view(lambda txn: prepare(self._codec, item, self._has_blob(txn)))

    def _begin(self, new: NewRun) -> Begun:
        if not 0 < len(new.run.encode("utf-8", "replace")) <= RUN_NAME_BYTES:
            raise BadRunName(new.run, limit_bytes=RUN_NAME_BYTES)
        branch = BranchRow(0, new.run, new.parent, new.offset, new.reason, new.time, new.actor)
        row = first_row(branch, self._inherited(new.parent, new.offset))
        return Begun(new, branch, row)

    def _has_blob(self, txn: Txn) -> Callable[[bytes], bool]:
        cursor = txn.cursor(self._store.db["blobs"])
        return cursor.set_key

    def _write(self, items: Sequence[Batch | NewRun]) -> list[int | LogError]:
        return self._write_prepared([self._prepare(item) for item in items])

    def _write_prepared(self, prepared: list[Prepared | Begun]) -> list[int | LogError]:
        size_bytes = sum(item.size_bytes for item in prepared)

        def add(draft: Draft, txn: Txn) -> list[int | LogError]:
            return [
                draft.add(item) if isinstance(item, Prepared) else self._create(draft, txn, item)
                for item in prepared
            ]

        return self._commit(add, size_bytes)

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

    def rebuild(self) -> None:
        """Make the projections, which listings, timers and forks read, anew from the records."""
        self._store.transact(lambda txn: rebuild(self._tables, txn, self._reader.records), 0)

    def save_snapshot(self, branch: int, offset: int, state: bytes) -> None:
        """Keep an encoded state of a branch at an offset: a cache, which may be lost at any time."""
        key, snapshots = PLACE.pack(branch, offset), self._store.db["snapshots"]
        self._store.transact(lambda txn: txn.put(key, state, db=snapshots), len(state))

    def drop_snapshots(self) -> None:
        """Forget all snapshots, such as when what they encode has changed."""
        self._store.transact(lambda txn: txn.drop(self._store.db["snapshots"], delete=False), 0)


def _is_never_stored(digest: bytes) -> bool:
    return False
