"""Any state of a history, in any order, at the price of the way to it."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import AnyEvent, Record, RunStarted, StepStarted, StepSucceeded
from holdfast.reducer import Frames, first_bad, replay
from tests.support.player import START, Player, raw
from tests.support.programs import PROGRAMS, Program, generic, play_out

LONG = 20_000


def history(length: int) -> list[Record]:
    """Return a run of so many events: steps, one after the other."""

    def event(offset: int) -> AnyEvent:
        if offset == 0:
            return RunStarted("r", "flow")
        key = f"step-{(offset - 1) // 2}"
        return StepStarted(key, "step", b"f") if offset % 2 else StepSucceeded(key, raw(offset))

    return [Record(n + 1, 1, n, START + n, "test", 1, event(n)) for n in range(length)]


class Reading:
    """Gives records out of a list, and counts them."""

    def __init__(self, records: list[Record]) -> None:
        self.records, self.count = records, 0

    def __call__(self, start: int, stop: int) -> Iterable[Record]:
        self.count += stop - start
        return self.records[start:stop]


@settings(max_examples=40, deadline=None)
@given(PROGRAMS, st.integers(0, 2**32))
def test_frames_in_any_order_are_what_a_replay_up_to_there_comes_to(
    program: Program, seed: int
) -> None:
    chance = random.Random(seed)
    player = play_out(Player(generic, {"program": program}), chance)
    frames = Frames(Reading(player.records))

    for _ in range(20):
        frame = chance.randint(0, len(player.records))
        assert frames[frame] == replay(player.records[:frame])
    player.driver.close()


@pytest.fixture(scope="module")
def long() -> list[Record]:
    return history(LONG)


def test_a_state_that_was_given_out_stays_as_it_is(long: list[Record]) -> None:
    frames = Frames(Reading(long))
    early, late = frames[100], frames[5000]

    assert [frames[at].offset for at in (4000, 6000)] == [4000, 6000]

    assert (len(early.steps), len(late.steps)) == (50, 2500)


def test_going_backwards_costs_little_however_long_the_run_is(long: list[Record]) -> None:
    frames = Frames(Reading(long))
    frames[LONG]
    frames.folded = 0

    for frame in range(LONG - 1, LONG - 1001, -1):
        assert frames[frame].offset == frame

    assert frames.folded < 40 * 1000
    assert len(frames) < 40


def test_going_forwards_folds_each_event_once(long: list[Record]) -> None:
    reading = Reading(long)
    frames = Frames(reading)

    for frame in range(1, 2001):
        assert frames[frame].offset == frame

    assert reading.count == 2000
    assert len(frames) < 40


def test_halving_looks_at_few_frames_and_folds_the_history_about_once(long: list[Record]) -> None:
    frames = Frames(Reading(long))
    looked: list[int] = []

    def is_good(frame: int) -> bool:
        looked.append(frame)
        return len(frames[frame].steps) < 7000

    assert is_good(1)
    assert not is_good(LONG)
    found = first_bad(is_good, 1, LONG)

    assert (len(frames[found - 1].steps), len(frames[found].steps)) == (6999, 7000)
    assert len(looked) <= 2 + LONG.bit_length()
    assert frames.folded < 2 * LONG


def test_the_event_of_a_frame_is_the_one_before_it(long: list[Record]) -> None:
    assert Frames(Reading(long)).event(1).offset == 0
