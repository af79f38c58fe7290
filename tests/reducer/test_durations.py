"""Lengths of time as people write them."""

import datetime
from typing import Any

import pytest

from holdfast.reducer import WorkflowError, nanoseconds

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
