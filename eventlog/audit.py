"""Checking the whole log: every record, node, blob and head, and what is derived from them."""

from collections.abc import Callable
from functools import partial
from itertools import islice

import msgspec

from . import merkle
from .branches import BranchRow
from .codec import Codec, Sealed, unseal
from .errors import BlobDamaged, NoSuchBranch, RecordCorrupt
from .events import AnyEvent, RunForked, RunStarted
from .listings import wrong_listing
from .log import Log
from .store import Store, Txn
from .tables import PLACE, U64, Tables
from .values import references, unwrap

PAGE_RECORDS = 512

Progress = Callable[[int, int], None]
"""Told how many records were checked, and of how many."""


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    `kind` is "record", "node", "order", "branch", "place", "head", "blob", "listing" or "root".
    """

    seq: int
    kind: str
    detail: str


class Verdict(msgspec.Struct, frozen=True):
    """What a check found: the first fault, or None; the root is that of the records as they are."""

    records: int
    root: bytes
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        return self.fault is None


class _Stop(Exception):
    def __init__(self, seq: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(seq, kind, detail)


def verify(
    log: Log, *, root: tuple[int, bytes] | None = None, progress: Progress | None = None
) -> Verdict:
    """Recompute the tree over the log's records and compare everything that was stored of it.

    With `root`, a size and the root that was noted down when the log had it, it is also checked
    that the log still begins with those records. Memory is bounded by the number of branches.
    """
    check = _Check(log.store, root)
    try:
        check.records(progress)
        check.ends()
        check.listings(log)
    except NoSuchBranch as error:
        detail = f"branch {error.branch} has no end"
        return Verdict(check.size, merkle.root_of(check.peaks), Fault(0, "head", detail))
    except _Stop as stop:
        return Verdict(check.size, merkle.root_of(check.peaks), stop.fault)
    return Verdict(check.size, merkle.root_of(check.peaks))


def _disagreement(row: BranchRow, first: AnyEvent) -> str:
    """Return what a branch's row says otherwise than the first event of its own, or ""."""
    if isinstance(first, RunStarted | RunForked) and row.run != first.run:
        return f"is said to be of run {row.run!r}, and of {first.run!r}"
    if isinstance(first, RunForked) and row.parent != first.branch:
        return f"is said to leave branch {row.parent}, and branch {first.branch}"
    return ""


