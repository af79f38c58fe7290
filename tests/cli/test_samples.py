"""Samples that dry runs make of types."""

import dataclasses
import datetime
import enum
import typing
import uuid
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from holdfast.dryrun.sampling import NoSample, Taste, sample


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Node(Struct):
    name: str
    children: list["Node"] = []
    above: "Node | None" = None


class Left(Struct, tag="left"):
    size: int


class Right(Struct, tag="right", array_like=True):
    size: int


class Endless(Struct):
    inner: "Endless"


class Named(Struct, rename="camel"):
    first_name: str


@dataclasses.dataclass
class Point:
    x: int
    y: float = 2.0


class Row(typing.NamedTuple):
    a: str
    b: bool


class Options(typing.TypedDict):
    deep: bool
    more: typing.NotRequired[int]


class Picky(Struct):
    even: int

    def __post_init__(self) -> None:
        if self.even % 2:
            raise ValueError("it has to be even")


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (str, "<x>"),
        (int, 1),
        (float, 1.0),
        (bool, True),
        (None, None),
        (Any, None),
        (bytes, b"sample"),
        (datetime.timedelta, datetime.timedelta(hours=1)),
        (uuid.UUID, uuid.UUID("00000000-0000-4000-8000-000000000000")),
        (Literal["go", "end"], "go"),
        (Colour, Colour.RED),
        (int | None, 1),
        (None | Literal["b", "a"], "b"),
        (list[str], ["<x>"]),
        (set[int], {1}),
        (tuple[str, ...], ("<x>",)),
        (tuple[str, int], ("<x>", 1)),
        (dict[str, list[int]], {"<key>": [1]}),
        (Annotated[int, Meta(ge=5, le=9)], 5),
        (Annotated[int, Meta(gt=5, multiple_of=4)], 8),
        (Annotated[float, Meta(lt=0.5)], pytest.approx(0.499999)),
        (Annotated[str, Meta(min_length=5)], "<x>.."),
        (Annotated[str, Meta(max_length=2)], "<x"),
        (Annotated[list[str], Meta(min_length=2)], ["<x>", "<x> 2"]),
        (Node, Node("<name>")),
        (Named, Named("<firstName>")),
        (Point, Point(1)),
        (Row, Row("<a>", True)),
        (Options, {"deep": True}),
        (Left | None, Left(1)),
        (Right, Right(1)),
    ],
)
def test_a_sample_fits_its_type(type_: Any, value: Any) -> None:
    found = sample(type_, "x", Taste())

    assert found == value
    assert type_ is Any or msgspec.convert(msgspec.to_builtins(found), type_) == found


@pytest.mark.parametrize(
    ("type_", "why"),
    [
        (Annotated[str, Meta(pattern="^a$")], "has to match"),
        (Endless, "without an end"),
        (Picky, "it has to be even"),
        (object, "Struct"),
        (list["Nobody"], "Nobody"),  # type: ignore[name-defined]  # noqa: F821
    ],
)
def test_a_type_without_a_sample_says_why(type_: Any, why: str) -> None:
    with pytest.raises(NoSample, match=why):
        sample(type_, "x", Taste())


def test_tastes_choose_other_samples() -> None:
    assert sample(list[str], "x", Taste(items=0)) == []
    assert sample(Literal["go", "end"], "x", Taste(high=True)) == "end"
    assert sample(Annotated[int, Meta(le=10)], "x", Taste(high=True)) == 10
    assert sample(bool, "x", Taste(booleans=False)) is False
