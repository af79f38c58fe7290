"""Laws of events and of the log, over every type of event with every value that it may have."""

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import (
    KNOWN,
    AnyEvent,
    Codec,
    Event,
    Log,
    Noted,
    RecordCorrupt,
    RunRow,
    UnknownEvent,
    advance,
    verify,
)
from tests.support.any_event import EVENT_TYPES, EVENTS, INTEGERS, PLAIN, TEXTS

encode = msgspec.msgpack.encode


def stored(event: AnyEvent) -> bytes:
    """Return an event's bytes, which tell events apart where a NaN is not equal to itself."""
    return Codec().encode(1, 2, 3, "e", event)


@pytest.mark.parametrize("kind", KNOWN, ids=lambda kind: kind.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_what_was_encoded_decodes_to_the_same_event(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(EVENT_TYPES[kind])

    found = Codec().decode(7, stored(event))

    assert type(found.event) is kind
    assert stored(found.event) == stored(event)
    assert (found.seq, found.branch, found.offset, found.time) == (7, 1, 2, 3)
    assert (found.actor, found.version) == ("e", 1)


def in_milliseconds(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "until": old["until"] // 10**6}


def renamed(old: dict[str, Any]) -> dict[str, Any]:
    return {
        **{k: v for k, v in old.items() if k != "name"},
        "type": "timer.set",
        "key": old["name"],
    }


NEWER = Codec(4, {("alarm", 1): renamed, ("timer.set", 2): in_milliseconds, ("note", 3): dict})


@settings(max_examples=80)
@given(
    st.sampled_from(["alarm", "timer.set", "note", "odd"]),
    st.dictionaries(st.sampled_from(["name", "key", "until", "text"]), PLAIN),
    st.integers(0, 5),
)
def test_bringing_a_record_up_to_date_is_total_and_done_once(
    tag: str, fields: dict[str, Any], version: int
) -> None:
    try:
        found = NEWER.decode(0, encode([1, 2, 3, "e", version, {**fields, "type": tag}]))
    except RecordCorrupt:
        return

    again = NEWER.encode(1, 2, 3, "e", found.event)
    assert NEWER.encode(1, 2, 3, "e", NEWER.decode(0, again).event) == again
    if not isinstance(found.event, UnknownEvent):
        assert NEWER.decode(0, again).version == 4


@settings(max_examples=100)
@given(st.lists(st.tuples(EVENTS, INTEGERS), max_size=12))
def test_the_listings_take_any_event(events: list[tuple[Any, int]]) -> None:
    row = RunRow("r", 1)
    for event, time in events:
        row = advance(row, event, time, 3)
        assert msgspec.msgpack.decode(encode(row), type=RunRow) == row


@pytest.fixture(scope="module")
def log() -> Any:
    with tempfile.TemporaryDirectory() as folder, Log.open(Path(folder) / "log") as log:
        yield log


NUMBERS = count()


@settings(max_examples=25)
@given(
    before=st.lists(EVENTS, max_size=8),
    after=st.lists(EVENTS, max_size=4),
    actor=TEXTS,
    time=st.integers(0, 2**64 - 1),
)
def test_what_was_appended_is_read_back_and_the_log_proves_it(
    log: Log, before: list[Any], after: list[Any], actor: str, time: int
) -> None:
    before = [Noted("first", "says nothing of its branch"), *before]
    branch = log.create_run(f"r{next(NUMBERS)}", before, actor=actor, time=time)
    log.append(branch, after, expected=len(before), actor=actor, time=time)

    found = list(log.records(branch))

    assert [*map(stored, (r.event for r in found))] == [*map(stored, [*before, *after])]
    assert {(r.branch, r.time, r.actor) for r in found} <= {(branch, time, actor)}
    assert verify(log).ok
