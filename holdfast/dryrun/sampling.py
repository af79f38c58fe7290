"""From a type to a value that fits it: what a dry run answers with. Pure."""

import dataclasses
import datetime
import decimal
import enum
import math
import re
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")
DEEPEST = 6
MANY = 100
_ORDINARY: Mapping[Any, Any] = {
    bytes: "c2FtcGxl",
    datetime.datetime: "2026-01-02T09:00:00Z",
    datetime.date: "2026-01-02",
    datetime.time: "09:00:00Z",
    datetime.timedelta: "PT1H",
    uuid.UUID: "00000000-0000-4000-8000-000000000000",
    decimal.Decimal: "1",
}
_LISTS = {list, tuple, set, frozenset}


class NoSample(Exception):
    """Why no sample can be made."""


class Taste(msgspec.Struct, frozen=True):
    """Which samples to choose where a type leaves a choice.

    `everywhere` also replaces defaults that are booleans. `high` takes large numbers, and the last of
    the words that a Literal or an Enum has. `prints` gives commands that have to succeed an output, and
    `fails` lets those that may fail do so in the first round of a loop. `marked` texts stand in "<>".
    """

    booleans: bool = True
    everywhere: bool = False
    items: int = 1
    high: bool = False
    prints: bool = True
    fails: bool = False
    marked: bool = True

    def told(self) -> str:
        """Return the choices in words."""
        said = [f"booleans are {self.booleans}{', defaults too' if self.everywhere else ''}"]
        said.append("lists have one item" if self.items else "lists are empty")
        said += ["numbers are high, of several words the last is taken"] if self.high else []
        said += [] if self.prints else ["commands print nothing"]
        said += ["commands that may fail do so in the first round"] if self.fails else []
        said += [] if self.marked else ["texts are single words"]
        return "; ".join(said)


def sample(type_: Any, name: str, taste: Taste) -> Any:
    """Return a value of a type, named after what it is for. Raises NoSample."""
    try:
        plain = _Sampler(taste).of(type_, name, 0)
        if type_ is Any:
            return plain
        return msgspec.json.decode(msgspec.json.encode(plain), type=type_)
    except (msgspec.ValidationError, TypeError, NameError, RecursionError) as error:
        raise NoSample(str(error)) from error


class _Sampler:
    """Makes plain data, as JSON has it."""

    def __init__(self, taste: Taste) -> None:
        self.taste = taste

    def of(self, type_: Any, name: str, depth: int) -> Any:
        origin, arguments = typing.get_origin(type_), typing.get_args(type_)
        if origin is typing.Annotated:
            return self._annotated(type_, arguments, name, depth)
        if origin is typing.Literal:
            return arguments[-1 if self.taste.high else 0]
        if origin in (typing.Union, types.UnionType):
            wanted = [one for one in arguments if one is not type(None)]
            return self.of(wanted[0], name, depth) if wanted and depth < DEEPEST else None
        kind = origin or type_
        if kind in _LISTS:
            return self._items(kind, arguments, name, depth, self.taste.items)
        if kind is dict or kind in (Mapping, typing.Mapping):
            key, value = arguments or (str, Any)
            return {self.of(key, "key", depth + 1): self.of(value, name, depth + 1)}
        return self._single(kind, name, depth)

    def _single(self, kind: Any, name: str, depth: int) -> Any:
        if kind is bool:
            return self.taste.booleans
        if kind is int or kind is float:
            return kind(MANY if self.taste.high else 1)
        if kind is str:
            return (
                f"<{name}>" if self.taste.marked else "-".join(re.findall(r"\w+", name)) or "text"
            )
        if kind in _ORDINARY:
            return _ORDINARY[kind]
        if kind in (Any, None, type(None)) or isinstance(kind, TypeVar):
            return None
        if _is_a(kind, enum.Enum):
            return [*kind][-1 if self.taste.high else 0].value
        if origin := getattr(kind, "__value__", None):  # `type X = ...`
            return self.of(origin, name, depth)
        fields = _fields(kind)
        if fields is None:
            return self._unknown(kind, name, depth)
        if depth > DEEPEST:
            raise NoSample(f"{kind.__name__} holds itself, without an end")
        told = [field for field in fields if self._is_told(field) or field.tag]
        plain = {field.name: field.tag or self._field(field, depth) for field in told}
        return list(plain.values()) if _is_array(kind) else plain

    def _unknown(self, kind: Any, name: str, depth: int) -> Any:
        """Take an abstract collection for a list; else nobody knows what it is."""
        try:
            found = msgspec.inspect.type_info(kind)
        except TypeError as error:
            raise NoSample(str(error)) from error
        if isinstance(found, msgspec.inspect.CollectionType):
            return self._items(list, (Any,), name, depth, self.taste.items)
        raise NoSample(f"msgspec does not know what a {kind!r} is; write a msgspec Struct")

    def _is_told(self, field: "_Field") -> bool:
        return field.required or (self.taste.everywhere and field.type is bool)

    def _field(self, field: "_Field", depth: int) -> Any:
        return self.of(field.type, field.name, depth + 1)

    def _items(self, kind: Any, arguments: Any, name: str, depth: int, count: int) -> list[Any]:
        if kind is tuple and arguments and arguments[-1] is not ...:
            return [self.of(one, name, depth + 1) for one in arguments]
        item = arguments[0] if arguments else Any
        if depth > DEEPEST:
            return []
        plain = [self.of(item, name, depth + 1) for _ in range(min(count, 1))]
        return plain + [_numbered(plain[0], place) for place in range(2, count + 1)]

    def _annotated(self, type_: Any, arguments: Any, name: str, depth: int) -> Any:
        info = msgspec.inspect.type_info(type_)
        while isinstance(info, msgspec.inspect.Metadata):
            info = info.type
        inner = typing.get_origin(arguments[0]) or arguments[0]
        if inner in _LISTS:
            least = getattr(info, "min_length", None) or 0
            count = max(self.taste.items, least)
            return self._items(inner, typing.get_args(arguments[0]), name, depth, count)
        value = self.of(arguments[0], name, depth)
        if isinstance(info, msgspec.inspect.IntType | msgspec.inspect.FloatType):
            return _between(info, value)
        if isinstance(info, msgspec.inspect.StrType):
            return _as_long(info, value)
        return value


