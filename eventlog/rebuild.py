"""Making the projections anew from the records, as if every event had just been appended."""

from collections.abc import Callable, Iterable, Iterator

from .branches import BranchRow, segments
from .events import Record
from .projection import CHANGING, VERSION, RunRow, advance, first_row
from .store import Txn
from .tables import U64, Tables

VERSION_KEY = b"projection"
PROJECTIONS = ("names", "runs", "statuses", "due", "turns")

Records = Callable[[int, int, int | None], Iterator[Record]]
"""Reads a branch's records from one offset to another."""

Turns = dict[int, list[Record]]
"""By branch, those of its own records that can change a run's row."""


def rebuild(tables: Tables, txn: Txn, records: Records) -> None:
    """Empty the projections and fill them again from the branches and their records."""
    for name in PROJECTIONS:
        txn.drop(tables.db[name], delete=False)
    txn.put(VERSION_KEY, b"%d" % VERSION, db=tables.db["meta"])
    branches = {branch.branch: branch for branch in tables.branches(txn)}
    owners = {branch.run: branch for branch in branches.values()}  # the newest of a name has it
    parents = {branch.parent for branch in branches.values()}
    kept: Turns = {}
    for number, branch in branches.items():  # a parent is older than its forks
        own = [r for r in records(number, branch.offset, None) if type(r.event) in CHANGING]
        for record in own:
            tables.put_turn(txn, number, record.offset, record.seq)
        if number in parents:
            kept[number] = own
        if owners[branch.run] is branch:
            txn.put(branch.run.encode(), U64.pack(number), db=tables.db["names"])
            tables.put_run(txn, None, row_of(branch, _inherited(branch, branches, kept), own))


def _inherited(branch: BranchRow, branches: dict[int, BranchRow], kept: Turns) -> Iterator[Record]:
    if branch.parent is not None:
        for part in segments(branch.parent, 0, branch.offset, branches.__getitem__):
            for record in kept[part.branch]:
                if part.stop is None or record.offset < part.stop:
                    yield record


def is_outdated(tables: Tables, txn: Txn) -> bool:
    """Tell whether the projections were made by another version of `advance`."""
    return txn.get(VERSION_KEY, db=tables.db["meta"]) != b"%d" % VERSION


def row_of(branch: BranchRow, inherited: Iterable[Record], own: Iterable[Record]) -> RunRow:
    """Return the row that a branch's events add up to; those that can change it are enough."""
    row = first_row(branch, inherited)
    for record in own:
        row = advance(row, record.event, record.time)
    return row
