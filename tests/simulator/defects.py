"""Defects to be planted in the engine: the simulator is worth what it finds of them."""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
import trio

from holdfast.answers import Answers
from holdfast.attempts import Arrival, Attempt, Attempts, Ended
from holdfast.children import child_name as name_well
from holdfast.commits import Committer
from holdfast.eventlog import (
    BranchMoved,
    LogUnwritable,
    Record,
    RunClaimed,
    RunReleased,
    SignalReceived,
    StepSucceeded,
    TimerFired,
)
from holdfast.execution import Execution
from holdfast.history import Alarms, History
from holdfast.journals import Written
from holdfast.plugins import Journal
from holdfast.reducer import Agenda, Amount, Hold, Start, redrive
from holdfast.reducer import decide as decide_well

Patch = pytest.MonkeyPatch
Defect = Callable[[Patch], None]


def effect_before_commit(patch: Patch) -> None:
    """An attempt begins when its start is recorded in memory."""
    start = Answers._start

    def hasty(self: Answers, *args: Any) -> None:
        start(self, *args)
        while self.to_launch:
            self._attempts.launch(self.to_launch.pop())

    patch.setattr(Answers, "_start", hasty)


def commit_not_awaited(patch: Patch) -> None:
    """What was recorded is taken for committed although the disk refused it."""
    write = Committer._write

    def careless(self: Committer, items: Sequence[Any]) -> Sequence[Any]:
        heads = [(getattr(item, "expected", 0) or 0) + len(item.events) for item in items]
        results = write(self, items)
        return [
            head if isinstance(result, LogUnwritable) else result
            for head, result in zip(heads, results, strict=True)
        ]

    patch.setattr(Committer, "_write", careless)


def lost_wake_up(patch: Patch) -> None:
    """Nobody is told that an attempt has ended while others are at work."""

    def silent(self: Attempts, ended: Ended) -> None:
        self.inbox.append(ended)
        self.arrived = trio.Event()

    patch.setattr(Attempts, "_arrive", silent)


def stale_owner_goes_on(patch: Patch) -> None:
    """Another's claim is no reason to stop."""
    patch.setattr(History, "check_claim", lambda self, event: None)
    patch.setattr(History, "_check_owner", lambda self: None)


def living_owner_is_robbed(patch: Patch) -> None:
    """Every owner is taken for dead."""
    patch.setattr("holdfast.engine.owner_alive", lambda path, owner: False)


def result_recorded_twice(patch: Patch) -> None:
    """A result is recorded again with the next one."""
    absorb = Execution._absorb_one

    def stutter(self: Execution, arrival: Arrival) -> None:
        absorb(self, arrival)
        if isinstance(arrival, Ended) and isinstance(self._history.uncommitted[-1], StepSucceeded):
            self._answers.record(self._history.uncommitted[-1])

    patch.setattr(Execution, "_absorb_one", stutter)


def finished_step_starts_again(patch: Patch) -> None:
    """On resume the last result is overlooked, where nothing was made of it yet."""

    def forgetful(driver: Any, records: Iterator[Record], **options: Any) -> Any:
        known = list(records)
        for place in range(len(known) - 1, -1, -1):
            if isinstance(known[place].event, StepSucceeded):
                overlooked = SignalReceived("overlooked")
                known[place] = msgspec.structs.replace(known[place], event=overlooked)
            if not isinstance(known[place].event, RunClaimed | RunReleased):
                break
        return redrive(driver, known, **options)

    patch.setattr("holdfast.history.redrive", forgetful)


def doubt_is_ignored(patch: Patch) -> None:
    """An effect whose outcome is unknown is tried again."""

    def bold(state: Any, request: Any, mark: bytes, **options: Any) -> Any:
        decision = decide_well(state, request, mark, **options)
        if isinstance(decision, Hold) and decision.reason == "doubt" and decision.open:
            return Start(state.steps[request.key].attempt + 1)
        return decision

    patch.setattr("holdfast.answers.decide", bold)


def outcomes_lost_when_the_branch_moves(patch: Patch) -> None:
    """What had been taken in is forgotten with the commit that failed."""
    keep = Attempts.keep_only_recorded
    patch.setattr(Attempts, "keep_only_recorded", lambda self, arrivals: keep(self, []))


def cancelled_result_is_accepted(patch: Patch) -> None:
    """A result counts although nobody waits for it any more."""
    take = Attempts.take

    def generous(self: Attempts, arrival: Arrival) -> bool:
        return take(self, arrival) or isinstance(arrival, Ended)

    patch.setattr(Attempts, "take", generous)
    patch.setattr(Attempts, "is_unwanted", lambda self, arrival: False)


def rate_limit_is_a_failure(patch: Patch) -> None:
    """A server that asks for patience uses up a try."""
    patch.setattr("holdfast.outcomes.RateLimited", LookupError)


def timer_fires_twice(patch: Patch) -> None:
    """A timer that has fired is still set."""
    fire = Execution._fire

    def again(self: Execution, key: str) -> None:
        fire(self, key)
        last = self._history.uncommitted[-1:]
        if last and isinstance(last[0], TimerFired):
            self._answers.record(last[0])

    patch.setattr(Execution, "_fire", again)


def stopped_attempt_keeps_its_slot(patch: Patch) -> None:
    """A limit's slot stays taken when what had it was cancelled."""
    patch.setattr(Attempts, "_stop", lambda self, attempt: attempt.scope.cancel())


def waiting_for_a_slot_for_ever(patch: Patch) -> None:
    """Nobody looks at the queue when there is room again."""
    patch.setattr(Attempts, "next_in_line", lambda self: None)


