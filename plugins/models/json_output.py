"""Typed answers: a schema that every provider takes, and the data in what a model said."""

import json
import re
from collections.abc import Iterable
from typing import Any, cast

Schema = dict[str, Any]
Parts = Iterable[Any]
# Words that strict providers refuse, and that say nothing about what is valid.
NOISE = {"default", "discriminator"}
FENCE = re.compile(r"```[\w-]*\s*\n(.*?)```", re.DOTALL)


def response_format(schema: Schema) -> Schema:
    """Ask for this schema in the way of the OpenAI protocol, which litellm translates."""
    asked = wire_schema(schema)
    form = {"name": "answer", "schema": asked, "strict": is_strict(asked)}
    return {"type": "json_schema", "json_schema": form}


def in_words(schema: Schema) -> str:
    """Ask for this schema where the provider has no way of its own."""
    return (
        "Answer with one JSON document and nothing else. It has to fit this JSON Schema:\n"
        + json.dumps(wire_schema(schema))
    )


def wire_schema(schema: Schema) -> Schema:
    """Close every object and ask for every field: providers promise more for such schemas.

    They also want an object at the top, so that anything else is put into one.
    """
    whole = _tightened(schema)
    definitions: Schema = whole.pop("$defs", {})
    root = _resolved(whole, definitions)
    if root.get("type") != "object":
        root = _closed({"type": "object", "properties": {"value": root}})
    text = json.dumps([root, definitions])
    used = {name: part for name, part in definitions.items() if f'"#/$defs/{name}"' in text}
    return root | ({"$defs": used} if used else {})


def is_strict(schema: Any) -> bool:
    """Whether every object is closed, which a mapping with free keys cannot be."""
    if isinstance(schema, list):
        return all(map(is_strict, cast(Parts, schema)))
    if not isinstance(schema, dict):
        return True
    node = cast(Schema, schema)
    opened = node.get("type") == "object" and node.get("additionalProperties") is not False
    return not opened and all(is_strict(part) for part in node.values())


def parse(text: str, schema: Schema) -> Any:
    """Return the data in a model's text, all of it JSON or in a fenced block; else ValueError."""
    try:
        data = json.loads(text)
    except ValueError:
        blocks = FENCE.findall(text)
        if not blocks:
            raise
        data = json.loads(blocks[-1])
    return unwrapped(data, schema)


def unwrapped(data: Any, schema: Schema) -> Any:
    """Take data out of the object that `wire_schema` put it into."""
    root = _resolved(schema, schema.get("$defs", {}))
    match data:
        case {"value": inner, **others} if not others and root.get("type") != "object":
            return inner
        case _:
            return data


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    found: Schema = definitions.get(reference, schema)
    return found


def _tightened(schema: Any) -> Any:
    if isinstance(schema, list):
        return [*map(_tightened, cast(Parts, schema))]
    if not isinstance(schema, dict):
        return schema
    node = {key: part for key, part in cast(Schema, schema).items() if key not in NOISE}
    for key, part in node.items():
        if key in ("properties", "$defs"):  # the keys in there are names, not words of a schema
            node[key] = {name: _tightened(inner) for name, inner in part.items()}
        elif key not in ("enum", "const", "examples"):
            node[key] = _tightened(part)
    return _closed(node) if "properties" in node else node


def _closed(node: Schema) -> Schema:
    return node | {"required": list(node["properties"]), "additionalProperties": False}
