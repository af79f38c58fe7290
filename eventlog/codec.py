"""Between an event and its stored bytes, for this version, older ones and newer ones.

A record is the MessagePack array [branch, offset, time, actor, version, event]. Its `seq` is the
key that it is stored under and is not repeated.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union

import msgspec
from msgspec import Raw
from msgspec.msgpack import Decoder, Encoder

from .errors import NotText, RecordCorrupt
from .events import KNOWN, AnyEvent, Event, Record, UnknownEvent

SCHEMA_VERSION = 1
_FIRST_VERSION = 1

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes an event as plain data, as one version wrote it, and returns it as the next would have."""

Upcasters = Mapping[tuple[str, int], Upcaster]
"""Upcasters by tag and by the version that they start from."""

UPCASTERS: Upcasters = {}

if TYPE_CHECKING:
    KnownEvent = AnyEvent
else:
    KnownEvent = Union[KNOWN]  # noqa: UP007 - from the one list of types

_TAGS = frozenset(str(kind.__struct_config__.tag) for kind in KNOWN)


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record as it lies on disk, its event decoded."""

    branch: int
    offset: int
    time: int
    actor: str
    version: int
    event: KnownEvent


class Sealed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record as it lies on disk, its event still bytes."""

    branch: int
    offset: int
    time: int
    actor: str
    version: int
    event: Raw


class _Tag(msgspec.Struct, frozen=True, gc=False):
    type: str


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MISFIT = (LookupError, TypeError, ValueError, AttributeError)  # what an upcaster meets in nonsense

_encode = Encoder().encode
_decode_sealed = Decoder(Sealed).decode
_decode_stored = Decoder(Stored).decode
_decode_tag = Decoder(_Tag).decode
_decode_plain = Decoder(dict[str, Any]).decode
_decode_event: Callable[[Raw], AnyEvent] = Decoder(KnownEvent).decode


class Codec:
    """Encodes under `version`; decodes what any version wrote, through the upcasters."""

    def __init__(self, version: int = SCHEMA_VERSION, upcasters: Upcasters = UPCASTERS) -> None:
        self.version = version
        self._upcasters = upcasters

    def encode(
        self, branch: int, offset: int, time: int, actor: str, event: Event | UnknownEvent
    ) -> bytes:
        """Return the stored bytes of an event at its place."""
        row: tuple[int, int, int, str, int, Event | UnknownEvent | Raw]
        if type(event) is UnknownEvent:
            row = (branch, offset, time, actor, event.version, event.raw)
        else:
            row = (branch, offset, time, actor, self.version, event)
        try:
            return _encode(row)
        except UnicodeEncodeError as error:
            raise NotText(error.object) from error

    def decode(self, seq: int, data: bytes) -> Record:
        """Return the record stored as `data`; RecordCorrupt when it is none."""
        return self.decode_page(seq, (data,))[0]

    def decode_page(self, seq: int, page: Iterable[bytes]) -> list[Record]:
        """Return the records stored one after another from `seq` on.

        Values are views of the stored bytes, so these must be bytes of their own rather than
        buffers over the map's pages. Copying them costs less than making a buffer of each.
        """
        records: list[Record] = []
        add, decode, current = records.append, _decode_stored, self.version
        for at, data in enumerate(page, seq):
            try:
                kept = decode(data)
            except _UNREADABLE:
                add(self._decode_with_care(at, data))
                continue
            version = kept.version
            if version < current:
                add(self._decode_with_care(at, data))
            else:
                branch, offset, time, actor = kept.branch, kept.offset, kept.time, kept.actor
                add(Record(at, branch, offset, time, actor, version, kept.event))
        return records

    def _decode_with_care(self, seq: int, data: bytes) -> Record:
        try:
            sealed = _decode_sealed(data)
            event = self._open(sealed.event, sealed.version)
        except _UNREADABLE as error:
            raise RecordCorrupt(seq, str(error)) from error
        return Record(
            seq,
            sealed.branch,
            sealed.offset,
            sealed.time,
            sealed.actor,
            sealed.version,
            event,
        )

    def _open(self, raw: Raw, version: int) -> AnyEvent:
        if version < self.version:
            raw = self._upcast(raw, version)
        tag = _decode_tag(raw).type
        if tag not in _TAGS:
            return UnknownEvent(tag, raw.copy(), version)
        try:
            return _decode_event(raw)
        except msgspec.ValidationError:
            if version > self.version:  # a newer version changed its meaning
                return UnknownEvent(tag, raw.copy(), version)
            raise

    def _upcast(self, raw: Raw, version: int) -> Raw:
        """Apply the chain of upcasters; bytes that none concerns are returned as they are."""
        tag = _decode_tag(raw).type
        fields: dict[str, Any] | None = None
        for step in range(max(version, _FIRST_VERSION), self.version):
            if upcaster := self._upcasters.get((tag, step)):
                fields = _decode_plain(raw) if fields is None else fields
                try:
                    fields = upcaster(fields)
                    tag = fields["type"]
                except _MISFIT as error:
                    reason = f"it does not fit version {step} ({type(error).__name__}: {error})"
                    raise msgspec.ValidationError(reason) from error
        return raw if fields is None else Raw(_encode(fields))


def unseal(seq: int, data: bytes) -> Sealed:
    """Return a record with its event undecoded: enough to see its place; or RecordCorrupt."""
    try:
        return _decode_sealed(data)
    except _UNREADABLE as error:
        raise RecordCorrupt(seq, str(error)) from error
