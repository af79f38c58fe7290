"""Any event there can be: every type, its fields of every value that their types allow.

The strategies are made from the types' own fields, so that an event added later is covered by itself.
"""

from typing import Any

import msgspec
from hypothesis import strategies as st

from holdfast.eventlog import (
    KNOWN,
    Ballot,
    Budget,
    Edit,
    Event,
    Failure,
    Reserved,
    Role,
    UnknownEvent,
    Usage,
    Value,
)

WORDS = st.sampled_from(["k", "l", "k/l[2]", "waiting", "engine", ""])
"""Few, so that events meet."""

TEXTS = st.one_of(WORDS, st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
INTEGERS = st.one_of(
    st.integers(-2, 3), st.sampled_from([-(2**63), 2**63 - 1, 2**64 - 1]), st.integers(0, 2**64 - 1)
)
PLAIN = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats() | TEXTS | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
VALUES: st.SearchStrategy[Value] = PLAIN.map(
    lambda value: msgspec.Raw(msgspec.msgpack.encode(value))
)

_BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: INTEGERS,
    float: st.floats(),
    bool: st.booleans(),
    bytes: st.binary(max_size=40),
    Value: VALUES,
    bytes | None: st.none() | st.binary(max_size=40),
    list[str]: st.lists(TEXTS, max_size=3),
}


def struct_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a struct, from its fields; those with a default may be left out."""
    fields = msgspec.structs.fields(kind)
    needed = {field.name: _by_type(field.type) for field in fields if field.required}
    others = {field.name: _by_type(field.type) for field in fields if not field.required}
    given = st.fixed_dictionaries(needed, optional=others)
    return given.map(lambda values: kind(**values))


def _by_type(type_: Any) -> st.SearchStrategy[Any]:
    return _BY_TYPE[type_]


for _part in (Failure, Usage, Edit, Ballot, Budget, Reserved, Role):
    _BY_TYPE[_part] = struct_of(_part)
    _BY_TYPE[_part | None] = st.none() | _BY_TYPE[_part]
    _BY_TYPE[list[_part]] = st.lists(_BY_TYPE[_part], max_size=3)  # type: ignore[valid-type]


def _unknown(fields: dict[str, Any], version: int) -> UnknownEvent:
    return UnknownEvent("new.thing", msgspec.Raw(msgspec.msgpack.encode(fields)), version)


UNKNOWN: st.SearchStrategy[UnknownEvent] = st.builds(
    _unknown,
    st.dictionaries(TEXTS, PLAIN, max_size=3).map(lambda fields: {**fields, "type": "new.thing"}),
    st.integers(1, 9),
)
EVENT_TYPES: dict[type[Event], st.SearchStrategy[Any]] = {kind: struct_of(kind) for kind in KNOWN}
EVENTS: st.SearchStrategy[Any] = st.one_of(*EVENT_TYPES.values(), UNKNOWN)
