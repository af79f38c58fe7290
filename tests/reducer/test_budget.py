"""What a run may still use: reserved before an attempt, settled after it."""

from typing import Any

import pytest

from holdfast.eventlog import (
    AnyEvent,
    ApprovalDecided,
    AttemptFailed,
    Budget,
    BudgetReached,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    Failure,
    Journaled,
    Record,
    Reserved,
    RunClaimed,
    RunForked,
    RunStarted,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepStarted,
    StepSucceeded,
    Usage,
)
from holdfast.reducer import (
    GATE,
    Amount,
    ChildRequest,
    Fail,
    FunctionCall,
    Hold,
    Later,
    ModelAsk,
    Policy,
    Reached,
    Start,
    State,
    StepRequest,
    afford_child,
    carried_on,
    decide,
    limit_of,
    replay,
    spent_below,
    used_by,
)
from tests.support.player import raw, work

ONE = RunStarted("r", "w", budget=Budget(1.0))


def run(*events: AnyEvent, budget: Budget | None = None) -> State:
    first = ONE if budget is None else RunStarted("r", "w", budget=budget)
    all_of_them = [first, *events]
    return replay(Record(i + 1, 1, i, i, "t", 1, event) for i, event in enumerate(all_of_them))


def asked(key: str = "k", model: str = "m", budget: Budget | None = None) -> StepRequest:
    policy = Policy(budget=budget)
    return StepRequest(key, "model", ModelAsk([("user", "hi")], model), policy, str)


def started(key: str, usd: float = 0.0, *, guessed: bool = False, by: str = "m") -> StepStarted:
    return StepStarted(key, "model", b"f", by=by, reserved=Reserved(usd, guessed=guessed))


def done(key: str, usd: float, tokens: int = 0) -> StepSucceeded:
    return StepSucceeded(key, usage=Usage(tokens, 0, 0, usd))


def starts(state: State, request: StepRequest) -> Reserved | None:
    decision = decide(state, request, b"f")
    assert isinstance(decision, Start), decision
    return decision.reserved


def reached(state: State, request: StepRequest) -> Reached:
    decision = decide(state, request, b"f")
    assert isinstance(decision, Hold), decision
    assert decision.reached is not None
    return decision.reached


# --- what is set aside -------------------------------------------------------------------------


def test_without_a_budget_nothing_is_set_aside() -> None:
    assert decide(State(), asked(), b"f") == Start(1)


def test_only_agents_and_models_use_of_it() -> None:
    function = StepRequest("k", "step", FunctionCall(work), Policy(), Any)

    assert starts(run(budget=Budget(1e-9)), function) is None


def test_the_first_of_its_kind_has_all_that_is_left_and_the_next_wait_for_what_it_tells() -> None:
    state = run(started("a", 1.0, guessed=True))

    assert starts(run(), asked("a")) == Reserved(1.0, guessed=True)
    assert decide(state, asked("b"), b"f") == Later()


def test_after_that_the_most_that_one_has_used_is_set_aside() -> None:
    state = run(started("a", 1.0, guessed=True), done("a", 0.2), started("b"), done("b", 0.1))

    assert starts(state, asked("c")) == Reserved(0.2)
    another = starts(state, asked("c", "another"))
    assert another is not None
    assert another.guessed
    assert another.usd == pytest.approx(0.7)


def test_the_settings_say_what_to_set_aside_for_each() -> None:
    assert starts(run(budget=Budget(1.0, each_usd=0.3)), asked()) == Reserved(0.3)


def test_a_step_s_own_budget_is_set_aside_for_it() -> None:
    assert starts(run(), asked(budget=Budget(0.25))) == Reserved(0.25)


def test_tokens_count_as_dollars_do() -> None:
    state = run(budget=Budget(tokens=100, each_tokens=60))

    assert starts(state, asked()) == Reserved(tokens=60)
    more = run(started("a"), done("a", 9.0, 41), budget=Budget(tokens=100, each_tokens=60))
    assert reached(more, asked()).wants == Amount(0.0, 60)


def test_what_is_at_work_counts_with_what_was_set_aside() -> None:
    budget = Budget(1.0, each_usd=0.4)
    two = [started("a", 0.4), started("b", 0.4)]

    assert decide(run(*two, budget=budget), asked("c"), b"f") == Later()
    assert starts(run(*two, done("a", 0.1), budget=budget), asked("c")) == Reserved(0.4)


# --- what is used ------------------------------------------------------------------------------


