"""Values in place, values in blobs, and their stored form."""

import os
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.eventlog import BlobDamaged, Reference, pack, reference
from holdfast.eventlog.values import INLINE_BYTES, references, unwrap, wrap


@given(st.binary(min_size=1, max_size=INLINE_BYTES))
def test_small_values_stay_in_place(raw: bytes) -> None:
    blobs: dict[bytes, bytes] = {}

    assert bytes(pack(raw, blobs)) == raw
    assert blobs == {}


@given(st.binary(min_size=INLINE_BYTES + 1, max_size=3000))
def test_large_values_become_a_reference_of_digest_and_size(raw: bytes) -> None:
    blobs: dict[bytes, bytes] = {}

    value = pack(raw, blobs)

    digest = sha256(raw).digest()
    assert reference(value) == Reference(digest, len(raw))
    assert blobs == {digest: raw}
    assert msgspec.msgpack.decode(value) == msgspec.msgpack.Ext(0x48, bytes(value)[3:])


@given(st.binary(max_size=2000))
def test_the_stored_form_gives_the_bytes_back(raw: bytes) -> None:
    assert unwrap(sha256(raw).digest(), wrap(raw)) == raw


def test_compression_is_kept_only_where_it_pays() -> None:
    assert len(wrap(b"again and " * 500)) < 200
    noise = os.urandom(5000)
    assert wrap(noise) == b"\x00" + noise


@pytest.mark.parametrize("stored", [None, b"", b"\x00abd", b"\x01abc", b"\x05abc"])
def test_a_stored_form_that_is_not_the_blobs_is_refused(stored: bytes | None) -> None:
    with pytest.raises(BlobDamaged, match=sha256(b"abc").hexdigest()):
        unwrap(sha256(b"abc").digest(), stored)


def test_references_are_found_in_the_fields_of_any_event() -> None:
    blobs: dict[bytes, bytes] = {}
    one, two = pack(bytes(2000), blobs), pack(bytes(3000), blobs)
    nested = {"not a value field": bytes(one)}

    event = msgspec.msgpack.encode({"type": "later", "a": one, "b": two, "c": nested})

    assert [place.size_bytes for place in references(event)] == [2000, 3000]
    assert [*references(msgspec.msgpack.encode({"type": "later"}))] == []
