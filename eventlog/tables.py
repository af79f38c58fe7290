"""The log's databases within the LMDB file: their names, keys and values, and reads of one row."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from heapq import merge
from struct import Struct

import msgspec
from msgspec.structs import replace

from .branches import BranchRow
from .errors import NoSuchBranch, NoSuchRun
from .gates import OpenGate
from .merkle import HASH_BYTES, read_peaks
from .projection import STATUSES, Due, RunRow, Waiting
from .store import BadRow, Store, Txn
from .tail import KEY, Tail
from .tail import decode as _decode_tail

FORMAT = 1
"""Of the file: raised when an older Holdfast could no longer read or extend it."""

NAMES = (
    "meta",  # b"format" -> FORMAT
    "events",  # seq -> record
    "tree",  # seq -> Merkle nodes, see merkle.py; the newest are in the tail, see tail.py
    "extents",  # (branch, offset) -> seq, where a branch's event does not follow its last in seq
    "heads",  # branch -> next offset, last seq, time of the last event; the newest is in the tail
    "branches",  # branch -> BranchRow
    "blobs",  # SHA-256 -> bytes, see values.py
    "names",  # run -> branch
    "runs",  # branch -> RunRow
    "statuses",  # (status, branch) -> nothing
    "due",  # (time, branch, digest of key) -> (run, key)
    "snapshots",  # (branch, offset) -> an encoded state
    "turns",  # (branch, offset) -> seq, of the events that can change a run's row
    "inbox",  # (time, branch, digest of key) -> (run, OpenGate)
)
LATER = frozenset({"turns", "inbox"})
"""Those that logs of old have not got yet."""

U64 = Struct(">Q")
PLACE = Struct(">QQ")  # branch, offset
DUE = Struct(">QQ8s")
STATUS = Struct(">BQ")
_HEAD = Struct(">QQQ")

NO_SEQ = 2**64 - 1
LAST_TIME = 2**64 - 1
LAST_BRANCH = 2**64 - 1

encode = msgspec.msgpack.Encoder().encode
_decode_branch = msgspec.msgpack.Decoder(BranchRow).decode
_decode_run = msgspec.msgpack.Decoder(RunRow).decode
_decode_gate = msgspec.msgpack.Decoder(tuple[str, OpenGate]).decode
_decode_due = msgspec.msgpack.Decoder(tuple[str, str]).decode


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of a branch: its next offset, and where and when its last own event was written."""

    offset: int
    last_seq: int  # NO_SEQ before the first
    time: int

    def packed(self) -> bytes:
        return _HEAD.pack(self.offset, self.last_seq, self.time)


