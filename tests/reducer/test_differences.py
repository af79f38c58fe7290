"""Texts beside each other: nothing lost, nothing invented, and no more than what differs."""

import time

from hypothesis import given
from hypothesis import strategies as st

from holdfast.reducer import Pair, aligned, changed_fields
from holdfast.reducer.differences import ALIGNED_LINES
from tests.support.player import raw

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=20)


def rebuilt(pairs: list[Pair], before: list[str], *, side: int) -> list[str]:
    """Put a text together again, what is in the gaps taken from the text before."""
    text: list[str] = []
    at = 0
    for pair in pairs:
        if pair.mood == "gap":
            text += before[at : at + int(pair.a or 0)]
            at += int(pair.a or 0)
            continue
        at += pair.a is not None
        line = pair[side]
        if line is not None:
            text.append(line)
    return text


@given(LINES, LINES, st.integers(0, 3))
def test_both_texts_can_be_read_from_their_alignment(
    before: list[str], after: list[str], context: int
) -> None:
    pairs = [*aligned(before, after, context)]

    assert rebuilt(pairs, before, side=1) == before
    assert rebuilt(pairs, before, side=2) == after
    assert all(pair.a == pair.b for pair in pairs if pair.mood == "same")


@given(LINES, LINES)
def test_only_texts_that_differ_have_changes(before: list[str], after: list[str]) -> None:
    moods = {pair.mood for pair in aligned(before, after)}

    assert ("changed" in moods) == (before != after)


def test_equal_lines_around_a_change_are_few() -> None:
    text = [str(n) for n in range(100)]

    pairs = [*aligned([*text, "old", *text], [*text, "new", *text], context=2)]

    assert [(p.mood, p.a) for p in pairs] == [
        ("gap", "98"), ("same", "98"), ("same", "99"), ("changed", "old"),
        ("same", "0"), ("same", "1"), ("gap", "98"),
    ]  # fmt: skip


def test_texts_of_any_length_are_aligned_in_no_time() -> None:
    before = ["start", *[f"{n % 7}" for n in range(20 * ALIGNED_LINES)], "end"]
    after = ["start", *[f"{n % 5}" for n in range(20 * ALIGNED_LINES)], "end"]

    start = time.process_time()
    pairs = [*aligned(before, after)]

    assert time.process_time() - start < 2
    assert [pair for pair in pairs if pair.mood != "changed"] == [
        Pair("gap", "5", None), Pair("same", "4", "4"), Pair("same", "end", "end"),
    ]  # fmt: skip


def test_the_fields_of_what_was_read_are_compared() -> None:
    before, after = raw({"prompt": "x", "model": "m", "old": 1}), raw({"prompt": "y", "model": "m"})

    assert changed_fields(before, after) == [("prompt", "x", "y"), ("old", 1, None)]
    assert changed_fields(raw([1]), raw([1])) == []
    assert changed_fields(raw([1]), raw([2])) == [("reads", [1], [2])]
