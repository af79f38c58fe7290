"""When a cron expression is due: also where the clocks change, and forwards as backwards."""

import datetime
from itertools import pairwise

import pytest

from holdfast.cron import NAMED, SECOND, Cron, local_zone
from holdfast.errors import ScheduleInvalid

BERLIN = "Europe/Berlin"


def ns(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text).timestamp()) * SECOND


def forward(cron: Cron, after: int, until: int) -> list[str]:
    found: list[str] = []
    while 0 < (after := cron.next(after)) <= until:
        date = datetime.datetime.fromtimestamp(after // SECOND, datetime.UTC)
        found.append(f"{date:%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("0 9 * * 1-5", "2027-01-15T09:00+01:00", "2027-01-18T09:00+01:00"),
        ("0 9 * * MON-FRI", "2027-01-15T08:59:59+01:00", "2027-01-15T09:00+01:00"),
        ("*/15 * * * *", "2027-01-15T09:00:01+01:00", "2027-01-15T09:15+01:00"),
        ("0 0 L * *", "2028-02-01T00:00+01:00", "2028-02-29T00:00+01:00"),
        ("0 0 29 2 *", "2029-01-01T00:00+01:00", "2032-02-29T00:00+01:00"),
        ("0 0 13 * 5", "2027-01-15T00:00+01:00", "2027-01-22T00:00+01:00"),
        ("@monthly", "2027-01-15T00:00+01:00", "2027-02-01T00:00+01:00"),
    ],
)
def test_the_next_time_is_the_one_that_a_person_would_name(text: str, after: str, due: str) -> None:
    assert Cron(text, BERLIN).next(ns(after)) == ns(due)


@pytest.mark.parametrize(
    ("text", "day", "due"),
    [
        # 28 March 2027: from 02:00 the clocks go to 03:00, which is 01:00 UTC.
        ("30 2 * * *", "2027-03-28", ["28 01:00"]),
        ("0 3 * * *", "2027-03-28", ["28 01:00"]),
        ("30 * * * *", "2027-03-28", ["27 23:30", "28 00:30", "28 01:30", "28 02:30"]),
        ("*/30 2 * * *", "2027-03-28", []),
        # 31 October 2027: from 03:00 they go back to 02:00, which is 01:00 UTC.
        ("30 2 * * *", "2027-10-31", ["31 00:30"]),
        ("30 * * * *", "2027-10-31", ["30 22:30", "30 23:30", "31 00:30", "31 01:30", "31 02:30"]),
        ("*/30 2 * * *", "2027-10-31", ["31 00:00", "31 00:30", "31 01:00", "31 01:30"]),
        ("0 3 * * *", "2027-10-31", ["31 02:00"]),
    ],
)
def test_a_change_of_the_clocks_neither_drops_a_fixed_time_nor_doubles_it(
    text: str, day: str, due: list[str]
) -> None:
    begin, end = ns(f"{day}T00:00{'+01:00' if '-03-' in day else '+02:00'}"), f"{day}T03:00+00:00"

    assert forward(Cron(text, BERLIN), begin - 1, ns(end) - 1) == due


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "UTC"])
@pytest.mark.parametrize("text", ["30 2 * * *", "*/30 1-3 * * *", "5 */2 * * *"])
@pytest.mark.parametrize("month", [3, 10, 11])
def test_the_times_that_were_missed_are_those_that_would_have_come(
    zone: str, text: str, month: int
) -> None:
    cron, since = Cron(text, zone), ns(f"2027-{month:02}-01T00:10Z")
    until = since + 30 * 86_400 * SECOND
    ticks = [cron.next(since)]
    while (tick := cron.next(ticks[-1])) <= until:
        ticks.append(tick)

    assert cron.newest(since, until, 10_000) == ticks[::-1]
    assert cron.newest(since, until, 3) == ticks[:-4:-1]
    assert all(early < late for early, late in pairwise(ticks))


def test_the_newest_of_a_year_of_minutes_is_found_at_once() -> None:
    now = ns("2027-01-15T08:00:30Z")

    assert Cron("* * * * *", "UTC").newest(0, now, 2) == [now - 30 * SECOND, now - 90 * SECOND]


@pytest.mark.parametrize(
    ("text", "zone", "words"),
    [
        ("61 9 * * *", "UTC", "its minute is '61', which is not among 0 to 59"),
        ("0 25 * * *", "UTC", "its hour is '25'"),
        ("0 9 0 * *", "UTC", "its day-of-month is '0', which is not among 1 to 31"),
        ("0 9 30 2 *", "UTC", "its day-of-month is '30', which none of its months has"),
        ("0 9 * FOO *", "UTC", "its month is 'FOO'"),
        ("0 9 * * 1-8", "UTC", "its day-of-week is '1-8'"),
        ("0 9 * *", "UTC", "it has 4 fields, not 5"),
        ("0 0 9 * * *", "UTC", "it has 6 fields, not 5"),
        ("", "UTC", "it has 0 fields"),
        ("0 9 * * *", "Mars/Olympus", "'Mars/Olympus' cannot be the zone of a schedule"),
        ("0 9 * * *", "../etc", "'../etc' cannot be the zone"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_field_that_is_wrong(
    text: str, zone: str, words: str
) -> None:
    with pytest.raises(ScheduleInvalid, match=words):
        Cron(text, zone)


def test_the_zone_is_this_machines_where_nobody_names_one(tmp_path: object) -> None:
    from pathlib import Path

    link = Path(str(tmp_path)) / "localtime"
    assert local_zone({"TZ": ":Europe/Berlin"}, link) == BERLIN
    assert local_zone({"TZ": "what?"}, link) == "UTC"
    link.symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert local_zone({}, link) == "Asia/Tokyo"
    assert all(Cron(name, "UTC").next(0) for name in NAMED)
