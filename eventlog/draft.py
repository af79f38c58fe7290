"""What one write transaction adds to the log: gathered in memory, then put in one go.

A draft starts from the edge of the log, which is kept from the last commit so that a commit in an
otherwise idle log reads nothing. LMDB's transaction number tells whether anybody wrote since.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count

import msgspec

from . import merkle
from .branches import BranchRow
from .codec import Codec
from .errors import BranchMoved, LogError, NoSuchBranch
from .events import Event, UnknownEvent
from .projection import CHANGING, RunRow, advance
from .store import Txn
from .tables import NO_SEQ, PLACE, U64, Head, Tables, encode
from .tail import KEY, MOST_NODES, Tail
from .values import wrap


class Batch(msgspec.Struct, frozen=True):
    """What one append writes, all of it or nothing, if the branch is at offset `expected`.

    `time` is in nanoseconds since 1970, UTC. `blobs` are what `pack` added for the events' values.
    """

    branch: int
    events: Sequence[Event | UnknownEvent]
    expected: int
    actor: str
    time: int
    blobs: Mapping[bytes, bytes] = {}


class NewRun(msgspec.Struct, frozen=True):
    """A run to be made: a branch of its own with its first events.

    With `parent` it is a fork: it begins with the parent's events before `offset`. With `replaces` it
    may take over the name of an earlier run, which then is listed no more though its branch stays;
    with `expected` only while that one's next offset is this; then that one's branch ends with `closing`.
    `beside` is written in the same commit, and nothing at all where that batch's branch has moved.
    """

    run: str
    events: Sequence[Event | UnknownEvent]
    actor: str
    time: int
    blobs: Mapping[bytes, bytes] = {}
    parent: int | None = None
    offset: int = 0
    reason: str = ""
    replaces: bool = False
    expected: int | None = None
    closing: Sequence[Event | UnknownEvent] = ()
    beside: Batch | None = None


class Prepared(msgspec.Struct, frozen=True):
    """A batch with everything computed that needs no transaction."""

    batch: Batch
    records: list[bytes]
    leaves: list[bytes]
    blobs: list[tuple[bytes, bytes]]
    changes_run: bool
    size_bytes: int


class Begun(msgspec.Struct, frozen=True):
    """A new run with everything computed that needs no transaction; its branch has no number yet."""

    new: NewRun
    branch: BranchRow
    row: RunRow

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.new.blobs.values()))


def prepare(codec: Codec, batch: Batch, is_stored: Callable[[bytes], bool]) -> Prepared:
    """Encode and hash a batch; blobs that the log has already are left out."""
    code, branch, time, actor = codec.encode, batch.branch, batch.time, batch.actor
    records = [
        code(branch, offset, time, actor, event)
        for offset, event in enumerate(batch.events, batch.expected)
    ]
    blobs = [(digest, wrap(raw)) for digest, raw in batch.blobs.items() if not is_stored(digest)]
    leaves = merkle.leaf_hashes(records)
    changes_run = not CHANGING.isdisjoint(map(type, batch.events))
    size_bytes = sum(map(len, records)) + _ROW_BYTES * len(records)
    if blobs:
        size_bytes += sum(len(blob) for _, blob in blobs)
    return Prepared(batch, records, leaves, blobs, changes_run, size_bytes)


class Edge(msgspec.Struct, frozen=True):
    """The end of the log after transaction `txn_id`; heads and rows as far as they are known."""

    txn_id: int
    size: int
    peaks: list[bytes]
    tail: Tail
    heads: dict[int, Head]
    rows: dict[int, RunRow | None]


_KNOWN_AT_MOST = 10_000
_ROW_BYTES = 160  # what a record takes besides its own bytes: keys, hashes, page headers


class Draft:
    """Batches on their way into one transaction."""

    def __init__(self, tables: Tables, txn: Txn, edge: Edge) -> None:
        self._tables, self._txn = tables, txn
        if edge.txn_id + 1 != txn.id():
            size = tables.size(txn)
            edge = Edge(txn.id() - 1, size, tables.peaks(txn, size), tables.tail(txn), {}, {})
        self._edge = edge
        self._size = edge.size
        self._peaks = edge.peaks.copy()
        self._tail = edge.tail
        self._records: list[tuple[bytes, bytes]] = []
        self._nodes: list[bytes] = []
        self._heads: dict[int, Head] = {}
        self._rows: dict[int, RunRow | None] = {}
        self._dirty = False

    def add(self, prepared: Prepared) -> int | LogError:
        """Take a batch in and return the branch's new head; or the reason for refusing it."""
        batch = prepared.batch
        try:
            head = self._head(batch.branch)
        except NoSuchBranch as error:
            return error
        if head.offset != batch.expected:
            return BranchMoved(batch.branch, expected=batch.expected, actual=head.offset)
        for digest, blob in prepared.blobs:
            self._txn.put(digest, blob, overwrite=False, db=self._tables.db["blobs"])
            self._dirty = True
        if prepared.records:
            head = self._extend(head, prepared)
        return head.offset

    def _extend(self, head: Head, prepared: Prepared) -> Head:
        batch, size, records = prepared.batch, self._size, prepared.records
        if head.last_seq + 1 != size:
            place = PLACE.pack(batch.branch, head.offset)
            self._txn.put(place, U64.pack(size), db=self._tables.db["extents"])
        nodes = merkle.grow(size, self._peaks, prepared.leaves)
        self._size = end = size + len(records)
        keys = [*map(U64.pack, range(size, end))]
        self._records += zip(keys, records, strict=True)
        self._nodes += nodes
        head = Head(head.offset + len(records), end - 1, batch.time)
        self._heads[batch.branch] = head
        if prepared.changes_run:
            self._note_turns(batch, size)
            self._advance(batch)
        self._dirty = True
        return head

    def _note_turns(self, batch: Batch, seq: int) -> None:
        for index, event in enumerate(batch.events):
            if type(event) in CHANGING:
                offset = batch.expected + index
                self._tables.put_turn(self._txn, batch.branch, offset, seq + index)

    def _advance(self, batch: Batch) -> None:
        row = self._row(batch.branch)
        if row is None:  # its run's name was taken over by a rewind
            return
        for offset, event in enumerate(batch.events, batch.expected):
            if type(event) in CHANGING:
                row = advance(row, event, batch.time, offset)
        self._rows[batch.branch] = row

    def create(self, branch: BranchRow, row: RunRow) -> None:
        """Add a branch, and give the run's name to it."""
        txn, db = self._txn, self._tables.db
        txn.put(U64.pack(branch.branch), encode(branch), append=True, db=db["branches"])
        txn.put(branch.run.encode(), U64.pack(branch.branch), db=db["names"])
        self._heads[branch.branch] = Head(branch.offset, NO_SEQ, branch.time)
        self._edge.rows[branch.branch] = None
        self._rows[branch.branch] = row
        self._dirty = True

    def next_branch(self) -> int:
        """Return the number for a new branch."""
        last = self._txn.cursor(self._tables.db["branches"])
        return U64.unpack(last.key())[0] + 1 if last.last() else 1

    def moved(self, branch: int, expected: int | None) -> BranchMoved | None:
        """Return why a branch is not at the offset that was expected, if one was."""
        actual = self._head(branch).offset
        if expected is None or actual == expected:
            return None
        return BranchMoved(branch, expected=expected, actual=actual)

    def retire(self, branch: int) -> None:
        """Take a branch's run out of the listings; its events stay."""
        self._rows[branch] = None
        self._row_before(branch)

    def _head(self, branch: int) -> Head:
        if head := self._heads.get(branch) or self._edge.heads.get(branch):
            return head
        head = self._edge.heads[branch] = self._tables.head(self._txn, branch)
        return head

    def _row(self, branch: int) -> RunRow | None:
        return self._rows[branch] if branch in self._rows else self._row_before(branch)

    def _row_before(self, branch: int) -> RunRow | None:
        rows = self._edge.rows
        if branch not in rows:
            rows[branch] = self._tables.stored_run(self._txn, branch)
        return rows[branch]

    def write(self) -> None:
        """Put what was gathered into the transaction."""
        if self._records:
            self._append("events", self._records)
        if self._heads:
            self._tail = self._next_tail()
            self._txn.put(KEY, encode(self._tail))
        for branch, row in self._rows.items():
            before = self._row_before(branch)
            if row is not before:
                self._tables.put_run(self._txn, before, row)

    def _next_tail(self) -> Tail:
        """Return the new tail, and move to the tables what has no place in it."""
        old, heads = self._tail, self._heads
        newest = next(reversed(heads))
        if old.branch and old.branch not in heads:
            self._put_head(old.branch, Head(old.offset, old.last_seq, old.time))
        for branch, head in heads.items():
            if branch != newest:
                self._put_head(branch, head)
        start, nodes = old.start, [*old.nodes, *self._nodes]
        if len(nodes) > MOST_NODES:
            self._append("tree", [*zip(map(U64.pack, count(start)), nodes, strict=False)])
            start, nodes = start + len(nodes), []
        head = heads[newest]
        return Tail(newest, head.offset, head.last_seq, head.time, start, nodes)

    def _put_head(self, branch: int, head: Head) -> None:
        self._txn.put(U64.pack(branch), head.packed(), db=self._tables.db["heads"])

    def _append(self, name: str, rows: list[tuple[bytes, bytes]]) -> None:
        _, added = self._txn.cursor(self._tables.db[name]).putmulti(rows, append=True)
        # LMDB skips a key out of order without a word, and a skipped record is a lost event.
        assert added == len(rows), f"{name}: {added} of {len(rows)} rows were appended"

    def edge(self) -> Edge | None:
        """Return the edge of the log, now that this draft is committed; None when it was empty."""
        if not self._dirty:
            return None
        old = self._edge
        if len(old.heads) + len(old.rows) > _KNOWN_AT_MOST:
            old.heads.clear()
            old.rows.clear()
        old.heads.update(self._heads)
        old.rows.update(self._rows)
        return Edge(old.txn_id + 1, self._size, self._peaks, self._tail, old.heads, old.rows)
