"""Whatever bytes a record has, the decoder answers with an event or with RecordCorrupt."""

import struct
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import (
    KNOWN,
    Codec,
    Noted,
    NotText,
    Record,
    RecordCorrupt,
    UnknownEvent,
    ValueTooDeep,
    is_too_deep,
    pack,
)
from tests.support.any_event import EVENTS, INTEGERS, PLAIN, TEXTS

encode = msgspec.msgpack.encode
HEAD = b"\x96\x01\x02\x03\xa1e\x01"  # branch 1, offset 2, time 3, actor "e", version 1
DEEP = b"\x91" * 100_000 + b"\xc0"


def decoded(data: bytes) -> Record | None:
    """Return the record, or None where the bytes are refused as they should be."""
    try:
        return Codec().decode(5, data)
    except RecordCorrupt:
        return None


def stored(event: Any, *, version: int = 1) -> bytes:
    return encode([1, 2, 3, "e", version, event])


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    for found in (decoded(data), decoded(HEAD + data)):
        assert found is None or found.seq == 5


@st.composite
def hurt_records(draw: st.DrawFn) -> bytes:
    """A real record that was cut, extended, or had some of its bytes changed."""
    data = bytearray(Codec().encode(1, 2, 3, "e", draw(EVENTS)))
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(0, len(data)) | st.just(len(data)))
    return bytes(data[:end]) + draw(st.sampled_from([b"", b"\xc0", b"\xdf\xff\xff\xff\xff", DEEP]))


@settings(max_examples=150)
@given(hurt_records())
def test_a_hurt_record_is_read_as_an_event_or_refused(data: bytes) -> None:
    record = decoded(data)

    if record is not None:
        assert isinstance(record.event, (*KNOWN, UnknownEvent))


FIELDS = sorted({name for kind in KNOWN for name in kind.__struct_fields__})
TAGS = [str(kind.__struct_config__.tag) for kind in KNOWN]


@settings(max_examples=120)
@given(
    st.sampled_from(TAGS) | TEXTS,
    st.lists(st.tuples(st.sampled_from(FIELDS) | TEXTS | INTEGERS, PLAIN), max_size=8),
    st.integers(-(2**63), 2**64 - 1) | st.integers(0, 3),
)
def test_maps_with_wrong_double_and_foreign_fields_are_read_or_refused(
    tag: str, fields: list[tuple[Any, Any]], version: int
) -> None:
    body = b"".join(encode(key) + encode(value) for key, value in [("type", tag), *fields])
    event = struct.pack(">BH", 0xDE, len(fields) + 1) + body  # a map may name a field twice

    record = decoded(encode([1, 2, 3, "e", version, msgspec.Raw(event)]))

    if record is not None and tag not in TAGS and isinstance(record.event, UnknownEvent):
        assert bytes(record.event.raw) == event


NOTE = HEAD + b"\x84\xa4type\xa4note\xa3key\xa1k\xa4text\xa1t\xa4data"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(NOTE + DEEP, id="a value nested without end"),
        pytest.param(NOTE + DEEP[:-1], id="and cut short"),
        pytest.param(HEAD + b"\x82\xa4type\xa5later\xa1a" + DEEP, id="in an unknown event"),
        pytest.param(HEAD + DEEP, id="in the place of an event"),
        pytest.param(DEEP, id="in the place of a record"),
        pytest.param(NOTE + b"\xdd\xff\xff\xff\xff", id="an array that is longer than the file"),
        pytest.param(NOTE + b"\xdf\xff\xff\xff\xff", id="a map"),
        pytest.param(NOTE + b"\xdb\xff\xff\xff\xff", id="a text"),
        pytest.param(NOTE + b"\xc6\xff\xff\xff\xff", id="bytes"),
        pytest.param(NOTE + b"\xc9\xff\xff\xff\xff\x48", id="a reference"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="a record"),
        pytest.param(
            HEAD + b"\x84\xa4type\xacrun.released\xa5owner\xa1k\xa6reason\xa1t\xa7waiting"
            b"\xdd\xff\xff\xff\xff",
            id="a list of keys",
        ),
    ],
)
def test_what_claims_to_be_huge_is_refused_and_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        assert decoded(data) is None
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_record_of_a_version_far_below_the_first_is_read_at_once() -> None:
    event = {"type": "timer.fired", "key": "k"}

    assert decoded(stored(event, version=-(2**63))) is not None


@pytest.mark.parametrize("fields", [{}, {"until": None}, {"until": "x"}, {"until": [1]}])
def test_a_record_that_an_upcaster_cannot_make_sense_of_is_refused(fields: dict[str, Any]) -> None:
    codec = Codec(2, {("timer.set", 1): lambda old: {**old, "until": old["until"] // 1000}})

    with pytest.raises(RecordCorrupt, match="it does not fit version 1"):
        codec.decode(5, stored({"type": "timer.set", "key": "k", **fields}))


def test_a_text_that_is_no_unicode_is_refused_with_a_name() -> None:
    with pytest.raises(NotText, match=r"'a\\udcff' cannot be recorded"):
        Codec().encode(1, 2, 3, "e", Noted("n", "a\udcff"))


@pytest.mark.parametrize(("levels", "deep"), [(1, False), (128, False), (129, True), (5000, True)])
@pytest.mark.parametrize("box", [b"\x91", b"\x81\xa1k", b"\xdc\x00\x02\xc0", b"\xde\x00\x01\x01"])
def test_a_value_that_could_not_be_read_back_is_refused(
    levels: int, deep: bool, box: bytes
) -> None:
    raw = box * levels + b"\xc0"

    assert is_too_deep(raw) is deep
    if deep:
        with pytest.raises(ValueTooDeep, match="more than 128 levels"):
            pack(raw, {})
    else:
        pack(raw, {})


def test_many_small_boxes_beside_each_other_are_not_deep() -> None:
    assert not is_too_deep(encode([{"a": [n]} for n in range(5000)]))
