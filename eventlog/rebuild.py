"""Making the projections anew from the records, as if every event had just been appended."""

from collections.abc import Callable, Iterator

from .branches import BranchRow
from .events import Record
from .projection import VERSION, RunRow, advance, first_row
from .store import Txn
from .tables import U64, Tables

VERSION_KEY = b"projection"
PROJECTIONS = ("names", "runs", "statuses", "due")

Records = Callable[[int, int, int | None], Iterator[Record]]
"""Reads a branch's records from one offset to another."""


def rebuild(tables: Tables, txn: Txn, records: Records) -> None:
    """Empty the projections and fill them again from the branches and their records."""
    for name in PROJECTIONS:
        txn.drop(tables.db[name], delete=False)
    txn.put(VERSION_KEY, b"%d" % VERSION, db=tables.db["meta"])
    branches = tables.branches(txn)
    owners = {branch.run: branch for branch in branches}  # the newest of a name has it
    for branch in branches:
        if owners[branch.run] is branch:
            txn.put(branch.run.encode(), U64.pack(branch.branch), db=tables.db["names"])
            tables.put_run(
                txn, None, row_of(branch, tables.head(txn, branch.branch).offset, records)
            )


def is_outdated(tables: Tables, txn: Txn) -> bool:
    """Tell whether the projections were made by another version of `advance`."""
    return txn.get(VERSION_KEY, db=tables.db["meta"]) != b"%d" % VERSION


def row_of(branch: BranchRow, end: int, records: Records) -> RunRow:
    """Return the row that a branch's events up to `end` add up to."""
    inherited = () if branch.parent is None else records(branch.parent, 0, branch.offset)
    row = first_row(branch, inherited)
    for record in records(branch.branch, branch.offset, end):
        row = advance(row, record.event, record.time)
    return row
