"""Recorded values and events as JSON."""

from typing import Any, cast

import click
import msgspec

from holdfast.eventlog import Log, Record, UnknownEvent, reference

from .words import rfc3339

INLINE_BYTES = 4096


def print_json(value: object) -> None:
    """Print one JSON document on one line of standard output."""
    click.echo(encoded(value))


def encoded(value: object) -> bytes:
    """Return a value as JSON; what JSON has no word for is told as well as it can be."""
    try:
        return msgspec.json.encode(value, enc_hook=_foreign)
    except TypeError:
        return msgspec.json.encode(_with_text_keys(value), enc_hook=_foreign)


def _foreign(value: object) -> object:
    if isinstance(value, msgspec.msgpack.Ext):
        return {"ext": value.code, "data": bytes(value.data).hex()}
    return repr(value)


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = cast(dict[object, Any], value).items()
        return {str(key): _with_text_keys(item) for key, item in pairs}
    if isinstance(value, list | tuple):
        return [_with_text_keys(item) for item in cast(list[Any], value)]
    return value


def decoded(log: Log, value: msgspec.Raw) -> Any:
    """Return a recorded value, however large."""
    return msgspec.msgpack.decode(log.load(value))


def shown(log: Log, value: msgspec.Raw) -> Any:
    """Return a recorded value, or the digest and size of one that is too large to list."""
    place = reference(value)
    if place is None or place.size_bytes <= INLINE_BYTES:
        return decoded(log, value)
    return {"blob": place.digest.hex(), "size": place.size_bytes}


def record(log: Log, record: Record) -> dict[str, Any]:
    """Return a record as `holdfast log --json` prints it."""
    event = record.event
    place = {
        "seq": record.seq,
        "offset": record.offset,
        "time": rfc3339(record.time),
        "actor": record.actor,
    }
    if isinstance(event, UnknownEvent):
        own = msgspec.msgpack.decode(event.raw)
        return {**place, "type": event.type, "unknown": True, "event": own}
    return {**place, "type": event.__struct_config__.tag, **fields(log, event)}


def fields(log: Log, struct: msgspec.Struct) -> dict[str, Any]:
    """Return a struct's fields as plain data: values decoded, digests as hex."""
    return {name: _field(log, getattr(struct, name)) for name in struct.__struct_fields__}


def _field(log: Log, value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return shown(log, value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Struct):
        return fields(log, value)
    if isinstance(value, list | tuple):
        return [_field(log, item) for item in cast(list[Any], value)]
    return value
