"""Whether the listings (names, runs, statuses, due timers, turns) say what the records add up to."""

from collections.abc import Iterator

import msgspec

from .branches import BranchRow
from .projection import STATUSES, Due, RunRow, Waiting
from .rebuild import Records, is_outdated, rows_of
from .store import Store, Txn
from .tables import LAST_TIME, NO_SEQ, Head, Tables, due_key

Wrong = tuple[int, str, str]
"""A record's seq, "listing", and what is wrong."""


class _Listed(msgspec.Struct):
    """What one transaction saw of the listings, beside the branches that they are made from."""

    branches: list[tuple[BranchRow, Head, RunRow | None]]
    names: list[tuple[bytes, int]]
    statuses: list[tuple[str, int]]
    due: list[Due]
    turns: list[tuple[int, int, int]]
    inbox: list[Waiting]


def wrong_listing(store: Store, tables: Tables, records: Records) -> Wrong | None:
    """Return the first thing that the listings have wrong; None when they are as they should be."""
    listed = store.view(lambda txn: _read(tables, txn))
    if listed is None:
        return None
    rows: list[RunRow] = []
    turns: list[tuple[int, int, int]] = []
    owners = {row.run: row.branch for row, _, _ in listed.branches}  # the newest of a name has it
    made = rows_of([(row, head.offset) for row, head, _ in listed.branches], records)
    for (_, head, stored), (branch, row, own) in zip(listed.branches, made, strict=True):
        expected = row if owners[branch.run] == branch.branch else None
        if stored != expected:
            seq = 0 if head.last_seq == NO_SEQ else head.last_seq
            return seq, "listing", f"run {branch.run!r} is not listed as its records say"
        rows += [expected] if expected else []
        turns += [(branch.branch, turn.offset, turn.seq) for turn in own]
    if listed.turns != turns:
        return 0, "listing", "the events that forks are listed by are not those that count"
    if wrong := next(_differences(listed, owners, rows), None):
        return 0, "listing", wrong
    return None


def _read(tables: Tables, txn: Txn) -> _Listed | None:
    if is_outdated(tables, txn):  # they are made anew when the log is next opened for writing
        return None
    branches = tables.branches(txn)
    return _Listed(
        [
            (row, tables.head(txn, row.branch), tables.stored_run(txn, row.branch))
            for row in branches
        ],
        tables.names(txn),
        [(status, b) for status in STATUSES for b in tables.newest_runs(txn, [status])],
        tables.due(txn, LAST_TIME),
        tables.all_turns(txn),
        list(tables.inbox(txn)),
    )


def _differences(listed: _Listed, owners: dict[str, int], rows: list[RunRow]) -> Iterator[str]:
    if listed.names != sorted((run.encode(), branch) for run, branch in owners.items()):
        yield "the names of runs do not lead to their branches"
    newest = sorted(rows, key=lambda row: -row.branch)
    statuses = [
        (status, row.branch) for status in STATUSES for row in newest if row.status == status
    ]
    if listed.statuses != statuses:
        yield "the runs are not listed under their statuses"
    timers = [
        (due_key(until, row.branch, key), row.run, key)
        for row in rows
        for key, until in row.alarms.items()
    ]
    if [(due_key(d.time, d.branch, d.key), d.run, d.key) for d in listed.due] != sorted(timers):
        yield "the timers that are due are not those that were set"
    gates = [
        (due_key(gate.opened, row.branch, gate.key), Waiting(row.run, row.branch, gate))
        for row in rows
        for gate in row.gates.values()
    ]
    if listed.inbox != [waiting for _, waiting in sorted(gates, key=lambda pair: pair[0])]:
        yield "the gates that wait for people are not those that are open"
