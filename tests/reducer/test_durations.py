"""Lengths of time as people write them."""

import datetime
from typing import Any

import pytest

from holdfast.reducer import Length, WorkflowError, length, nanoseconds

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        (90, 90),
        (0.5, 0.5),
        ("500ms", 0.5),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        (" 1h 30m ", 5400),
        ("1.5h", 5400),
        ("3d", 3 * 86_400),
        ("2w", 14 * 86_400),
        (datetime.timedelta(minutes=2), 120),
    ],
)
def test_a_duration_is_read(written: Any, seconds: float) -> None:
    assert nanoseconds(written) == seconds * SECOND


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "10",
        "10 parsecs",
        "1h30",
        "-5s",
        "1.5mo",
        "221y",
        -1,
        -0.1,
        float("nan"),
        float("inf"),
        10**12,
        datetime.timedelta(seconds=-1),
    ],
)
def test_what_is_no_duration_is_refused(written: Any) -> None:
    with pytest.raises(WorkflowError, match=r"is no length of time\. Write seconds"):
        nanoseconds(written)


def moment(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text + "Z").timestamp()) * SECOND


@pytest.mark.parametrize(
    ("begun", "written", "ends"),
    [
        ("2027-01-15T10:30:07", "1mo", "2027-02-15T10:30:07"),
        ("2027-01-31T10:30:07", "1mo", "2027-02-28T10:30:07"),
        ("2028-01-31T23:59:59", "1mo", "2028-02-29T23:59:59"),
        ("2027-12-31T00:00:00", "2mo", "2028-02-29T00:00:00"),
        ("2028-02-29T12:00:00", "1y", "2029-02-28T12:00:00"),
        ("2027-03-31T12:00:00", "1y1mo2d3h", "2028-05-02T15:00:00"),
        ("2027-03-31T12:00:00", "10m", "2027-03-31T12:10:00"),
    ],
)
def test_a_month_is_one_of_the_calendar_and_ends_with_a_shorter_one(
    begun: str, written: str, ends: str
) -> None:
    assert length(written).after(moment(begun)) == moment(ends)


def test_only_no_time_at_all_is_false() -> None:
    assert not length(0)
    assert length("1mo") == Length(0, 1)
    assert length("1mo")


def test_what_needs_a_fixed_length_refuses_months_and_says_what_to_write() -> None:
    with pytest.raises(WorkflowError, match=r"'1mo' has calendar months.*such as \"30d\""):
        nanoseconds("1mo")
