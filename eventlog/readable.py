"""Reading a log: records, runs, timers, values, and the root over it all."""

import os
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from .branches import BranchRow, Place, segments, shared
from .codec import Codec
from .errors import NoSuchRun, NoSuchSchedule
from .events import Record, Value
from .merkle import root_of
from .projection import RUN_STATUSES, Due, RunRow, Waiting, advance, first_row
from .reading import Reader
from .rebuild import is_outdated
from .schedules import SCHEDULE_SIGN, is_schedule
from .store import Store, Txn
from .tables import Tables
from .values import reference, unwrap

UNENDED = ("running", "waiting")


class ReadableLog:
    """What can be asked of a log."""

    def __init__(self, store: Store, codec: Codec) -> None:
        self._store = store
        self._codec = codec
        self._tables = Tables(store)
        self._reader = Reader(store, self._tables, codec)

    @property
    def store(self) -> Store:
        """The file below the log, for the checks that must see what lies in it."""
        return self._store

    @property
    def path(self) -> Path:
        """The folder that the log is in."""
        return Path(self._store.path)

    def snapshot(self, branch: int, at: int) -> tuple[int, bytes] | None:
        """Return the newest kept state of a branch at or before `at`, its parents' included."""
        for part in reversed(segments(branch, 0, at + 1, self._reader.branch_row)):
            stop = at if part.stop is None else min(at, part.stop)
            read = partial(self._tables.snapshot, branch=part.branch, start=part.start, at=stop)
            if found := self._store.view(read):
                return found
        return None

    def records(self, branch: int, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """Yield the records of a branch at offsets [start, stop), the inherited ones included.

        Pages are read as they are needed, so what is appended meanwhile is seen as well.
        """
        self._reader.branch_row(branch)
        return self._reader.records(branch, start, stop)

    def turns(self, branch: int, start: int, stop: int) -> Iterator[Record]:
        """Yield those records of a branch at [start, stop) that can change what listings know of it.

        They are starts, forks, claims, releases, ends and timers, and found without reading the others.
        """
        self._reader.branch_row(branch)
        return self._reader.turns(branch, start, stop)

    def scan(self, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """Yield the records of all branches at seq [start, stop), in the order of writing."""
        return self._reader.scan(start, stop)

    def head(self, branch: int) -> int:
        """Return a branch's next offset."""
        return self._store.view(lambda txn: self._tables.head(txn, branch)).offset

    def branch_of(self, run: str) -> int:
        """Return the branch of a run; NoSuchRun when there is none."""
        if is_schedule(run):
            raise NoSuchRun(run)
        return self._branch_of(run)

    def _branch_of(self, run: str) -> int:
        return self._store.view(lambda txn: self._tables.branch_of(txn, run))

    def run(self, run: str) -> RunRow:
        """Return what the listings know of a run; NoSuchRun when there is none.

        `RUN@BRANCH` is a run whose name another branch has taken over: it is listed no more, so its
        row is made from its events.
        """
        if is_schedule(run):
            raise NoSuchRun(run)
        return self._row(run)

    def schedule(self, name: str) -> RunRow:
        """Return what the listings know of a schedule, a removed one too; NoSuchSchedule."""
        try:
            return self._row(SCHEDULE_SIGN + name)
        except NoSuchRun as error:
            raise NoSuchSchedule(name) from error

    def _row(self, run: str) -> RunRow:
        def read(txn: Txn) -> tuple[int, RunRow | None]:
            branch = self._tables.branch_of(txn, run)
            stored = self._tables.stored_run(txn, branch)
            return branch, stored and self._tables.run(txn, branch)

        branch, row = self._store.view(read)
        return row or self._unlisted(self.branch(branch))

    def _unlisted(self, branch: BranchRow) -> RunRow:
        head = self._store.view(lambda txn: self._tables.head(txn, branch.branch))
        turns = self._reader.turns
        inherited = () if branch.parent is None else turns(branch.parent, 0, branch.offset)
        row = first_row(branch, inherited)
        for record in turns(branch.branch, branch.offset, head.offset):
            row = advance(row, record.event, record.time, record.offset)
        return replace(row, head=head.offset, updated=head.time)

    def branch(self, branch: int) -> BranchRow:
        """Return where a branch leaves its parent, and why; NoSuchBranch when there is none."""
        return self._reader.branch_row(branch)

    def name_of(self, branch: int) -> str:
        """Return the name by which a branch is found: its run's, or RUN@BRANCH where another has it."""
        run = self.branch(branch).run
        return run if self._branch_of(run) == branch else f"{run}@{branch}"

    def shared(self, one: Place, other: Place) -> int:
        """Return how many events two branches, each up to an offset, begin with in common."""
        return shared(one, other, self._reader.branch_row)

    def runs(self, *, limit: int | None = None, statuses: Collection[str] = ()) -> list[RunRow]:
        """Return runs, the newest first, of the given statuses or of all.

        Schedules have rows as well: those of status "scheduled", of which nobody else gets to know.
        """

        def read(txn: Txn) -> list[RunRow]:
            branches = self._tables.newest_runs(txn, statuses or RUN_STATUSES)
            return [self._tables.run(txn, branch) for branch in islice(branches, limit)]

        return self._store.view(read)

    def due(self, until: int, *, after: int = -1) -> list[Due]:
        """Return the timers that are due by the time `until`, and later than `after`, in order."""
        return self._store.view(lambda txn: self._tables.due(txn, until, after))

    def next_due(self, after: int) -> int:
        """Return the earliest moment later than `after` at which a timer is due; 0: there is none."""
        return self._store.view(lambda txn: self._tables.next_due(txn, after))

    def inbox(self, limit: int | None = None) -> list[Waiting]:
        """Return the gates that wait for people, in all runs, the oldest first."""
        if self._store.view(lambda txn: is_outdated(self._tables, txn)):
            return self._inbox_anew()[:limit]
        return self._store.view(lambda txn: list(islice(self._tables.inbox(txn), limit)))

    def inbox_size(self) -> int:
        """Return how many gates wait for people, in all runs."""
        if self._store.view(lambda txn: is_outdated(self._tables, txn)):
            return len(self._inbox_anew())
        return self._store.view(lambda txn: txn.stat(self._store.db["inbox"])["entries"])

    def _inbox_anew(self) -> list[Waiting]:
        """Make the inbox of a log whose listings are of another version and cannot be written."""
        rows = [self._unlisted(self.branch(row.branch)) for row in self.runs(statuses=UNENDED)]
        found = [Waiting(row.run, row.branch, gate) for row in rows for gate in row.gates.values()]
        return sorted(found, key=lambda waiting: (waiting.gate.opened, waiting.branch))

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