def test_a_gate_is_opened_where_nothing_at_work_could_make_it_fit() -> None:
    state = run(started("a"), done("a", 0.8))

    assert reached(state, asked()) == Reached(GATE, Amount(0.8), Amount(1.0), Amount(0.8))
    assert reached(state, asked()).told() == {"budget": "$1", "used": "$0.8", "wanted": "$0.8"}


@pytest.mark.parametrize(
    "ending",
    [
        StepSucceeded("a"),
        AttemptFailed("a", Failure("crashed", "")),
        StepFailed("a", Failure("timeout", "")),
        StepCancelled("a"),
        DoubtRaised("a"),
        RunClaimed("o"),  # a crash cut it short
        started("a", 0.1),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_attempt_that_never_tells_counts_with_what_was_set_aside(ending: AnyEvent) -> None:
    state = run(started("a", 0.3), ending)

    assert used_by(state).usd == pytest.approx(0.3)
    assert isinstance(ending, StepStarted) or not state.purse.reserved
    assert used_by(run(started("a", 0.9, guessed=True), ending)).usd == 0


def test_a_lost_guess_counts_with_the_most_that_one_of_its_kind_has_used_since() -> None:
    lost: list[AnyEvent] = [started("a", 1.0, guessed=True), StepCancelled("a")]

    state = run(*lost, started("b"), done("b", 0.2), started("c", by="x"), done("c", 0.1))

    assert used_by(state).usd == pytest.approx(0.5)


@pytest.mark.parametrize("code", ["missing_binary", "not_logged_in", "unknown_agent"])
def test_an_attempt_that_never_got_so_far_costs_nothing(code: str) -> None:
    state = run(started("a", 0.3), StepFailed("a", Failure(code, "")))

    assert used_by(state) == Amount()


def test_failed_and_deferred_attempts_count_what_they_used() -> None:
    usage = Usage(5, 1, 0, 0.25)
    failed = AttemptFailed("a", Failure("crashed", ""), usage=usage)
    state = run(started("a"), failed, started("a"), StepDeferred("a", 9, usage=usage))

    assert used_by(state) == Amount(0.5, 12)
    assert state.usage == Usage(10, 2, 0, 0.5)
    assert state.steps["a"].usage == state.usage


def told(usd: float) -> Journaled:
    return Journaled("k", "answered", usage=Usage(cost_usd=usd))


def test_what_an_attempt_tells_on_its_way_counts_once_however_it_ends() -> None:
    begun = (started("k", 0.5), told(0.1), told(0.2))

    ended = run(*begun, StepSucceeded("k"))
    assert used_by(ended).usd == pytest.approx(0.3)
    next_one = starts(ended, asked("next"))
    assert next_one is not None
    assert next_one.usd == pytest.approx(0.3)

    cut_short = run(*begun, StepCancelled("k"))
    assert used_by(cut_short).usd == pytest.approx(0.5)

    by_a_guess = run(started("k", 1.0, guessed=True), told(0.1), StepCancelled("k"))
    assert used_by(by_a_guess).usd == pytest.approx(0.1)


def test_patience_tells_nothing_of_what_an_attempt_uses() -> None:
    put_off = run(started("k", 1.0, guessed=True), StepDeferred("k", 9))

    assert used_by(put_off) == Amount()
    assert starts(put_off, asked("next")) == Reserved(1.0, guessed=True)


def test_attempts_that_a_crash_cut_short_are_in_nobody_s_way() -> None:
    state = run(started("a", 1.0, guessed=True), RunClaimed("o"))

    assert starts(state, asked("a")) == Reserved(1.0, guessed=True)
    assert starts(state, asked("b")) == Reserved(1.0, guessed=True)


# --- what people say ---------------------------------------------------------------------------

FULL: list[AnyEvent] = [started("a"), done("a", 0.8), BudgetReached(GATE, "k", usd=1.0)]


def test_an_open_gate_is_not_opened_again() -> None:
    first, again = (decide(run(*events), asked(), b"f") for events in (FULL[:2], FULL))

    assert isinstance(first, Hold)
    assert isinstance(again, Hold)
    assert (first.open, again.open) == (True, False)


@pytest.mark.parametrize(
    ("edits", "limit"),
    [
        (None, 2.0),
        ({"usd": 0.5}, 1.5),
        ({"usd": 0.5, "tokens": 3}, 1.5),
        ({"usd": "much"}, 2.0),
        (["odd"], 2.0),
    ],
)
def test_an_approval_adds_what_it_says_or_as_much_again(edits: Any, limit: float) -> None:
    state = run(*FULL, ApprovalDecided(GATE, True, "anna", edits=raw(edits)))

    assert limit_of(state) == Amount(limit)


def test_what_is_not_enough_opens_the_gate_again() -> None:
    state = run(*FULL, ApprovalDecided(GATE, True, "anna", edits=raw({"usd": 0.1})))

    decision = decide(state, asked(), b"f")

    assert isinstance(decision, Hold)
    assert decision.open


def test_a_denied_budget_fails_what_does_not_fit_and_nothing_else() -> None:
    state = run(*FULL, ApprovalDecided(GATE, False, "anna", "enough"))
    small = run(*FULL, started("s", by="s"), done("s", 0.01), *[ApprovalDecided(GATE, False, "a")])

    assert decide(state, asked(), b"f") == Fail(
        Failure("budget_exceeded", "the budget is reached, and anna decided: enough")
    )
    assert starts(small, asked("k", "s")) == Reserved(0.01)


def test_a_step_s_own_budget_has_a_gate_of_its_own() -> None:
    own = Budget(0.5)
    failed = AttemptFailed("k", Failure("crashed", ""), usage=Usage(cost_usd=0.6))
    events: list[AnyEvent] = [RunStarted("r", "w"), started("k"), failed]
    state = replay(Record(i + 1, 1, i, i, "t", 1, event) for i, event in enumerate(events))

    found = reached(state, asked(budget=own))

    assert (found.gate, found.limit, found.used) == (f"k{GATE}", Amount(0.5), Amount(0.6))
    assert decide(state, asked(budget=Budget(0.7)), b"f") == Start(2)


# --- children and forks ------------------------------------------------------------------------


def child(budget: Budget | None = None) -> ChildRequest:
    return ChildRequest("c", "w", {}, Any, budget=budget)


def test_a_child_has_its_own_budget_of_its_parent_s_or_all_that_is_left() -> None:
    assert afford_child(run(), child()) == Reserved(1.0, guessed=True)
    assert afford_child(run(), child(Budget(0.3))) == Reserved(0.3)
    assert isinstance(afford_child(run(), child(Budget(1.3))), Reached)
    assert afford_child(State(), child(Budget(1.3))) is None


def test_what_a_child_used_counts_in_its_parent() -> None:
    begun: list[AnyEvent] = [ChildStarted("c", "r/c", reserved=Reserved(0.3))]
    ended = ChildFinished("c", "r/c", "succeeded", usage=Usage(7, cost_usd=0.2))

    assert decide(run(*begun), asked(budget=Budget(0.8)), b"f") == Later()
    assert used_by(run(*begun, ended)) == Amount(0.2, 7)
    assert spent_below(run(*begun, ended)) == Usage(7, cost_usd=0.2)
    assert starts(run(*begun, ended), asked(budget=Budget(0.8))) == Reserved(0.8)


@pytest.mark.parametrize(("reason", "used"), [("fork", 0.0), ("rewind", 0.9), ("retry", 0.9)])
def test_a_fork_counts_what_it_uses_itself_and_other_ways_back_what_stands(
    reason: str, used: float
) -> None:
    left = RunForked("f", reason, "r", 1, 4, 4)
    state = run(*FULL, started("b", 0.1), StepCancelled("b"), left)

    assert used_by(state).usd == pytest.approx(used)
    assert not state.open_gates


@pytest.mark.parametrize(("reason", "left"), [("fork", 0), ("rewind", 0), ("retry", 1)])
def test_what_is_at_work_in_a_history_that_was_left_is_paid_there(reason: str, left: int) -> None:
    state = run(started("b", 0.1), RunForked("f", reason, "r", 1, 2, 2))

    assert len(state.purse.reserved) == left


def test_a_fork_has_the_budget_that_the_run_began_with() -> None:
    more = ApprovalDecided(GATE, True, "anna", edits=raw({"usd": 5.0}))

    assert limit_of(run(*FULL, more, RunForked("f", "fork", "r", 1, 5, 5))) == Amount(1.0)
    assert limit_of(run(*FULL, more, RunForked("r", "rewind", "r", 1, 5, 5))) == Amount(6.0)


def test_a_run_that_goes_on_in_a_fresh_history_has_no_fresh_budget() -> None:
    more = ApprovalDecided(GATE, True, "anna", edits=raw({"usd": 0.5}))
    old = run(*FULL, more)

    new = run(budget=carried_on(old))

    assert (limit_of(new), used_by(new)) == (Amount(1.5), Amount(0.8))
    assert spent_below(new) == Usage(cost_usd=0.8)
    assert carried_on(State()) is None
