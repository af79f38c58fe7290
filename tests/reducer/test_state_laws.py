"""Laws of the state, over histories of events that make sense and of events that make none."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import AnyEvent, Log, Record
from holdfast.reducer import ENDED, State, reduce, replay
from holdfast.reducer.pmap import PMap
from tests.support.any_event import EVENTS, INTEGERS
from tests.support.player import Player
from tests.support.programs import PROGRAMS, Program, generic, play_out

NONSENSE = st.lists(st.tuples(EVENTS, INTEGERS), max_size=15).map(
    lambda pairs: [Record(n, 1, n, time, "t", 1, e) for n, (e, time) in enumerate(pairs)]
)


def history(program: Program, seed: int) -> list[Record]:
    player = play_out(Player(generic, {"program": program}), random.Random(seed))
    player.driver.close()
    return player.records


def exactly(value: Any) -> Any:
    """Return a state as what can be compared where a NaN is not equal to itself."""
    match value:
        case msgspec.Raw():
            return bytes(value)
        case msgspec.Struct():
            return [exactly(getattr(value, name)) for name in value.__struct_fields__]
        case PMap():
            return {key: exactly(item) for key, item in value.items()}
        case tuple():
            return [exactly(item) for item in value]
        case _:
            return repr(value)


REAL = st.builds(history, PROGRAMS, st.integers(0, 2**32))


@settings(max_examples=100)
@given(NONSENSE)
def test_events_of_any_values_in_any_order_have_a_meaning(records: list[Record]) -> None:
    state = State()
    for record in records:
        before, state = state, reduce(state, record.event, record.time)
        assert (state.offset, state.now) == (before.offset + 1, max(before.now, record.time))
    assert exactly(replay(records)) == exactly(state)


@settings(max_examples=25)
@given(REAL)
def test_every_beginning_of_a_real_history_is_a_state_that_holds_together(
    records: list[Record],
) -> None:
    for length in range(len(records) + 1):
        state = replay(records[:length])
        assert state.offset == length
        assert all(step.offset < length and step.attempt >= 1 for step in state.steps.values())
        assert all(gate.offset < length for gate in state.open_gates)
        assert not (state.status in ENDED and state.waiting)
        assert len(state.steps) == len({step.key for step in state.steps.values()})


@settings(max_examples=25)
@given(NONSENSE | REAL, st.data())
def test_replay_of_two_parts_is_the_second_folded_over_the_first(
    records: list[Record], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(records)))

    folded = replay(records[:cut])
    for record in records[cut:]:
        folded = reduce(folded, record.event, record.time)

    assert exactly(folded) == exactly(replay(records))
    assert exactly(folded) == exactly(replay(records[cut:], replay(records[:cut])))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    folder: Path = tmp_path_factory.mktemp("laws") / "log"
    with Log.open(folder) as log:
        yield log


NUMBERS = itertools.count()


def written(
    log: Log, events: list[AnyEvent], times: list[int], parent: "int | None", at: int
) -> int:
    """Write a branch with each event at a time of its own."""
    first, rest = events[:1], events[1:]
    name = f"r{next(NUMBERS)}"
    branch = log.create_run(name, first, actor="t", time=times[0], parent=parent, offset=at)
    for offset, (event, time) in enumerate(zip(rest, times[1:], strict=True), at + 1):
        log.append(branch, [event], expected=offset, actor="t", time=time)
    return branch


@settings(max_examples=15)
@given(REAL, st.data())
def test_a_forks_state_at_its_base_is_its_parents_at_that_offset(
    log: Log, records: list[Record], data: st.DataObject
) -> None:
    records = records[:25]
    parent = written(log, [r.event for r in records], [r.time for r in records], None, 0)
    offset = data.draw(st.integers(0, len(records)))
    fork = log.create_run(f"r{next(NUMBERS)}", [], actor="t", time=1, parent=parent, offset=offset)

    assert replay(log.records(fork)) == replay(log.records(parent, 0, offset))

    new = data.draw(NONSENSE.filter(bool))
    log.append(fork, [r.event for r in new], expected=offset, actor="t", time=2)
    further = data.draw(st.integers(0, offset + len(new)))
    nested = log.create_run(f"r{next(NUMBERS)}", [], actor="t", time=3, parent=fork, offset=further)

    assert exactly(replay(log.records(nested))) == exactly(replay(log.records(fork, 0, further)))
    assert replay(log.records(parent)) == replay(records)