def moved_branch_is_ignored(patch: Patch) -> None:
    """What others wrote in between is skipped, and not taken in."""
    commit = History.commit

    async def blind(self: History) -> None:
        try:
            await commit(self)
        except BranchMoved:
            self.committed = self._engine.log.head(self.branch)
            await commit(self)

    patch.setattr(History, "commit", blind)


def alarms_are_forgotten(patch: Patch) -> None:
    """Nothing happens at the moment for which an alarm was set."""
    patch.setattr(Alarms, "due", lambda self, now: iter(self._heap.clear() or ()))


def slots_are_never_given_back(patch: Patch) -> None:
    """A process that ends keeps what it took."""
    patch.setattr(Attempts, "close", lambda self: None)
    patch.setattr(Attempts, "_free", lambda self, attempt: None)


def unwanted_attempt_begins(patch: Patch) -> None:
    """What was cancelled before its start was on disk is started all the same."""

    def eager(self: Attempts, attempt: Attempt) -> None:
        attempt.launched = True
        self._by_key[attempt.request.key] = attempt
        launch(self, attempt)

    launch = Attempts.launch
    patch.setattr(Attempts, "launch", eager)


def files_are_not_compared(patch: Patch) -> None:
    """A fork takes over what a step did to other files."""
    differs = Agenda.difference

    def careless(self: Agenda, *args: Any) -> str | None:
        why = differs(self, *args)
        return None if why == "files" else why

    patch.setattr(Agenda, "difference", careless)


def held_effect_is_let_through(patch: Patch) -> None:
    """An effect of a fork happens without anybody's word."""

    def bold(state: Any, request: Any, mark: bytes, **options: Any) -> Any:
        decision = decide_well(state, request, mark, **options)
        held = isinstance(decision, Hold) and decision.reason == "effect"
        step = state.steps.get(request.key)
        return Start(step.attempt + 1 if step else 1) if held else decision

    patch.setattr("holdfast.answers.decide", bold)


def fork_goes_on_with_its_origins_child(patch: Patch) -> None:
    """A fork executes the child that belongs to the history that it left."""
    module = importlib.import_module("holdfast.reducer.fork_events")  # a function has its name
    patch.setattr(module, "_parted", lambda child, event: child)


def history_goes_on_with_the_last_ones_child(patch: Patch) -> None:
    """A history that goes on from another takes the end of its child for that of its own."""

    def careless(state: Any, key: str, branch: int) -> str:
        return name_well(msgspec.structs.replace(state, continues=0), key, branch)

    patch.setattr("holdfast.answers.child_name", careless)


def budget_forgets_what_is_at_work(patch: Patch) -> None:
    """What is set aside for others counts as left."""
    module = importlib.import_module("holdfast.reducer.budget")
    patch.setattr(module, "set_aside", lambda state: Amount())


def session_is_handed_on(patch: Patch) -> None:
    """The agent that goes on gets the session of the one before."""
    module = importlib.import_module("holdfast.reducer.reduce")
    fall_back = module.fell_back

    def generous(state: Any, event: Any, time: int) -> Any:
        session = state.steps[event.key].session
        fallen = fall_back(state, event, time)
        step = msgspec.structs.replace(fallen.steps[event.key], session=session)
        return msgspec.structs.replace(fallen, steps=fallen.steps.set(event.key, step))

    patch.setattr(module, "fell_back", generous)


def journal_is_forgotten(patch: Patch) -> None:
    """An agent that goes on after a crash finds nothing in its journal."""
    patch.setattr("holdfast.attempts.read_journal", lambda log, branch, step: Journal())


def journal_of_a_failed_try_is_kept(patch: Patch) -> None:
    """Another try finds what the one before wrote down, though that had failed."""
    module = importlib.import_module("holdfast.reducer.step_events")
    patch.setattr(module, "has_journal", lambda step: step.journal > 0)


def entry_not_awaited(patch: Patch) -> None:
    """An agent goes on before what it wrote down is on disk."""
    arrive = Attempts._arrive

    def hasty(self: Attempts, arrival: Any) -> None:
        arrive(self, arrival)
        if isinstance(arrival, Written):
            arrival.durable.set()

    patch.setattr(Attempts, "_arrive", hasty)


def step_budget_is_never_reached(patch: Patch) -> None:
    """A step's own budget holds nothing back."""
    module = importlib.import_module("holdfast.reducer.budget")
    over = module._is_over

    def careless(limit: Any, left: Any) -> bool:
        return bool(over(limit, left) and sys._getframe(1).f_code.co_name != "afford")

    patch.setattr(module, "_is_over", careless)


DEFECTS: dict[Defect, int] = {
    effect_before_commit: 0,
    commit_not_awaited: 12,
    lost_wake_up: 50,
    stale_owner_goes_on: 0,
    living_owner_is_robbed: 0,
    result_recorded_twice: 0,
    finished_step_starts_again: 25,
    doubt_is_ignored: 0,
    outcomes_lost_when_the_branch_moves: 9,
    cancelled_result_is_accepted: 14,
    rate_limit_is_a_failure: 0,
    timer_fires_twice: 11,
    stopped_attempt_keeps_its_slot: 0,
    waiting_for_a_slot_for_ever: 0,
    moved_branch_is_ignored: 9,
    alarms_are_forgotten: 0,
    slots_are_never_given_back: 0,
    unwanted_attempt_begins: 115,
    files_are_not_compared: 38,
    held_effect_is_let_through: 0,
    fork_goes_on_with_its_origins_child: 90,
    history_goes_on_with_the_last_ones_child: 0,
    budget_forgets_what_is_at_work: 6,
    session_is_handed_on: 0,
    journal_is_forgotten: 0,
    journal_of_a_failed_try_is_kept: 5,
    entry_not_awaited: 0,
    step_budget_is_never_reached: 26,
}
"""The defects, and the seed from which on to look: shortly before the first that finds it."""
