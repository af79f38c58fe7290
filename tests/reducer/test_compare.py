"""What differs between two histories: all of it, nothing else, and the same from either side."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import (
    AnyEvent,
    ApprovalDecided,
    ApprovalRequested,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    Failure,
    LoopExhausted,
    Noted,
    Record,
    RunStarted,
    RunSucceeded,
    SignalAwaited,
    SignalReceived,
    StepFailed,
    StepReused,
    StepStarted,
    StepSucceeded,
    TimerFired,
    TimerSet,
    Usage,
)
from holdfast.reducer import Change, Comparison, Difference, Side, compare, named, side_of
from tests.support.player import raw

KEYS = st.sampled_from(["a", "b", "c", "d"])
SMALL = st.integers(0, 1)
EVENTS: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(lambda n: RunStarted("r", "w", code=bytes([n]), input=raw(n)), SMALL),
    st.builds(
        lambda key, n, code: StepStarted(key, "model", bytes([n]), raw({"p": n}), bytes([code])),
        KEYS, SMALL, SMALL,
    ),
    st.builds(
        lambda key, n, cost, tree: StepSucceeded(
            key, raw(n), 1, float(cost), Usage(cost_usd=cost), snapshot=bytes([tree])
        ),
        KEYS, SMALL, SMALL, SMALL,
    ),
    st.builds(lambda key, n: StepFailed(key, Failure("c", str(n)), n), KEYS, SMALL),
    st.builds(lambda key, n: StepReused(key, "shell", bytes([n]), "o", result=raw(n)), KEYS, SMALL),
    st.builds(DoubtRaised, KEYS),
    st.builds(lambda key, n: ApprovalRequested(key, raw(n), bytes([n])), KEYS, SMALL),
    st.builds(ApprovalDecided, KEYS, st.booleans(), st.sampled_from(["ada", "bob"])),
    st.builds(lambda key: TimerSet(key, 9), KEYS),
    st.builds(TimerFired, KEYS),
    st.builds(SignalAwaited, KEYS, st.just("go")),
    st.builds(lambda n: SignalReceived("go", raw(n)), SMALL),
    st.builds(lambda key, n: ChildStarted(key, f"r/{key}", bytes([n])), KEYS, SMALL),
    st.builds(lambda key, n: ChildFinished(key, "r", "succeeded", raw(n)), KEYS, SMALL),
    st.builds(LoopExhausted, KEYS, SMALL),
    st.builds(lambda key, n: Noted(key, str(n)), KEYS, SMALL),
    st.builds(lambda n: RunSucceeded(raw(n)), SMALL),
)  # fmt: skip
HISTORIES = st.lists(EVENTS, max_size=14)
PLACES = {
    "offset", "started", "finished", "begun", "ended", "last", "opened", "since", "time", "until", "tree",
    "failures", "reused", "origin", "session", "transcript", "not_before", "run", "resolved",
}  # fmt: skip


def side(events: Sequence[AnyEvent], start: int = 0) -> Side:
    return side_of(
        Record(n, 1, n - start, 100 + n, "t", 1, event) for n, event in enumerate(events, start)
    )


def essence(value: Any) -> Any:
    """What is left of a part of a state without when and where it happened."""
    if isinstance(value, msgspec.Struct):
        fields = [(name, essence(getattr(value, name))) for name in value.__struct_fields__]
        return type(value).__name__, [(n, v) for n, v in fields if n not in PLACES]
    if isinstance(value, tuple):
        return [essence(item) for item in value]
    return bytes(value) if isinstance(value, msgspec.Raw) else value


def known(side: Side, key: str) -> Any:
    state = side.state
    maps = (state.steps, state.gates, state.children, state.received)
    parts = [essence(part.get(key)) for part in maps]
    is_open = key not in state.received and (key in state.timers or key in state.waits)
    is_over = not is_open and (key in state.received or key in state.passed)
    mark = essence(side.marks.get(key)) if key in state.passed else None
    return [*parts, is_open, is_over, mark]


def keys(side: Side) -> set[str]:
    return {key for key in "abcd" if any(known(side, key))}


def swapped(change: Change) -> Change:
    return Change(change.what, change.b, change.a, change.matters)


def mirrored(item: Difference) -> Difference:
    where = {"a": "b", "b": "a"}.get(item.where, "both")
    changes = tuple(map(swapped, item.changes))
    kind = item.kind
    return Difference(item.key, kind, where, item.b, item.a, changes)  # type: ignore[arg-type]


@given(HISTORIES)
def test_nothing_differs_from_itself(events: list[AnyEvent]) -> None:
    later = side(events, start=0)

    found = compare(side(events), later)

    assert (found.run, found.items, found.equal, found.first) == ((), (), True, None)


@settings(max_examples=200)
@given(HISTORIES, HISTORIES, HISTORIES)
def test_every_key_that_differs_is_reported_and_no_other(
    both: list[AnyEvent], one: list[AnyEvent], other: list[AnyEvent]
) -> None:
    a, b = side([*both, *one]), side([*both, *other])

    found = compare(a, b)

    differing = {key for key in "abcd" if known(a, key) != known(b, key)}
    assert {item.key for item in found.items} == differing
    assert found.same == len(keys(a) | keys(b)) - len(differing)
    for item in found.items:
        there = {"a": keys(a) - keys(b), "b": keys(b) - keys(a), "both": keys(a) & keys(b)}
        assert item.key in there[item.where]


@given(HISTORIES, HISTORIES)
def test_from_the_other_side_it_is_the_same_swapped(
    one: list[AnyEvent], other: list[AnyEvent]
) -> None:
    a, b = side(one), side(other)

    found, back = compare(a, b), compare(b, a)

    def plain(items: Sequence[Difference]) -> list[Any]:
        return [(i.key, i.where, i.a, i.b, i.changes) for i in items]

    assert plain([mirrored(item) for item in back.items]) == plain(found.items)
    assert tuple(map(swapped, back.run)) == found.run
    assert (back.equal, back.same) == (found.equal, found.same)


def ran(key: str, result: Any = 1, reads: Any = None, **more: Any) -> list[AnyEvent]:
    read = raw(reads or {"prompt": key})
    return [
        StepStarted(key, "model", bytes(read), read),
        StepSucceeded(key, raw(result), **more),
    ]


def shell(code: int, stdout: str, seconds: float = 0.5) -> list[AnyEvent]:
    result = raw({"code": code, "stdout": stdout, "stderr": "", "seconds": seconds})
    return [StepStarted("k", "shell", b"f"), StepSucceeded("k", result, seconds=seconds)]


def found_in(a: list[AnyEvent], b: list[AnyEvent]) -> Comparison:
    return compare(side(a), side(b))


def test_the_first_divergence_is_the_earliest_in_the_order_of_the_program() -> None:
    one = [*ran("plan"), *ran("z"), *ran("test"), *ran("report")]
    other = [*ran("plan"), *ran("y"), *ran("a"), *ran("test", 2), *ran("report", 3)]

    found = found_in(one, other)

    assert [(i.key, i.where) for i in found.items] == [
        ("y", "b"), ("a", "b"), ("z", "a"), ("test", "both"), ("report", "both"),
    ]  # fmt: skip
    assert found.first is not None
    assert found.first.key == "y"
    assert found.same == 1


def test_a_signal_that_was_received_otherwise_comes_where_it_was_awaited() -> None:
    def history(word: str) -> list[AnyEvent]:
        asked: list[AnyEvent] = [SignalAwaited("news", "go"), SignalReceived("go", raw(word))]
        return [*ran("a"), *asked, *ran("b", word)]

    found = found_in(history("yes"), history("no"))

    assert [(item.key, item.a) for item in found.items] == [("news", 2), ("b", 4)]


def test_what_a_step_took_is_told_and_makes_no_difference() -> None:
    cheap = ran("a", usage=Usage(1, 2, 0, 0.1), seconds=1.0)
    dear = ran("a", usage=Usage(9, 2, 0, 0.9), seconds=3.0)

    found = found_in(cheap, dear)

    assert found.equal
    [item] = found.items
    assert [c.what for c in item.changes] == ["seconds", "input_tokens", "cost_usd"]
    assert not item.matters


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (ran("k"), ran("k", 2), ["result"]),
        (ran("k"), ran("k", reads={"prompt": "x"}), ["reads"]),
        (ran("k"), ran("k", snapshot=b"t"), ["files"]),
        (ran("k"), [ran("k")[0], StepFailed("k", Failure("c", "m"))], ["status", "error", "result"]),
        (shell(0, "a"), shell(1, "b"), ["exit status", "stdout"]),
        (shell(0, "a"), ran("k", seconds=0.5), ["kind", "reads", "result"]),
        ([ApprovalRequested("k", raw(1), b"1")], [ApprovalRequested("k", raw(2), b"2")], ["subject"]),
        (
            [ApprovalRequested("k"), ApprovalDecided("k", True, "ada")],
            [ApprovalRequested("k"), ApprovalDecided("k", False, "bob", note="no")],
            ["decision", "decided by", "note"],
        ),
        ([LoopExhausted("k", 3)], [LoopExhausted("k", 5)], ["ceiling"]),
        ([Noted("k", "x")], [LoopExhausted("k", 5)], ["mark"]),
        ([Noted("k", "x")], [Noted("k", "y", raw(1))], ["text", "data"]),
        ([TimerSet("k", 5)], [TimerSet("k", 5), TimerFired("k")], ["wait"]),
        ([ChildStarted("k", "r/k", b"1")], [ChildStarted("k", "f/k", b"2")], ["asks"]),
        (ran("k"), [ApprovalRequested("k")], ["step", "gate"]),
        ([ChildStarted("k", "r/k")], ran("k"), ["step", "child"]),
    ],
)  # fmt: skip
def test_each_thing_that_changes_has_its_name(
    one: list[AnyEvent], other: list[AnyEvent], what: list[str]
) -> None:
    [item] = found_in(one, other).items

    assert [change.what for change in item.changes] == what
    assert item.matters


def test_the_time_that_a_command_took_makes_no_difference() -> None:
    found = found_in(shell(0, "a", 0.5), shell(0, "a", 0.7))

    assert found.equal
    assert [change.what for change in found.items[0].changes] == ["seconds"]


def test_what_differs_of_the_runs_themselves_is_told() -> None:
    started = RunStarted("r", "w", code=b"1", input=raw(1))
    one: list[AnyEvent] = [started, SignalReceived("go"), RunSucceeded()]

    found = found_in(one, [RunStarted("f", "w", code=b"2", input=raw(2))])

    assert [change.what for change in found.run] == ["code", "input", "status", "signals"]
    assert not found.equal
    assert found.first is None


def test_what_a_step_reads_is_told_by_its_fields() -> None:
    a, b = raw({"prompt": "x", "model": "m"}), raw({"prompt": "y", "model": "m"})

    assert named(Change("reads", a, b), bytes) == [Change("prompt", "x", "y")]
    assert named(Change("reads", a, a), bytes) == [Change("type of the output")]
    assert named(Change("reads", raw(1), raw(2)), bytes) == [Change("reads", 1, 2)]
    assert named(Change("result", a, b), bytes) == [Change("result", a, b)]


def test_two_runs_of_thousands_of_steps_are_compared_in_no_time() -> None:
    one = side([event for n in range(5000) for event in ran(f"s{n}")])
    other = side([event for n in range(5000) for event in ran(f"s{n}", n)])

    start = time.process_time()
    found = compare(one, other)

    assert time.process_time() - start < 1
    assert (len(found.items), found.same) == (4999, 1)
