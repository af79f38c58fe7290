"""The narrow form of a JSON Schema asks for no less than msgspec will check."""

from typing import Any, Literal

import msgspec
import pytest

from holdfast.plugins.agents.strict import strict_schema


class Comment(msgspec.Struct):
    line: int
    text: str = ""


class Review(msgspec.Struct):
    verdict: Literal["good", "bad"]
    comments: list[Comment] = []
    by: str | None = None


class Cat(msgspec.Struct, tag=True):
    name: str


class Dog(msgspec.Struct, tag=True):
    name: str


class Owner(msgspec.Struct):
    pet: Cat | Dog


class Free(msgspec.Struct):
    anything: dict[str, Any]


def test_every_property_is_required_and_no_other_is_allowed() -> None:
    schema = strict_schema(msgspec.json.schema(Review))

    assert schema is not None
    comment = schema["$defs"]["Comment"]
    assert schema["type"] == "object"
    for each in (schema, comment):
        assert each["required"] == list(each["properties"])
        assert each["additionalProperties"] is False
    assert "default" not in str(schema)


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    plain = {"type": "object", "properties": {"default": {"type": "string"}}}

    schema = strict_schema(plain)

    assert schema is not None
    assert schema["required"] == ["default"]


@pytest.mark.parametrize(
    "kind", [list[int], str, dict[str, int], Free, Owner, Cat | Dog, tuple[int, str]]
)
def test_what_it_has_no_words_for_is_left_to_words(kind: Any) -> None:
    assert strict_schema(msgspec.json.schema(kind)) is None
