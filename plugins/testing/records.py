"""One record of every kind of event, to show to an observer."""

from typing import Any

import msgspec

from holdfast.eventlog import KNOWN, NONE, Failure, Record, UnknownEvent, Value

_EXAMPLES: dict[Any, Any] = {
    str: "x",
    int: 1,
    float: 0.5,
    bool: True,
    bytes: b"\x01" * 20,
    Value: NONE,
    Failure: Failure("exception", "ValueError: no"),
}
START_NS = 1_800_000_000_000_000_000


def sample_records() -> list[Record]:
    """Return a record of each kind of event, and last one of a kind that a newer version has."""
    events: list[Any] = [_example(kind) for kind in KNOWN]
    events.append(UnknownEvent("of.tomorrow", msgspec.Raw(msgspec.msgpack.encode({"n": 1}))))
    return [
        Record(offset + 1, 1, offset, START_NS + offset, "engine", 1, event)
        for offset, event in enumerate(events)
    ]


def _example(kind: type[msgspec.Struct]) -> msgspec.Struct:
    fields = msgspec.structs.fields(kind)
    return kind(**{f.name: _EXAMPLES.get(f.type, []) for f in fields if f.required})
