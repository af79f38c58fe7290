"""Schemas that strict providers take, and the data in what a model says."""

from typing import Any

import msgspec
import pytest

from holdfast.plugins.models.json_output import in_words, is_strict, parse, response_format


class Small(msgspec.Struct, tag=True):
    size: int = 1


class Large(msgspec.Struct, tag=True):
    note: str | None = None


class Order(msgspec.Struct):
    items: list[Small | Large] = []
    default: str = ""  # a field may be called like a word of JSON Schema


class Tree(msgspec.Struct):
    children: list["Tree"] = []


def wire(type_: Any) -> dict[str, Any]:
    form = response_format(msgspec.json.schema(type_))["json_schema"]
    schema: dict[str, Any] = form["schema"]
    assert form["strict"] == is_strict(schema)
    return schema


def test_every_object_is_closed_and_every_field_asked_for() -> None:
    schema = wire(Order)

    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["items", "default"]
    assert schema["$defs"]["Small"]["required"] == ["type", "size"]
    assert "discriminator" not in schema["properties"]["items"]["items"]
    assert "default" not in schema["properties"]["items"]
    assert is_strict(schema)


def test_definitions_stay_only_where_something_points_at_them() -> None:
    assert "Order" not in wire(Order)["$defs"]
    assert "Tree" in wire(Tree)["$defs"]


@pytest.mark.parametrize("type_", [list[str], int, Small | Large, str | None])
def test_what_is_no_object_is_put_into_one(type_: Any) -> None:
    schema = wire(type_)

    assert schema["type"] == "object"
    assert schema["required"] == ["value"]


def test_a_mapping_with_free_keys_is_not_strict() -> None:
    assert not is_strict(wire(dict[str, int]))


@pytest.mark.parametrize(
    "text",
    [
        '{"value": [1, 2]}',
        "[1, 2]",
        "Two:\n```json\n[1, 2]\n```",
        "```\n[0]\n```\nno:\n```\n[1, 2]\n```",
    ],
)
def test_the_data_is_found(text: str) -> None:
    assert parse(text, msgspec.json.schema(list[int])) == [1, 2]


def test_an_object_is_never_unwrapped() -> None:
    class Priced(msgspec.Struct):
        value: int

    assert parse('{"value": 3}', msgspec.json.schema(Priced)) == {"value": 3}


@pytest.mark.parametrize("text", ["", "no", "```json\nno\n```", '{"a": '])
def test_what_is_no_json_raises_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="Expecting"):
        parse(text, {})


def test_a_provider_without_schemas_is_told_in_words() -> None:
    assert '"required": ["items", "default"]' in in_words(msgspec.json.schema(Order))
