"""A JSON Schema in the narrow form that providers enforce while the model writes its answer."""

from typing import Any, cast

Schema = dict[str, Any]

# What the narrow form has no words for. Leaving it out loosens the schema: whoever asked checks.
_DROPPED = {"default", "minLength", "maxLength", "uniqueItems", "contentEncoding"}
_IMPOSSIBLE = {"prefixItems", "patternProperties", "discriminator", "allOf", "not", "if"}


def strict_schema(schema: Schema) -> Schema | None:
    """Return the schema with every property required and no others, or None where that is impossible.

    Impossible are roots that are not objects, mappings with free keys, tuples and tagged unions.
    """
    definitions = cast(dict[str, Schema], schema.get("$defs", {}))
    root = {name: value for name, value in schema.items() if name != "$defs"}
    if "$ref" in root:
        root = definitions[root["$ref"].removeprefix("#/$defs/")]
    if "properties" not in root:
        return None
    try:
        narrowed = cast(Schema, _narrow(root))
        if definitions:
            narrowed["$defs"] = {name: _narrow(each) for name, each in definitions.items()}
    except _Inexpressible:
        return None
    return narrowed


class _Inexpressible(Exception):
    """The schema says something for which the narrow form has no words."""


def _narrow(value: Any) -> Any:
    match value:
        case [*items]:
            return [_narrow(each) for each in items]
        case {}:
            return _narrow_schema(cast(Schema, value))
        case _:
            return value


def _narrow_schema(schema: Schema) -> Schema:
    if _IMPOSSIBLE & schema.keys() or not schema:
        raise _Inexpressible
    narrowed = {key: _narrow(each) for key, each in schema.items() if _is_kept(key)}
    if "properties" in schema:
        properties = cast(Schema, schema["properties"])
        narrowed["properties"] = {name: _narrow(each) for name, each in properties.items()}
        narrowed |= {"required": list(properties), "additionalProperties": False}
    elif schema.get("type") == "object" or "additionalProperties" in schema:
        raise _Inexpressible
    return narrowed


def _is_kept(keyword: str) -> bool:
    return keyword not in _DROPPED | {"properties", "required", "additionalProperties"}
