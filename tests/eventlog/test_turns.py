"""A fork's row is made of the few events that can change one, whatever else its ancestors hold."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import (
    Edit,
    Event,
    Failure,
    Log,
    Noted,
    RunClaimed,
    RunForked,
    RunReleased,
    RunRow,
    RunStarted,
    RunSucceeded,
    StepCancelled,
    StepSucceeded,
    TimerFired,
    TimerSet,
    pack,
)
from holdfast.eventlog.projection import advance, first_row
from holdfast.eventlog.reading import PAGE_RECORDS

EVENTS: list[Event] = [
    RunStarted("r", "mend", source="mend.py", folder="/r"),
    RunForked("r", "fork", "o", 1, 3, 4, shift=5, edits=[Edit("model", pack(b"\xa1x", {}), "s")]),
    RunClaimed("me", "host", 7),
    RunReleased("me", "waiting", ["gate"], Failure("c", "m")),
    RunSucceeded(),
    TimerSet("a", 5),
    TimerSet("b", 6),
    TimerFired("a"),
    StepCancelled("b"),
    StepSucceeded("s"),
    Noted("n", "text"),
]
events = st.lists(st.sampled_from(EVENTS), max_size=12)
forks = st.tuples(st.integers(0, 99), st.integers(0, 99), st.booleans(), events)


def folded(log: Log, branch: int) -> RunRow:
    """The row that all events of a branch add up to, the long way."""
    place = log.branch(branch)
    inherited = () if place.parent is None else log.records(place.parent, 0, place.offset)
    row = first_row(place, inherited)
    for record in log.records(branch, place.offset):
        row = advance(row, record.event, record.time, record.offset)
    return row


def same(row: RunRow, other: RunRow) -> bool:
    names = [name for name in row.__struct_fields__ if name not in ("head", "updated")]
    return all(getattr(row, name) == getattr(other, name) for name in names)


def turns(log: Log) -> list[tuple[bytes, bytes]]:
    return log.store.view(lambda txn: [*txn.cursor(log.store.db["turns"])])


@settings(max_examples=40, deadline=None)
@given(first=events, forked=st.lists(forks, max_size=6))
def test_every_row_is_that_of_a_fold_of_all_events(
    first: list[Event], forked: list[tuple[int, int, bool, list[Event]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, Log.open(Path(folder) / "log") as log:
        branches = [log.create_run("r", first, actor="a", time=1)]
        for which, where, replaces, own in forked:
            parent = branches[which % len(branches)]
            branches.append(
                log.create_run(
                    "r" if replaces else f"r{len(branches)}", own, actor="a", time=2,
                    parent=parent, offset=where % (log.head(parent) + 1), replaces=replaces,
                )
            )  # fmt: skip
            log.append(parent, own, expected=log.head(parent), actor="a", time=3)

        names = {branch: log.name_of(branch) for branch in branches}

        assert all(same(log.run(name), folded(log, branch)) for branch, name in names.items())
        before = turns(log)
        log.rebuild()
        assert turns(log) == before
        assert all(same(log.run(name), folded(log, branch)) for branch, name in names.items())


def test_more_timers_than_a_page_are_inherited(log: Log) -> None:
    keys = [f"t{n}" for n in range(PAGE_RECORDS * 2 + 1)]
    parent = log.create_run("r", [TimerSet(key, 9) for key in keys], actor="a", time=1)

    log.create_run("f", [], actor="a", time=2, parent=parent, offset=len(keys) - 1)

    assert list(log.run("f").timers) == keys[:-1]


def test_a_log_whose_projections_are_of_another_version_is_folded_whole(log: Log) -> None:
    parent = log.create_run("r", [EVENTS[0], TimerSet("a", 5), Noted("n", "x")], actor="a", time=1)
    log.store.transact(lambda txn: txn.put(b"projection", b"0", db=log.store.db["meta"]), 0)
    log.store.transact(lambda txn: txn.drop(log.store.db["turns"], delete=False), 0)

    fork = log.create_run("f", [], actor="a", time=2, parent=parent, offset=3)

    assert log.run("f").timers == {"a": 5}
    assert same(log.run("f"), folded(log, fork))
