"""Small pieces of text."""

import msgspec
import pytest

from holdfast.cli.values import encoded
from holdfast.cli.view import text_of
from holdfast.cli.words import duration, money, one_line, rfc3339, table


def test_a_moment_is_written_with_all_its_nanoseconds() -> None:
    assert rfc3339(1_800_000_000_000_000_001) == "2027-01-15T08:00:00.000000001Z"
    assert rfc3339(0) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (3_660, "1 h 1 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_money_that_was_not_spent_is_not_mentioned() -> None:
    assert [money(0), money(0.0042), money(1.5)] == ["", "$0.0042", "$1.50"]


def test_a_line_holds_nothing_that_steers_a_terminal() -> None:
    assert one_line("a\n\x1b[31mred\x1b[0m\tb\x07") == "a red b?"
    assert one_line("x" * 20, 10) == "xxxxxxx..."


def test_a_table_lines_its_columns_up() -> None:
    assert table(["A", "B"], [["long", "x"], ["s", ""]]).splitlines()[1:] == ["long  x", "s"]


def test_json_has_a_word_for_everything_that_can_be_recorded() -> None:
    value = {1: b"x", "ext": msgspec.msgpack.Ext(5, b"\xff"), "nan": float("nan"), None: [()]}

    assert msgspec.json.decode(encoded(value)) == {
        "1": "eA==", "ext": {"ext": 5, "data": "ff"}, "nan": None, "None": [[]],
    }  # fmt: skip


def test_data_is_shown_one_thing_a_line() -> None:
    assert text_of({"a": "x\ny\n", "b": 1, "c": ["p", {"q": 2}], "d": []}) == (
        "a:\n  x\n  y\nb: 1\nc:\n  - p\n  - q: 2\nd:\n  []"
    )
