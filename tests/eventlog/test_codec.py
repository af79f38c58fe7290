"""Records of this version, of older ones and of newer ones."""

from typing import Any

import msgspec
import pytest

from holdfast.eventlog import (
    NONE,
    Codec,
    Failure,
    Log,
    Noted,
    Record,
    RecordCorrupt,
    StepFailed,
    TimerSet,
    UnknownEvent,
)

encode = msgspec.msgpack.encode


def stored(event: object, version: int = 1) -> bytes:
    return encode([3, 7, 99, "engine", version, event])


@pytest.mark.parametrize(
    "event",
    [
        Noted("n", "text", msgspec.Raw(encode({"a": [1, None]}))),
        StepFailed("s", Failure("c", "m", detail="ü\n"), seconds=0.25),
        TimerSet("t", 2**63),
        UnknownEvent("later.thing", msgspec.Raw(encode({"type": "later.thing", "x": 1})), 4),
    ],
)
def test_events_survive_a_round_trip(event: Any) -> None:
    data = Codec().encode(3, 7, 99, "engine", event)

    record = Codec().decode(5, data)

    version = event.version if isinstance(event, UnknownEvent) else 1
    assert record == Record(5, 3, 7, 99, "engine", version, event)
    assert Codec().encode(3, 7, 99, "engine", record.event) == data


def test_values_that_are_left_out_are_their_defaults() -> None:
    record = Codec().decode(0, stored({"type": "note", "key": "n", "text": "t"}))

    assert record.event == Noted("n", "t", NONE)


def test_fields_of_a_newer_version_are_passed_over() -> None:
    record = Codec().decode(
        0, stored({"type": "timer.fired", "key": "n", "mood": "good"}, version=2)
    )

    assert msgspec.structs.asdict(record.event) == {"key": "n"}
    assert record.version == 2


def test_an_unknown_tag_is_kept_as_its_bytes_with_its_version() -> None:
    event = {"type": "agent.sang", "key": "k", "tune": [1, 2, {"a": b"b"}]}

    record = Codec().decode(0, stored(event, version=6))

    assert record.event == UnknownEvent("agent.sang", msgspec.Raw(encode(event)), 6)


def test_a_known_tag_whose_meaning_changed_in_a_newer_version_is_unknown() -> None:
    event = {"type": "timer.set", "key": "k", "until": "tomorrow"}

    record = Codec().decode(0, stored(event, version=2))

    assert record.event == UnknownEvent("timer.set", msgspec.Raw(encode(event)), 2)


def rename(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "key": fields["name"], "type": "timer.set"}


def to_nanoseconds(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "until": fields["until"] * 10**9}


CHAIN = Codec(3, {("alarm.set", 1): rename, ("timer.set", 2): to_nanoseconds})


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        (1, {"type": "alarm.set", "name": "k", "until": 5}),
        (2, {"type": "timer.set", "key": "k", "until": 5}),
        (3, {"type": "timer.set", "key": "k", "until": 5 * 10**9}),
        (4, {"type": "timer.set", "key": "k", "until": 5 * 10**9}),
    ],
)
def test_upcasters_bring_older_records_and_only_those_to_this_version(
    version: int, fields: dict[str, Any]
) -> None:
    record = CHAIN.decode(0, stored(fields, version))

    assert record.event == TimerSet("k", 5 * 10**9)
    assert record.version == version
    assert CHAIN.decode(0, CHAIN.encode(3, 7, 99, "engine", record.event)).event == record.event


def test_older_records_that_no_upcaster_concerns_decode_as_they_are() -> None:
    assert CHAIN.decode(0, stored({"type": "timer.fired", "key": "k"})).event.key == "k"  # type: ignore[union-attr]
    unknown = CHAIN.decode(0, stored({"type": "x"}, 2)).event
    assert unknown == UnknownEvent("x", msgspec.Raw(encode({"type": "x"})), 2)


def test_a_log_reads_through_the_codec_it_was_given(tmp_path: Any) -> None:
    with Log.open(tmp_path) as log:
        old = UnknownEvent(
            "alarm.set", msgspec.Raw(encode({"type": "alarm.set", "name": "k", "until": 5}))
        )
        branch = log.create_run("fix", [old], actor="e", time=1)

    with Log.open(tmp_path, codec=CHAIN) as log:
        assert [record.event for record in log.records(branch)] == [TimerSet("k", 5 * 10**9)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x96\x01",
        stored({"type": "timer.set", "key": 7, "until": 1}),
        stored({"key": "k"}),
        stored("text"),
        stored({"type": "note", "key": "n", "text": "t"})[:-1],
        stored({"type": "note", "key": "n", "text": "t"}).replace(b"\xa1t", b"\xa1\xff"),
    ],
)
def test_bytes_that_are_no_record_are_told_with_their_place(data: bytes) -> None:
    with pytest.raises(RecordCorrupt, match="record 12 of the log does not decode"):
        Codec().decode(12, data)
