"""Reading records: in pages, each in a short transaction, so that no reader holds old pages up."""

from collections.abc import Iterator
from functools import partial
from itertools import islice

from .branches import BranchRow, segments
from .codec import Codec
from .errors import NoSuchBranch, RecordCorrupt
from .events import Record
from .projection import CHANGING
from .rebuild import is_outdated
from .store import Store, Txn
from .tables import LAST_BRANCH, PLACE, U64, Tables

PAGE_RECORDS = 256


class Reader:
    """Reads records along a branch or along the whole log."""

    def __init__(self, store: Store, tables: Tables, codec: Codec) -> None:
        self._store, self._tables, self._codec = store, tables, codec
        self._branches: dict[int, BranchRow] = {}  # rows never change

    def branch_row(self, branch: int) -> BranchRow:
        """Return a branch's row; NoSuchBranch when there is none."""
        if not 0 < branch < LAST_BRANCH:  # a number of no branch: an event may hold any
            raise NoSuchBranch(branch)
        if branch not in self._branches:
            row = self._store.view(lambda txn: self._tables.branch(txn, branch))
            self._branches[branch] = row
        return self._branches[branch]

    def records(self, branch: int, start: int, stop: int | None) -> Iterator[Record]:
        """Yield the records of a branch at offsets [start, stop), the inherited ones included."""
        for segment in segments(branch, start, stop, self.branch_row):
            at = segment.start
            while segment.stop is None or at < segment.stop:
                page = self._store.view(
                    partial(self._page, branch=segment.branch, start=at, stop=segment.stop)
                )
                if not page:
                    break
                yield from page
                at += len(page)

    def turns(self, branch: int, start: int, stop: int) -> Iterator[Record]:
        """Yield those records of a branch at [start, stop) that can change a run's row."""
        if self._store.view(lambda txn: is_outdated(self._tables, txn)):
            yield from (r for r in self.records(branch, start, stop) if type(r.event) in CHANGING)
            return
        for part in segments(branch, start, stop, self.branch_row):
            at, end = part.start, stop if part.stop is None else part.stop
            while page := self._store.view(
                partial(self._turns, branch=part.branch, start=at, stop=end)
            ):
                yield from page
                at = page[-1].offset + 1

    def _turns(self, txn: Txn, branch: int, start: int, stop: int) -> list[Record]:
        found: list[Record] = []
        for offset, seq in islice(self._tables.turns(txn, branch, start, stop), PAGE_RECORDS):
            records = self._run(txn, seq, 1)
            if [(r.branch, r.offset) for r in records] != [(branch, offset)]:
                raise RecordCorrupt(seq, f"offset {offset} of branch {branch} is not here")
            found += records
        return found

    def _page(self, txn: Txn, branch: int, start: int, stop: int | None) -> list[Record]:
        head = self._tables.head(txn, branch).offset
        end = min(start + PAGE_RECORDS, head if stop is None else min(stop, head))
        page: list[Record] = []
        for first, last, seq in self._extents(txn, branch, start, end):
            found = self._run(txn, seq, last - first)
            if len(found) != last - first or (found[-1].branch, found[-1].offset) != (
                branch,
                last - 1,
            ):
                raise RecordCorrupt(
                    seq, f"offsets {first} to {last} of branch {branch} are not here"
                )
            page += found
        return page

    def _extents(
        self, txn: Txn, branch: int, start: int, end: int
    ) -> Iterator[tuple[int, int, int]]:
        """Yield (offset, end, seq) of the stretches of [start, end) that lie together in the log."""
        if start >= end:
            return
        cursor = txn.cursor(self._tables.db["extents"])
        key = PLACE.pack(branch, start)
        if not cursor.set_range(key):
            cursor.last()
        elif cursor.key() != key:
            cursor.prev()
        while start < end:
            owner, offset = PLACE.unpack(cursor.key())
            seq = int.from_bytes(cursor.value(), "big") + start - offset
            if owner != branch:
                raise RecordCorrupt(seq, f"offset {start} of branch {branch} has no place")
            stop = end
            if cursor.next():
                following, offset = PLACE.unpack(cursor.key())
                stop = min(end, offset) if following == branch else end
                if stop <= start:
                    raise RecordCorrupt(seq, f"the places of branch {branch} are in disorder")
            yield start, stop, seq
            start = stop

    def _run(self, txn: Txn, seq: int, count: int) -> list[Record]:
        """Return `count` records from `seq` on; fewer where the log has fewer."""
        cursor = txn.cursor(self._tables.db["events"])
        if not cursor.set_key(U64.pack(seq)):
            return []
        return self._codec.decode_page(seq, islice(cursor.iternext(keys=False), count))

    def scan(self, start: int, stop: int | None) -> Iterator[Record]:
        """Yield the records of all branches at seq [start, stop), in the order of the log."""
        at = start
        while stop is None or at < stop:
            count = PAGE_RECORDS if stop is None else min(PAGE_RECORDS, stop - at)
            page = self._store.view(partial(self._run, seq=at, count=count))
            if not page:
                return
            yield from page
            at += len(page)
