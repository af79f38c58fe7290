"""The row that listings show, event by event."""

import pytest
from msgspec import Raw

from holdfast.eventlog import (
    KNOWN,
    ApprovalDecided,
    CancelRequested,
    Event,
    Failure,
    Noted,
    RunCancelled,
    RunClaimed,
    RunFailed,
    RunForked,
    RunReleased,
    RunRow,
    RunStarted,
    RunSucceeded,
    StepStarted,
    TimerFired,
    TimerSet,
    UnknownEvent,
    advance,
)
from holdfast.eventlog.projection import CHANGING

NEW = RunRow("fix", 1)
BUSY = RunRow("fix", 1, owner="me", timers={"t": 5})


def after(*events: Event, row: RunRow = NEW) -> RunRow:
    for event in events:
        row = advance(row, event, 7, 3)
    return row


def test_a_start_tells_what_runs_where_and_since_when() -> None:
    row = after(RunStarted("x", "mend", source="a.py", folder="/r", parent="p", parent_key="k"))

    assert row == RunRow("fix", 1, "mend", "a.py", "/r", started=7, parent_run="p", parent_key="k")


def test_a_claim_makes_it_run_again_whatever_it_was() -> None:
    failed = after(RunFailed(Failure("c", "m")))
    waiting = after(RunReleased("me", "waiting", ["gate"], Failure("c", "m")))

    claim = RunClaimed("you", "host", 7)
    for row in (failed, waiting, NEW):
        assert after(claim, row=row) == RunRow("fix", 1, owner="you", host="host", pid=7)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("waiting", "waiting"), ("interrupted", "running"), ("stopped", "running")],
)
def test_a_release_leaves_it_to_nobody_with_what_it_waits_for(reason: str, status: str) -> None:
    row = after(RunReleased("me", reason, ["gate"], Failure("c", "m")), row=BUSY)

    assert (row.status, row.owner, row.waiting) == (status, "", ["gate"])
    assert (row.error_code, row.error_message, row.timers) == ("c", "m", {"t": 5})


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (RunSucceeded(), "succeeded"),
        (RunFailed(Failure("c", "m")), "failed"),
        (RunCancelled(), "cancelled"),
    ],
)
def test_an_end_leaves_no_owner_and_no_timers(event: Event, status: str) -> None:
    row = after(event, row=BUSY)

    assert (row.status, row.owner, row.waiting, row.timers) == (status, "", [], {})


def test_timers_come_and_go() -> None:
    set_twice = after(TimerSet("a", 1), TimerSet("b", 2), TimerSet("a", 3))

    assert set_twice.timers == {"a": 3, "b": 2}
    assert after(TimerFired("a"), row=set_twice).timers == {"b": 2}


@pytest.mark.parametrize(
    "event",
    [
        StepStarted("s", "shell", b"f"),
        Noted("n", "t"),
        ApprovalDecided("g", True, "ann"),
        CancelRequested(),
        TimerFired("never set"),
        UnknownEvent("later", Raw(b"\x80")),
    ],
)
def test_other_events_leave_the_same_object(event: Event) -> None:
    assert advance(BUSY, event, 9, 3) is BUSY


def test_the_types_that_may_change_a_row_are_all_listed() -> None:
    samples = [*KNOWN]

    assert set(samples) >= CHANGING


def test_a_release_is_remembered_until_a_claim_a_fork_or_the_end() -> None:
    left = after(RunReleased("", "interrupted", served=True))

    assert (left.released, left.served) == (4, True)
    for event in (RunClaimed("me"), RunForked("f", "fork", "fix", 1, 3, 3)):
        assert (after(event, row=left).released, after(event, row=left).served) == (0, False)
    assert not after(RunSucceeded(), row=left).served
