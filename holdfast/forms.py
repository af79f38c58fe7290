"""What people fill in, held against the JSON Schema that msgspec makes of a type. Pure.

The schema is in the log with the question, so that an answer can be checked, and a form be shown, without
the workflow's code. It covers what msgspec writes, not all of JSON Schema.
"""

import base64
import binascii
import datetime
import operator
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

Schema = Mapping[str, Any]

WORDS = {
    "null": "null", "boolean": "true or false", "integer": "a whole number", "number": "a number",
    "string": "a text", "array": "a list", "object": "an object",
}  # fmt: skip


class Problem(NamedTuple):
    """What is wrong at one place: `where` is `$` for all of it, `$.name[2]` for a part."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


def problems(value: object, schema: Schema) -> list[Problem]:
    """Return all that is wrong with a value, field by field."""
    return list(_check(value, resolved(schema, schema), schema, "$"))


def resolved(schema: Schema, root: Schema) -> Schema:
    """Return what a schema refers to, or itself."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _check(value: object, schema: Schema, root: Schema, where: str) -> Iterator[Problem]:
    if "anyOf" in schema:
        yield from _any(value, [resolved(each, root) for each in schema["anyOf"]], root, where)
    elif "const" in schema or "enum" in schema:
        allowed = schema.get("enum", [schema.get("const")])
        if not any(_same(value, each) for each in allowed):
            yield Problem(where, f"is {_shown(value)}, not {_or(map(_shown, allowed))}")
    elif "type" in schema and (found := _kind(value)) not in _kinds(schema["type"]):
        yield Problem(
            where, f"is {WORDS[found]}, not {_or(map(WORDS.__getitem__, _listed(schema)))}"
        )
    else:
        yield from _checks_of(value, schema, root, where)


def _checks_of(value: object, schema: Schema, root: Schema, where: str) -> Iterator[Problem]:
    match value:
        case str():
            yield from _text(value, schema, where)
        case bool() | None:
            return
        case int() | float():
            yield from _number(value, schema, where)
        case list():
            yield from _list(cast(list[object], value), schema, root, where)
        case dict():
            yield from _object(cast(dict[str, object], value), schema, root, where)
        case _:
            return


def _any(value: object, choices: list[Schema], root: Schema, where: str) -> Iterator[Problem]:
    """Tell of the choice that comes nearest: of one with the same tag, else of one of the same kind."""
    told = [list(_check(value, choice, root, where)) for choice in choices]
    if not all(told):
        return
    inside = [found for found in told if all(problem.where != where for problem in found)]
    kinds = [
        found
        for found, choice in zip(told, choices, strict=True)
        if _kind(value) in _kinds(choice.get("type", []))
    ]
    if inside or len(kinds) == 1:
        yield from min(inside or kinds, key=len)
    else:
        yield Problem(
            where, f"is {_shown(value)}, not {_or(dict.fromkeys(map(described, choices)))}"
        )


def _text(value: str, schema: Schema, where: str) -> Iterator[Problem]:
    yield from _length(len(value), schema, where, "Length", "characters")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield Problem(where, f"is {_shown(value)}, which does not match {schema['pattern']!r}")
    form = schema.get("format") or schema.get("contentEncoding")
    if form in _FORMS:
        read, example = _FORMS[form]
        try:
            read(value)
        except (ValueError, binascii.Error):
            yield Problem(where, f"is {_shown(value)}, not a {form}, such as {example}")


def _utc(text: str) -> None:
    datetime.datetime.fromisoformat(text)


_FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "date-time": (_utc, "2030-01-31T12:00:00Z"),
    "date": (datetime.date.fromisoformat, "2030-01-31"),
    "time": (datetime.time.fromisoformat, "12:00:00"),
    "uuid": (uuid.UUID, str(uuid.UUID(int=0))),
    "base64": (lambda text: base64.b64decode(text, validate=True), "aGVsbG8="),
}


_LIMITS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "minimum": (operator.ge, "at least"),
    "maximum": (operator.le, "at most"),
    "exclusiveMinimum": (operator.gt, "more than"),
    "exclusiveMaximum": (operator.lt, "less than"),
}


def _number(value: float, schema: Schema, where: str) -> Iterator[Problem]:
    for name, (holds, words) in _LIMITS.items():
        if name in schema and not holds(value, schema[name]):
            yield Problem(where, f"is {value}, not {words} {schema[name]}")
    if "multipleOf" in schema and value % schema["multipleOf"]:
        yield Problem(where, f"is {value}, not a multiple of {schema['multipleOf']}")


def _list(value: list[object], schema: Schema, root: Schema, where: str) -> Iterator[Problem]:
    yield from _length(len(value), schema, where, "Items", "items")
    first = schema.get("prefixItems", [])
    rest = schema.get("items", {})
    for index, item in enumerate(value):
        part = first[index] if index < len(first) else rest
        if part:
            yield from _check(item, resolved(part, root), root, f"{where}[{index}]")


def _object(
    value: dict[str, object], schema: Schema, root: Schema, where: str
) -> Iterator[Problem]:
    yield from _length(len(value), schema, where, "Properties", "fields")
    fields: Schema = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            kind = described(resolved(fields.get(name, {}), root))
            yield Problem(f"{where}.{name}", f"is missing; it is {kind}")
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in fields:
            yield from _check(item, resolved(fields[name], root), root, f"{where}.{name}")
        elif others is False:
            yield Problem(f"{where}.{name}", f"is not one of the fields {', '.join(fields)}")
        elif isinstance(others, dict) and others:
            part = resolved(cast(Schema, others), root)
            yield from _check(item, part, root, f"{where}.{name}")


def _length(size: int, schema: Schema, where: str, what: str, words: str) -> Iterator[Problem]:
    if size < schema.get(f"min{what}", 0):
        yield Problem(where, f"has {size} {words}, at least {schema[f'min{what}']} are needed")
    if size > schema.get(f"max{what}", size):
        yield Problem(where, f"has {size} {words}, at most {schema[f'max{what}']} are allowed")


def described(schema: Schema) -> str:
    """Say in a few words what a schema wants."""
    if "const" in schema or "enum" in schema:
        return _or(map(_shown, schema.get("enum", [schema.get("const")])))
    if "anyOf" in schema:
        return _or(dict.fromkeys(map(described, schema["anyOf"])))
    if "$ref" in schema:
        return WORDS["object"]
    if "format" in schema:
        return f"a {schema['format']}"
    return _or(WORDS[each] for each in _listed(schema)) or "anything"


def _kinds(wanted: str | list[str]) -> set[str]:
    named = {wanted} if isinstance(wanted, str) else set(wanted)
    return named | {"integer"} if "number" in named else named


def _listed(schema: Schema) -> list[str]:
    wanted: str | list[str] = schema.get("type", [])
    return [wanted] if isinstance(wanted, str) else wanted


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _or(words: Any) -> str:
    return " or ".join(words)


def _shown(value: object) -> str:
    if (kind := _kind(value)) in ("array", "object"):
        return WORDS[kind]
    text = (
        "null"
        if value is None
        else repr(value)
        if not isinstance(value, bool)
        else str(value).lower()
    )
    return text if len(text) <= 60 else f"{text[:57]}..."
