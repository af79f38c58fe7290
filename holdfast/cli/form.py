"""A form on the terminal, made of a JSON Schema: each field is asked for until it fits."""

from collections.abc import Mapping
from typing import Any

import click
import msgspec

from holdfast.forms import Schema, described, problems, resolved

from .words import one_line

NONE_GIVEN: Any = object()
SCALARS = {"string", "integer", "number"}


def fill_in(form: Schema) -> Any:
    """Ask for a value that fits a schema."""
    return _Form(form).ask(form, "answer")


def outline(form: Schema) -> str:
    """Say in one line what a schema wants: its fields, or its kind."""
    schema = resolved(form, form)
    fields: Mapping[str, Schema] = schema.get("properties", {})
    if not fields:
        return described(schema)
    told = (f"{name}: {described(resolved(field, form))}" for name, field in fields.items())
    return one_line(", ".join(told), 400)


class _Form:
    """Asks for values of the schemas within one form."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def ask(self, part: Schema, name: str, default: Any = NONE_GIVEN) -> Any:
        """Ask for a value in the way that suits its schema; Enter takes a default."""
        schema = resolved(part, self._root)
        plain = [s for s in self._choices(schema) if s.get("type") != "null"]
        if len(plain) == 1:
            return self._nullable(plain[0], name, default)
        if "enum" in schema:
            return _choice(schema, name, default)
        match schema.get("type"):
            case "boolean":
                given = None if default is NONE_GIVEN else default
                return click.confirm(name, default=given, err=True)
            case "object" if "properties" in schema and default is NONE_GIVEN:
                return self._object(schema, name)
            case "array" if "prefixItems" not in schema:
                return self._list(schema, name, default)
            case _:
                return self._line(schema, name, default)

    def _choices(self, schema: Schema) -> list[Schema]:
        return [resolved(each, self._root) for each in schema.get("anyOf", [])]

    def _nullable(self, schema: Schema, name: str, default: Any) -> Any:
        if schema.get("type") in SCALARS and "enum" not in schema:
            return self._line(schema, name, None if default is NONE_GIVEN else default)
        if not click.confirm(f"{name}: fill it in", default=False, err=True):
            return None if default is NONE_GIVEN else default
        return self.ask(schema, name)

    def _object(self, schema: Schema, name: str) -> dict[str, Any]:
        if about := schema.get("description"):
            click.echo(click.style(one_line(about), dim=True), err=True)
        prefix = "" if name == "answer" else f"{name}."
        found: dict[str, Any] = {}
        for field, part in schema["properties"].items():
            if "enum" in part and len(part["enum"]) == 1:
                found[field] = part["enum"][0]  # the tag that tells one of several types
            else:
                found[field] = self.ask(part, prefix + field, part.get("default", NONE_GIVEN))
        return found

    def _list(self, schema: Schema, name: str, default: Any) -> list[Any]:
        items = schema.get("items", {})
        while True:
            found = self._items(items, name)
            if not found and default is not NONE_GIVEN:
                return list(default)
            if self._fits(found, schema):
                return found

    def _items(self, part: Schema, name: str) -> list[Any]:
        schema, found = resolved(part, self._root), list[Any]()
        if schema.get("type") in SCALARS and "enum" not in schema:
            click.echo(f"{name}: one a line, an empty line ends them", err=True)
            while (
                item := self._line(schema, f"{name}[{len(found)}]", NONE_GIVEN, ends=True)
            ) != "":
                found.append(item)
            return found
        while click.confirm(f"{name}: {'another' if found else 'one'}", default=False, err=True):
            found.append(self.ask(part, f"{name}[{len(found)}]"))
        return found

    def _line(self, schema: Schema, name: str, default: Any, *, ends: bool = False) -> Any:
        shown = "" if default is NONE_GIVEN else f" [{one_line(_json(default), 60)}]"
        while True:
            text = click.prompt(
                f"{name} ({described(schema)}){shown}", default="", show_default=False, err=True
            )
            if text == "" and ends:
                return ""
            value = default if text == "" and shown else _value(text, schema)
            if (text == "" and shown) or self._fits(value, schema):
                return value

    def _fits(self, value: Any, schema: Schema) -> bool:
        wrong = problems(value, {**schema, "$defs": self._root.get("$defs", {})})
        for problem in wrong:
            click.echo(f"  {problem.where.removeprefix('$')} {problem.why}", err=True)
        return not wrong


def _choice(schema: Schema, name: str, default: Any) -> Any:
    allowed = {str(value): value for value in schema["enum"]}
    given = None if default is NONE_GIVEN else str(default)
    return allowed[click.prompt(name, type=click.Choice(list(allowed)), default=given, err=True)]


def _value(text: str, schema: Schema) -> Any:
    """Return what was typed: a text where one is wanted, else JSON where it is any."""
    if schema.get("type") == "string":
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _json(value: Any) -> str:
    return value if isinstance(value, str) and value else msgspec.json.encode(value).decode()