class Tables:
    """Reads of single rows, each within a transaction that the caller holds."""

    def __init__(self, store: Store) -> None:
        self.db = store.db

    def size(self, txn: Txn, table: str = "events") -> int:
        """Return the number of records, or of another table's rows by seq."""
        cursor = txn.cursor(self.db[table])
        return int(U64.unpack(cursor.key())[0]) + 1 if cursor.last() else 0

    def tail(self, txn: Txn) -> Tail:
        """Return what is not in `heads` and `tree` yet; a log of old has no such row."""
        row = txn.get(KEY)
        return _decode_tail(row) if row else Tail(0, 0, 0, 0, self.size(txn, "tree"))

    def node(self, txn: Txn, tail: Tail, seq: int) -> bytes:
        """Return a row of the tree; it is empty where there is none."""
        found = tail.node(seq)
        return txn.get(U64.pack(seq), b"", db=self.db["tree"]) if found is None else found

    def peaks(self, txn: Txn, size: int) -> list[bytes]:
        """Return the complete subtrees of the first `size` records."""
        tail = self.tail(txn)
        peaks = read_peaks(size, lambda seq: self.node(txn, tail, seq))
        if any(len(peak) != HASH_BYTES for peak in peaks):
            raise BadRow("the Merkle tree has holes")
        return peaks

    def head(self, txn: Txn, branch: int) -> Head:
        row = txn.get(KEY)
        if row and (tail := _decode_tail(row)).branch == branch:
            return Head(tail.offset, tail.last_seq, tail.time)
        if row := txn.get(U64.pack(branch), db=self.db["heads"]):
            return Head(*_HEAD.unpack(row))
        raise NoSuchBranch(branch)

    def branch(self, txn: Txn, branch: int) -> BranchRow:
        if row := txn.get(U64.pack(branch), db=self.db["branches"]):
            found = _decode_branch(row)
            if found.branch != branch or (found.parent or 0) >= branch:
                raise BadRow(f"branch {branch} is a fork of what came after it")
            return found
        raise NoSuchBranch(branch)

    def branches(self, txn: Txn) -> list[BranchRow]:
        rows = txn.cursor(self.db["branches"]).iternext(keys=False)
        return [_decode_branch(row) for row in rows]

    def blob(self, txn: Txn, digest: bytes) -> bytes | None:
        """Return a blob in its stored form, see values.py."""
        return txn.get(digest, db=self.db["blobs"])

    def branch_of(self, txn: Txn, run: str) -> int:
        """Return the branch of a run; `RUN@BRANCH` names one whose name was taken over since."""
        key = run.encode("utf-8", "surrogatepass")
        if 0 < len(key) <= 511 and (row := txn.get(key, db=self.db["names"])):
            return int(U64.unpack(row)[0])
        name, _, number = run.rpartition("@")
        if name and number.isascii() and number.isdigit() and int(number) < LAST_BRANCH:
            row = txn.get(U64.pack(int(number)), db=self.db["branches"])
            if row and _decode_branch(row).run == name:
                return int(number)
        raise NoSuchRun(run)

    def names(self, txn: Txn) -> list[tuple[bytes, int]]:
        """Return every run that has a name, as the key that it is, with its branch."""
        rows = txn.cursor(self.db["names"])
        return [(run, int(U64.unpack(row)[0])) for run, row in rows]

    def stored_run(self, txn: Txn, branch: int) -> RunRow | None:
        """Return a run's row as it was written, without its head."""
        row = txn.get(U64.pack(branch), db=self.db["runs"])
        return _decode_run(row) if row else None

    def run(self, txn: Txn, branch: int) -> RunRow:
        """Return a run's row, with its head."""
        row = self.stored_run(txn, branch)
        if row is None:
            raise BadRow(f"branch {branch} is listed and has no row")
        head = self.head(txn, branch)
        return replace(row, head=head.offset, updated=head.time)

    def newest_runs(self, txn: Txn, statuses: Iterable[str]) -> Iterator[int]:
        """Yield the branches of the runs of these statuses, the newest first."""
        return merge(*(self._of_status(txn, status) for status in statuses), reverse=True)

    def _of_status(self, txn: Txn, status: str) -> Iterator[int]:
        if status not in STATUSES:
            return
        cursor = txn.cursor(self.db["statuses"])
        if not cursor.set_range(status_key(status, LAST_BRANCH)):
            cursor.last()
        else:
            cursor.prev()
        for key in cursor.iterprev(values=False):
            index, branch = STATUS.unpack(key)
            if index >= len(STATUSES) or STATUSES[index] != status:
                return
            yield branch

    def put_turn(self, txn: Txn, branch: int, offset: int, seq: int) -> None:
        txn.put(PLACE.pack(branch, offset), U64.pack(seq), db=self.db["turns"])

    def turns(self, txn: Txn, branch: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield (offset, seq) of a branch's own events in [start, stop) that can change a run's row."""
        cursor = txn.cursor(self.db["turns"])
        if not cursor.set_range(PLACE.pack(branch, start)):
            return
        end = PLACE.pack(branch, stop)
        for place, seq in cursor:
            if place >= end:
                return
            yield PLACE.unpack(place)[1], int(U64.unpack(seq)[0])

    def all_turns(self, txn: Txn) -> list[tuple[int, int, int]]:
        """Return (branch, offset, seq) of all events that can change a run's row."""
        rows = txn.cursor(self.db["turns"])
        return [(*PLACE.unpack(place), int(U64.unpack(seq)[0])) for place, seq in rows]

    def snapshot(self, txn: Txn, branch: int, start: int, at: int) -> tuple[int, bytes] | None:
        """Return the newest snapshot of a branch at offsets [start, at]."""
        cursor = txn.cursor(self.db["snapshots"])
        place = PLACE.pack(branch, at)
        if not cursor.set_range(place):
            cursor.last()
        elif cursor.key() != place:
            cursor.prev()
        if not cursor.key():
            return None
        owner, offset = PLACE.unpack(cursor.key())
        return (offset, cursor.value()) if owner == branch and start <= offset <= at else None

    def put_run(self, txn: Txn, old: RunRow | None, new: RunRow | None) -> None:
        """Replace a run's row, and with it what `statuses` and `due` have of it."""
        row = new or old
        assert row is not None
        key = U64.pack(row.branch)
        if new is None:
            txn.delete(key, db=self.db["runs"])
        else:
            txn.put(key, encode(new), db=self.db["runs"])
        self._put_status(txn, old, new)
        self._put_timers(txn, old, new)
        self._put_gates(txn, old, new)

    def _put_status(self, txn: Txn, old: RunRow | None, new: RunRow | None) -> None:
        if old and new and old.status == new.status:
            return
        if old:
            txn.delete(status_key(old.status, old.branch), db=self.db["statuses"])
        if new:
            txn.put(status_key(new.status, new.branch), b"", db=self.db["statuses"])

    def _put_timers(self, txn: Txn, old: RunRow | None, new: RunRow | None) -> None:
        before = old.alarms if old else {}
        after = new.alarms if new else {}
        if before == after:
            return
        for key, until in before.items() - after.items():
            assert old is not None
            txn.delete(due_key(until, old.branch, key), db=self.db["due"])
        for key, until in after.items() - before.items():
            assert new is not None
            txn.put(due_key(until, new.branch, key), encode((new.run, key)), db=self.db["due"])

    def _put_gates(self, txn: Txn, old: RunRow | None, new: RunRow | None) -> None:
        before = old.gates if old else {}
        after = new.gates if new else {}
        if before == after:
            return
        db = self.db["inbox"]
        for key, gate in before.items():
            if after.get(key) != gate:
                assert old is not None
                txn.delete(due_key(gate.opened, old.branch, key), db=db)
        for key, gate in after.items():
            if before.get(key) != gate:
                assert new is not None
                txn.put(due_key(gate.opened, new.branch, key), encode((new.run, gate)), db=db)

    def inbox(self, txn: Txn) -> Iterator[Waiting]:
        """Yield the open gates of all runs, the oldest first."""
        for place, row in txn.cursor(self.db["inbox"]):
            run, gate = _decode_gate(row)
            yield Waiting(run, DUE.unpack(place)[1], gate)

    def next_due(self, txn: Txn, after: int) -> int:
        """Return the earliest moment later than `after` at which a timer is due; 0: there is none."""
        cursor = txn.cursor(self.db["due"])
        return int(DUE.unpack(cursor.key())[0]) if cursor.set_range(_due_since(after + 1)) else 0

    def due(self, txn: Txn, until: int, after: int = -1) -> list[Due]:
        """Return the timers due by `until`, the earliest first; only those later than `after`."""
        found: list[Due] = []
        cursor = txn.cursor(self.db["due"])
        if not cursor.set_range(_due_since(after + 1)):
            return found
        for place, row in cursor:
            time, branch, _ = DUE.unpack(place)
            if time > until:
                break
            found.append(Due(time, *_decode_due(row), branch))
        return found


def status_key(status: str, branch: int) -> bytes:
    return STATUS.pack(STATUSES.index(status), branch)


def _due_since(moment: int) -> bytes:
    return DUE.pack(min(moment, LAST_TIME), 0, b"")


def due_key(until: int, branch: int, key: str) -> bytes:
    digest = sha256(key.encode("utf-8", "surrogatepass")).digest()
    return DUE.pack(min(max(until, 0), LAST_TIME), branch, digest[:8])
