"""Making the projections anew from the records, as if every event had just been appended."""

from collections.abc import Callable, Iterator, Sequence

from .branches import BranchRow, segments
from .events import Record
from .projection import CHANGING, VERSION, RunRow, advance, first_row
from .store import Txn
from .tables import U64, Tables

VERSION_KEY = b"projection"
PROJECTIONS = ("names", "runs", "statuses", "due", "turns", "inbox")

Records = Callable[[int, int, int | None], Iterator[Record]]
"""Reads a branch's records from one offset to another."""


def rebuild(tables: Tables, txn: Txn, records: Records) -> None:
    """Empty the projections and fill them again from the branches and their records."""
    for name in PROJECTIONS:
        txn.drop(tables.db[name], delete=False)
    txn.put(VERSION_KEY, b"%d" % VERSION, db=tables.db["meta"])
    branches = [(row, tables.head(txn, row.branch).offset) for row in tables.branches(txn)]
    owners = {row.run: row.branch for row, _ in branches}  # the newest of a name has it
    for branch, row, turns in rows_of(branches, records):
        for turn in turns:
            tables.put_turn(txn, branch.branch, turn.offset, turn.seq)
        if owners[branch.run] == branch.branch:
            txn.put(branch.run.encode(), U64.pack(branch.branch), db=tables.db["names"])
            tables.put_run(txn, None, row)


def is_outdated(tables: Tables, txn: Txn) -> bool:
    """Tell whether the projections were made by another version of `advance`."""
    return txn.get(VERSION_KEY, db=tables.db["meta"]) != b"%d" % VERSION


def rows_of(
    branches: Sequence[tuple[BranchRow, int]], records: Records
) -> Iterator[tuple[BranchRow, RunRow, list[Record]]]:
    """Yield each branch, up to its end, with its row and its turns: its own records that can change one.

    The branches come in the order in which they were made, and every record is read once.
    """
    known = {branch.branch: branch for branch, _ in branches}
    parents = {branch.parent for branch, _ in branches}
    kept: dict[int, list[Record]] = {}
    for branch, end in branches:
        own = records(branch.branch, branch.offset, end)
        turns = [record for record in own if type(record.event) in CHANGING]
        if branch.branch in parents:
            kept[branch.branch] = turns
        row = first_row(branch, _inherited(branch, known, kept))
        for turn in turns:
            row = advance(row, turn.event, turn.time, turn.offset)
        yield branch, row, turns


def _inherited(
    branch: BranchRow, known: dict[int, BranchRow], kept: dict[int, list[Record]]
) -> Iterator[Record]:
    if branch.parent is not None:
        for part in segments(branch.parent, 0, branch.offset, known.__getitem__):
            for turn in kept[part.branch]:
                if part.stop is None or turn.offset < part.stop:
                    yield turn