class _Field(msgspec.Struct, frozen=True):
    name: str
    type: Any
    required: bool
    tag: str | int | None = None


def _fields(kind: Any) -> list[_Field] | None:
    """Return the fields of a Struct, a dataclass, a TypedDict or a NamedTuple, by their encoded names."""
    is_named_tuple = _is_a(kind, tuple) and hasattr(kind, "_fields")
    is_known = dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)
    is_known = is_known or is_named_tuple or _is_a(kind, msgspec.Struct)
    if not is_known:
        return None
    info = cast(Any, msgspec.inspect.type_info(kind))
    hints = typing.get_type_hints(kind, include_extras=True)
    tagged = getattr(info, "tag", None) is not None
    tag = [_Field(info.tag_field, str, False, info.tag)] if tagged else []
    return tag + [_Field(f.encode_name, hints.get(f.name, Any), f.required) for f in info.fields]


def _is_array(kind: Any) -> bool:
    return _is_a(kind, tuple) or (_is_a(kind, msgspec.Struct) and kind.__struct_config__.array_like)


def _is_a(kind: Any, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def _between(info: Any, value: Any) -> Any:
    """Return the number, moved to where the type's bounds allow it."""
    step: Callable[[Any], Any] = (lambda x: x) if isinstance(value, float) else math.floor
    if info.le is not None:
        value = min(value, step(info.le))
    if info.lt is not None:
        value = min(value, info.lt - (1 if isinstance(value, int) else 1e-6))
    if info.ge is not None:
        value = max(value, info.ge)
    if info.gt is not None:
        value = max(value, info.gt + (1 if isinstance(value, int) else 1e-6))
    if info.multiple_of:
        value = math.ceil(value / info.multiple_of) * info.multiple_of
    return value


def _as_long(info: Any, text: str) -> str:
    if info.pattern is not None:
        raise NoSample(f"its text has to match {info.pattern!r}")
    text = text.ljust(info.min_length or 0, ".")
    return text if info.max_length is None else text[: info.max_length]


def _numbered(plain: Any, place: int) -> Any:
    """Return one more of the same, told apart by its number where it is, or has, a text."""
    if isinstance(plain, str):
        return f"{plain} {place}"
    if isinstance(plain, dict):
        fields = cast(dict[str, Any], plain)
        return {
            name: f"{value} {place}" if isinstance(value, str) else value
            for name, value in fields.items()
        }
    return plain
