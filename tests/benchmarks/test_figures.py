"""A figure that misses its target is marked; nothing here measures."""

import pytest

from benchmarks.figures import Figure, Target, at_least, at_most, number, ratios, table


@pytest.mark.parametrize(
    ("samples", "target", "missed"),
    [
        ([1.0, 2.0, 9.0], at_least(2), False),
        ([1.0, 2.0, 9.0], at_least(2.1), True),
        ([1.0, 2.0, 9.0], at_most(2), False),
        ([1.0, 2.0, 9.0], at_most(1.9), True),
        ([5.0], None, False),
    ],
)
def test_the_median_is_held_against_the_target(
    samples: list[float], target: Target | None, missed: bool
) -> None:
    assert Figure("f", "s", samples, target).is_missed is missed


def test_ratios_are_taken_pair_by_pair() -> None:
    figure = ratios("r", [10.0, 1.0, 6.0], [5.0, 1.0, 2.0], at_least(2))

    assert figure.samples == [2.0, 1.0, 3.0]
    assert not figure.is_missed


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345.6, "12,346"), (99.994, "99.99"), (1.5, "1.5"), (0.0414, "0.041"), (2.0, "2")],
)
def test_numbers_show_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_the_table_marks_what_was_missed_and_shows_the_range() -> None:
    lines = table(
        [Figure("fast", "s", [1.0, 3.0, 2.0], at_most(2)), Figure("slow", "s", [9.0], at_most(2))]
    ).splitlines()

    assert lines[1].split() == ["fast", "2", "s", "1", "-", "3", "3", "<=", "2"]
    assert lines[2].split() == ["slow", "9", "s", "9", "-", "9", "1", "<=", "2", "MISSED"]
