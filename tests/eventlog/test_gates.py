"""The open gates that listings know, and the inbox that they make."""

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import (
    ApprovalDecided,
    ApprovalRequested,
    CancelRequested,
    Event,
    Log,
    OpenGate,
    QuestionAsked,
    RunForked,
    RunRow,
    RunStarted,
    RunSucceeded,
    advance,
    verify,
)
from holdfast.eventlog.gates import CHANGING
from holdfast.reducer import State, reduce
from tests.support.any_event import EVENT_TYPES

ABOUT_GATES: list[type[Event]] = [*CHANGING, CancelRequested, RunForked]
ASKS = (ApprovalRequested, QuestionAsked)
PEOPLE = st.sampled_from(["ann", "bo", "engine"])


def _sensible(kind: type[Event]) -> st.SearchStrategy[Any]:
    """Few keys and people, so that words meet gates; few who may decide, so that some do."""
    import msgspec

    names = {field.name for field in msgspec.structs.fields(kind)}
    few: dict[str, st.SearchStrategy[Any]] = {
        "key": st.sampled_from(["k", "l"]),
        "by": st.lists(PEOPLE, max_size=1) if kind in ASKS else PEOPLE,
        "to": st.lists(PEOPLE, max_size=1),
        "count": st.integers(1, 2),
        "digest": st.just(b""),
    }
    given = {name: strategy for name, strategy in few.items() if name in names}
    return st.tuples(EVENT_TYPES[kind], st.fixed_dictionaries(given)).map(
        lambda pair: msgspec.structs.replace(pair[0], **pair[1])
    )


@settings(max_examples=200)
@given(st.lists(st.one_of(*map(_sensible, ABOUT_GATES)), max_size=12))
def test_the_gates_of_a_row_are_those_that_the_state_has_open(events: list[Any]) -> None:
    state, row = State(), RunRow("r", 1)
    for time, event in enumerate(events, 100):
        row = advance(row, event, time, state.offset)
        state = reduce(state, event, time)

        assert {g.key: (g.offset, g.expires_at, [*g.also]) for g in row.gates.values()} == {
            g.key: (g.offset, g.expires_at, [*g.also]) for g in state.open_gates
        }


def test_the_inbox_has_all_open_gates_of_all_runs_the_oldest_first(tmp_path: Path) -> None:
    with Log.open(tmp_path) as log:
        for name, time in (("b", 20), ("a", 10), ("c", 30)):
            events = [
                RunStarted(name, "w"),
                ApprovalRequested(f"g{name}", by=["ann"], expires_at=99),
            ]
            log.create_run(name, events, actor="t", time=time)
        assert [(w.run, w.gate.key) for w in log.inbox()] == [("a", "ga"), ("b", "gb"), ("c", "gc")]
        assert log.inbox(1)[0].gate == OpenGate("ga", "approval", 10, 1, ["ann"], 1, 99)
        assert [(due.run, due.key, due.time) for due in log.due(100)] == [
            ("b", "gb", 99), ("a", "ga", 99), ("c", "gc", 99),
        ]  # fmt: skip

        log.append(1, [ApprovalDecided("gb", True, "ann")], expected=2, actor="t", time=40)
        log.append(3, [RunSucceeded()], expected=2, actor="t", time=40)
        assert [w.run for w in log.inbox()] == ["a"]
        assert log.inbox_size() == 1

        log.rebuild()
        assert [w.run for w in log.inbox()] == ["a"]
        assert verify(log).ok


def test_a_rewind_takes_the_gates_of_the_old_branch_out_of_the_inbox(tmp_path: Path) -> None:
    with Log.open(tmp_path) as log:
        log.create_run("r", [RunStarted("r", "w"), ApprovalRequested("g")], actor="t", time=1)
        forked = RunForked("r", "rewind", "r", 1, 1, 1)
        log.create_run("r", [forked], actor="t", time=2, parent=1, offset=1, replaces=True)
        fork = RunForked("f", "fork", "r", 1, 2, 2)
        log.create_run("f", [fork], actor="t", time=3, parent=1, offset=2)

        assert [(w.run, w.branch) for w in log.inbox()] == [("f", 3)]
        assert verify(log).ok
