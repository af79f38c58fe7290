"""Laws that hold for every workflow: random programs, answered in random order."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import StepStarted
from holdfast.reducer import CancelRequest, replay
from tests.support.player import Player
from tests.support.programs import PROGRAMS, Program, generic, play_out

SEEDS = st.integers(0, 2**32)


def played(program: Program, seed: int) -> Player:
    return play_out(Player(generic, {"program": program}), random.Random(seed))


@settings(max_examples=60, deadline=None)
@given(PROGRAMS, SEEDS)
def test_the_same_answers_give_the_same_requests_in_the_same_order(
    program: Program, seed: int
) -> None:
    one, other = played(program, seed), played(program, seed)

    assert one.keys == other.keys
    assert one.records == other.records


@settings(max_examples=60, deadline=None)
@given(PROGRAMS, SEEDS)
def test_every_request_has_a_key_of_its_own(program: Program, seed: int) -> None:
    player = played(program, seed)
    counts = Counter(r.key for r in player.asked if not isinstance(r, CancelRequest))
    started = Counter(r.event.key for r in player.records if isinstance(r.event, StepStarted))

    assert set(counts.values()) <= {1}
    assert set(started.values()) <= {1}


@settings(max_examples=60, deadline=None)
@given(PROGRAMS, SEEDS)
def test_driving_anew_through_any_beginning_comes_to_where_the_run_was(
    program: Program, seed: int
) -> None:
    player = played(program, seed)

    for length in range(1, len(player.records) + 1):
        driver, state = player.redriven(records=player.records[:length])
        assert list(driver.pending) == player.pending[length - 1]
        assert list(driver.abandoned) == player.abandoned[length - 1]
        assert state == replay(player.records[:length])
        driver.close()


@settings(max_examples=60, deadline=None)
@given(PROGRAMS, SEEDS)
def test_a_run_that_was_driven_anew_ends_as_it_did(program: Program, seed: int) -> None:
    player = played(program, seed)
    driver, state = player.redriven()

    assert state == player.state
    assert (driver.ended is None) == (player.driver.ended is None)
    if driver.ended is not None and player.driver.ended is not None:
        assert driver.ended.status == player.driver.ended.status
        assert driver.ended.value == player.driver.ended.value
        assert str(driver.ended.error) == str(player.driver.ended.error)
    player.driver.close()


@settings(max_examples=60, deadline=None)
@given(PROGRAMS, SEEDS)
def test_nothing_is_left_open_when_a_run_has_ended(program: Program, seed: int) -> None:
    player = played(program, seed)

    if player.driver.ended is not None:
        assert player.open == []
        assert list(player.driver.abandoned) == []
        assert len(player.state.timers) == len(player.state.waits) == 0
        assert player.state.open_gates == []
        assert all(step.status != "running" for step in player.state.steps.values())
    player.driver.close()
