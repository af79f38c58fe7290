"""A persistent map behaves as copies of a dict would, whichever version is used next."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from holdfast.reducer.pmap import PMap

KEYS = st.sampled_from("abcd")
Version = tuple[PMap[int], dict[str, int]]


class Versions(RuleBasedStateMachine):
    """Keeps every version alive beside a copy, and goes on from any of them."""

    versions = Bundle("versions")

    @rule(target=versions, items=st.dictionaries(KEYS, st.integers(), max_size=3))
    def begin(self, items: dict[str, int]) -> Version:
        return PMap(items), dict(items)

    @rule(target=versions, version=versions, key=KEYS, value=st.integers())
    def set(self, version: Version, key: str, value: int) -> Version:
        made, copy = version
        return made.set(key, value), {**copy, key: value}

    @rule(target=versions, version=versions, key=KEYS)
    def delete(self, version: Version, key: str) -> Version:
        made, copy = version
        return made.delete(key), {name: copy[name] for name in copy if name != key}

    @rule(version=versions, key=KEYS)
    def look(self, version: Version, key: str) -> None:
        made, copy = version
        assert made.get(key) == copy.get(key)
        assert (key in made) == (key in copy)

    @rule(version=versions)
    def read(self, version: Version) -> None:
        made, copy = version
        assert dict(made.items()) == copy
        assert len(made) == len(copy)
        assert sorted(made) == sorted(copy)
        assert sorted(made.values()) == sorted(copy.values())

    @rule(one=versions, other=versions)
    def compare(self, one: Version, other: Version) -> None:
        assert (one[0] == other[0]) == (one[1] == other[1])


TestVersions = Versions.TestCase
TestVersions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_newest_version_costs_a_dict_however_many_there_were() -> None:
    newest: PMap[int] = PMap()
    versions: list[PMap[int]] = []
    for number in range(5000):
        versions.append(newest)
        newest = newest.set(str(number % 7), number)

    # what a version costs shows in nothing public
    assert newest._items is not None, "the newest version owns the dict"  # pyright: ignore[reportPrivateUsage]
    assert all(version._items is None for version in versions)  # pyright: ignore[reportPrivateUsage]
    assert len(versions[3]) == 3, "the way back is as long as it is, and no recursion"
    assert newest["3"] == 4994


def test_a_map_keeps_the_order_of_insertion_going_forwards() -> None:
    made = PMap({"b": 1}).set("a", 2).set("b", 3).delete("b").set("b", 4)

    assert made.items() == [("a", 2), ("b", 4)]


def test_a_missing_key_is_told() -> None:
    with pytest.raises(KeyError, match="gone"):
        PMap({"here": 1})["gone"]


def test_deleting_what_is_absent_changes_nothing() -> None:
    made = PMap({"here": 1})

    assert made.delete("gone") is made


def test_it_does_not_follow_the_dict_that_it_was_made_of() -> None:
    items: dict[str, Any] = {"a": 1}
    made = PMap(items)
    items["a"] = 2

    assert repr(made) == "PMap({'a': 1})"


@given(st.dictionaries(KEYS, st.integers()))
def test_it_is_equal_to_no_dict_and_cannot_be_hashed(items: Mapping[str, int]) -> None:
    assert PMap(items) != items
    with pytest.raises(TypeError, match="unhashable"):
        hash(PMap(items))
