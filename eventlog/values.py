"""Values within events: small ones lie in the event, large ones in a blob that it refers to.

A reference is a MessagePack extension that holds the blob's SHA-256 and its size. Compression is
decided here too, for it is the same question: how a value becomes stored bytes.
"""

import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import cast

import msgspec

from .errors import BlobDamaged, ValueTooDeep, ValueTooLarge
from .events import Value

INLINE_BYTES = 1024
LIMIT_BYTES = 256 * 1024 * 1024
MOST_LEVELS = 128
"""Decoders give up where a value meets Python's recursion limit, which callers share."""

_BOXES = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])  # how arrays and maps begin
_OTHERS = bytes(set(range(256)) - set(_BOXES))

REFERENCE = b"\xc7\x28\x48"  # ext 8: 40 bytes follow, of our type 0x48
_REFERENCE_BYTES = len(REFERENCE) + 40

_PLAIN, _DEFLATED = b"\x00", b"\x01"
_WORTH_DEFLATING_BYTES = 512

_decode_fields = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode


class Reference(msgspec.Struct, frozen=True, gc=False):
    """A value's place in the blobs."""

    digest: bytes
    size_bytes: int


def pack(raw: bytes, blobs: dict[bytes, bytes]) -> Value:
    """Return the MessagePack bytes `raw` as a value, adding a blob to `blobs` when it is large."""
    if len(raw) > LIMIT_BYTES:
        raise ValueTooLarge(len(raw), limit_bytes=LIMIT_BYTES)
    if is_too_deep(raw):
        raise ValueTooDeep(limit=MOST_LEVELS)
    if len(raw) <= INLINE_BYTES and not _looks_like_reference(raw):
        return msgspec.Raw(raw)
    digest = sha256(raw).digest()
    blobs[digest] = raw
    return msgspec.Raw(REFERENCE + digest + len(raw).to_bytes(8, "big"))


def is_too_deep(raw: bytes) -> bool:
    """Tell whether a value is nested deeper than MOST_LEVELS."""
    if len(raw.translate(None, _OTHERS)) <= MOST_LEVELS:
        return False  # so few bytes could begin a container
    try:
        layer = [msgspec.msgpack.decode(raw)]
    except RecursionError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False  # whoever reads it is told
    for _ in range(MOST_LEVELS + 1):
        layer = [item for box in layer for item in _items(box)]
        if not layer:
            return False
    return True


def _items(box: object) -> Iterable[object]:
    match box:
        case dict():
            return cast(dict[object, object], box).values()
        case list():
            return cast(list[object], box)
        case _:
            return ()


def reference(value: Value) -> Reference | None:
    """Return where a value lies, or None when it lies in the event itself."""
    raw = bytes(value)
    if not _looks_like_reference(raw):
        return None
    return Reference(digest=raw[3:35], size_bytes=int.from_bytes(raw[35:], "big"))


def _looks_like_reference(raw: bytes) -> bool:
    return len(raw) == _REFERENCE_BYTES and raw.startswith(REFERENCE)


def references(event: bytes | msgspec.Raw) -> Iterator[Reference]:
    """Yield the references among an encoded event's fields, whatever its type."""
    if REFERENCE in bytes(event):
        for field in _decode_fields(event).values():
            if found := reference(field):
                yield found


def wrap(raw: bytes) -> bytes:
    """Return a blob's stored form, deflated where that saves at least an eighth."""
    if len(raw) >= _WORTH_DEFLATING_BYTES:
        deflated = zlib.compress(raw, 1)
        if len(deflated) <= len(raw) - len(raw) // 8:
            return _DEFLATED + deflated
    return _PLAIN + raw


def unwrap(digest: bytes, stored: bytes | None) -> bytes:
    """Return the blob that was stored, checked against its digest; or BlobDamaged."""
    if stored is None:
        raise BlobDamaged(digest, "is missing")
    try:
        raw = _open(stored)
    except (zlib.error, ValueError) as error:
        raise BlobDamaged(digest, f"cannot be unpacked ({error})") from error
    if sha256(raw).digest() != digest:
        raise BlobDamaged(digest, "does not match its digest")
    return raw


def _open(stored: bytes) -> bytes:
    match stored[:1]:
        case b"\x00":
            return stored[1:]
        case b"\x01":
            return _inflate(stored[1:])
        case kind:
            raise ValueError(f"unknown form {kind!r}")


def _inflate(deflated: bytes) -> bytes:
    """Undo the compression of what was within the limit; a forged blob may grow a thousandfold."""
    stream = zlib.decompressobj()
    raw = stream.decompress(deflated, LIMIT_BYTES)
    if not stream.eof or stream.unused_data:
        raise ValueError(f"it does not end, or is above {LIMIT_BYTES} bytes")
    return raw
