"""What people fill in: held against the schema, field by field, as msgspec itself would judge it."""

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct

from holdfast.forms import problems


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Owner(Struct):
    name: str
    age: Annotated[int, Meta(ge=0, le=150)] = 1


class Cat(Struct, tag=True):
    lives: int


class Dog(Struct, tag=True):
    good: bool


class Form(Struct, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1, max_length=5, pattern="^[a-z]+$")]
    owner: Owner
    colour: Colour = Colour.RED
    size: Literal["s", "m"] | None = None
    tags: list[str] = []
    ratio: float = 0.5
    sure: bool = True
    due: Annotated[datetime.datetime, Meta(tz=True)] | None = None
    others: dict[str, Owner] = {}
    pets: list[Cat | Dog] = []


GOOD = {"title": "abc", "owner": {"name": "Al"}}

TABLE: list[tuple[Any, list[str]]] = [
    (GOOD, []),
    ("text", ["$: is a text, not an object"]),
    ({}, ["$.title: is missing; it is a text", "$.owner: is missing; it is an object"]),
    ({**GOOD, "title": "Abcdefg"}, [
        "$.title: has 7 characters, at most 5 are allowed",
        "$.title: is 'Abcdefg', which does not match '^[a-z]+$'",
    ]),
    ({**GOOD, "owner": {"name": 1, "age": -1}}, [
        "$.owner.name: is a whole number, not a text", "$.owner.age: is -1, not at least 0",
    ]),
    ({**GOOD, "owner": {"name": "a", "age": 200}}, ["$.owner.age: is 200, not at most 150"]),
    ({**GOOD, "colour": "green"}, ["$.colour: is 'green', not 'blue' or 'red'"]),
    ({**GOOD, "size": "l"}, ["$.size: is 'l', not 'm' or 's' or null"]),
    ({**GOOD, "tags": ["a", 2]}, ["$.tags[1]: is a whole number, not a text"]),
    ({**GOOD, "tags": "a"}, ["$.tags: is a text, not a list"]),
    ({**GOOD, "ratio": 2}, []),
    ({**GOOD, "ratio": "2"}, ["$.ratio: is a text, not a number"]),
    ({**GOOD, "sure": 1}, ["$.sure: is a whole number, not true or false"]),
    ({**GOOD, "due": "soon"}, [
        "$.due: is 'soon', not a date-time, such as 2030-01-31T12:00:00Z",
    ]),
    ({**GOOD, "others": {"x": {}}}, ["$.others.x.name: is missing; it is a text"]),
    ({**GOOD, "pets": [{"type": "Cat", "lives": 9}, {"type": "Dog", "good": 3}]}, [
        "$.pets[1].good: is a whole number, not true or false",
    ]),
    ({**GOOD, "owner": {"name": "a"}, "extra": 1}, [
        "$.extra: is not one of the fields " + ", ".join(Form.__struct_fields__),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "words"), TABLE)
def test_what_is_wrong_is_told_field_by_field(value: Any, words: list[str]) -> None:
    assert [str(problem) for problem in problems(value, msgspec.json.schema(Form))] == words


KINDS: list[Any] = [
    Form, Owner, Cat | Dog, list[int], dict[str, int], int | None, str, bool, float, Colour,
    Literal[1, 2], tuple[int, str], bytes, uuid.UUID, datetime.date, datetime.time, Decimal, Any,
    Annotated[list[int], Meta(min_length=1, max_length=2)], set[str],
]  # fmt: skip
WORDS = st.sampled_from(["title", "owner", "name", "abc", "red", "type", "Cat", "lives", "s", "1"])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 200) | st.just(0.5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


def fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(value), type=kind)
    except msgspec.ValidationError:
        return False
    return True


@settings(max_examples=150)
@given(PLAIN | st.just(GOOD), st.sampled_from(KINDS))
def test_what_is_found_right_is_what_msgspec_takes(value: Any, kind: Any) -> None:
    """Of a Decimal the schema says only that it is a text or a number."""
    found = problems(value, msgspec.json.schema(kind))

    if fits(value, kind):
        assert found == []
    elif kind is not Decimal:
        assert found != []