class _Check:
    def __init__(self, store: Store, root: tuple[int, bytes] | None) -> None:
        self._store, self._tables, self._root = store, Tables(store), root
        self.size = 0
        self.peaks: list[bytes] = []
        self._ends: dict[int, tuple[int, int]] = {}  # branch -> next offset, last seq
        self._places = 0

    def records(self, progress: Progress | None) -> None:
        total = self._store.view(self._total)
        self._compare_root()
        while self.size < total:
            page = self._store.view(self._page)
            if not page:
                raise _Stop(self.size, "record", f"record {self.size} is missing")
            for seq, record, row in page:
                self._record(seq, record, row)
            if progress is not None:
                progress(self.size, total)

    def _total(self, txn: Txn) -> int:
        """Return the number of records there must be, also where the last ones are missing."""
        return max(self._tables.size(txn), self._tables.tail(txn).size)

    def _page(self, txn: Txn) -> list[tuple[int, bytes, bytes]]:
        """Return the next (seq, record, tree row); the row is empty where the tree has none."""
        cursor = txn.cursor(self._tables.db["events"])
        if not cursor.set_range(U64.pack(self.size)):
            return []
        tail, node = self._tables.tail(txn), self._tables.node
        rows = ((U64.unpack(key)[0], record) for key, record in islice(cursor, PAGE_RECORDS))
        return [(seq, record, node(txn, tail, seq)) for seq, record in rows]

    def _record(self, seq: int, record: bytes, row: bytes) -> None:
        if seq != self.size:
            raise _Stop(self.size, "record", f"record {self.size} is missing")
        leaf = merkle.leaf_hash(record)
        if row[: merkle.HASH_BYTES] != leaf:
            raise _Stop(seq, "record", f"record {seq} does not match its leaf hash")
        if merkle.grow(seq, self.peaks, [leaf]) != [row]:
            raise _Stop(seq, "node", f"a tree node completed by record {seq} is wrong")
        self.size = seq + 1
        self._compare_root()
        try:
            sealed = unseal(seq, record)
            self._order(seq, sealed, record)
            self._blobs(seq, sealed)
        except (RecordCorrupt, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _Stop(seq, "record", str(error)) from error

    def _compare_root(self) -> None:
        if (
            self._root
            and self._root[0] == self.size
            and self._root[1] != merkle.root_of(self.peaks)
        ):
            raise _Stop(self.size, "root", f"the first {self.size} records have another root")

    def _order(self, seq: int, record: Sealed, data: bytes) -> None:
        end = self._ends.get(record.branch)
        expected, before = end or (self._begin(seq, record.branch, data), -1)
        if record.offset != expected:
            place = f"branch {record.branch} has offset {record.offset}"
            raise _Stop(seq, "order", f"{place} at record {seq}, where {expected} belongs")
        if before < 0 or before + 1 != seq:
            self._place(seq, record)
        self._ends[record.branch] = expected + 1, seq

    def _begin(self, seq: int, branch: int, data: bytes) -> int:
        """Return where a branch begins, after holding what is known of it, unsigned, against its record."""
        try:
            row = self._store.view(partial(self._tables.branch, branch=branch))
        except NoSuchBranch as error:
            detail = f"record {seq} is of branch {branch}, which is not there"
            raise _Stop(seq, "order", detail) from error
        if wrong := _disagreement(row, Codec().decode(seq, data).event):
            raise _Stop(seq, "branch", f"branch {branch} {wrong} in record {seq}")
        return row.offset

    def _place(self, seq: int, record: Sealed) -> None:
        """Check that a reader of the branch is led to this record, which begins a stretch of it."""
        place, places = PLACE.pack(record.branch, record.offset), self._tables.db["extents"]
        if self._store.view(lambda txn: txn.get(place, db=places)) != U64.pack(seq):
            detail = f"offset {record.offset} of branch {record.branch} does not lead to"
            raise _Stop(seq, "place", f"{detail} record {seq}")
        self._places += 1

    def _blobs(self, seq: int, record: Sealed) -> None:
        for place in references(record.event):
            try:
                unwrap(
                    place.digest, self._store.view(partial(self._tables.blob, digest=place.digest))
                )
            except BlobDamaged as error:
                raise _Stop(seq, "blob", f"record {seq} names a blob: {error}") from error

    def ends(self) -> None:
        """Check that the log's ends are where its records say, and that no root was left over."""
        if self._root and self._root[0] > self.size:
            raise _Stop(self.size, "root", f"the log once had {self._root[0]} records")
        size, places = self._store.view(self._sizes)
        if size == self.size and places != self._places:  # not appended to meanwhile
            detail = f"there are {places} places of stretches, and {self._places} stretches"
            raise _Stop(max(size - 1, 0), "place", detail)
        for branch, (end, _) in self._ends.items():
            head = self._store.view(partial(self._tables.head, branch=branch))
            if head.offset != end and head.last_seq < self.size:  # not appended to meanwhile
                detail = f"branch {branch} ends at offset {head.offset}, its records at {end}"
                raise _Stop(head.last_seq, "head", detail)

    def _sizes(self, txn: Txn) -> tuple[int, int]:
        places = txn.stat(self._tables.db["extents"])["entries"]
        return self._tables.size(txn), places

    def listings(self, log: Log) -> None:
        """Check that the listings, which nobody signs, say what the records say."""
        if wrong := wrong_listing(self._store, self._tables, log.records):
            raise _Stop(*wrong)
