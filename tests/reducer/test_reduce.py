"""What each event changes, and the laws of folding: total, pure, in one go or in two."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.eventlog import (
    KNOWN,
    AnswerCarried,
    AnyEvent,
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    AttemptFailed,
    Ballot,
    Budget,
    BudgetReached,
    CancelRequested,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    Edit,
    EffectHeld,
    Event,
    Failure,
    FellBack,
    GateEscalated,
    GateExpired,
    GateReminded,
    Journaled,
    LoopExhausted,
    Noted,
    QuestionAnswered,
    QuestionAsked,
    Record,
    Reserved,
    RestoreStarted,
    Role,
    RunCancelled,
    RunClaimed,
    RunContinued,
    RunFailed,
    RunForked,
    RunPaused,
    RunReleased,
    RunStarted,
    RunSucceeded,
    RunUnpaused,
    ScheduleAdded,
    SchedulePaused,
    ScheduleRemoved,
    ScheduleTicked,
    ScheduleUnpaused,
    SessionOpened,
    SignalAwaited,
    SignalReceived,
    SnapshotMissed,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepReused,
    StepStarted,
    StepSucceeded,
    TimerFired,
    TimerSet,
    UnknownEvent,
    Usage,
    Value,
    WorkspaceDrifted,
    WorkspaceRestored,
    WorkspaceSeen,
)
from holdfast.reducer import Amount, Child, Gate, State, Step, Timer, Vote, Wait, reduce, replay
from holdfast.reducer.pmap import PMap
from holdfast.reducer.state import Pause, Queued
from tests.support.player import raw

WHY = Failure("test", "no luck")
USED = Usage(1, 2, 3, 0.5)
TREE, OTHER = bytes(range(20)), bytes(range(1, 21))
ROLE = Role("default", "codex")
STARTED = StepStarted("k", "step", b"mark", raw({"a": 1}), b"code")


def after(*events: AnyEvent, time: int = 100) -> State:
    """Fold events that happened at 100, 101, ..."""
    return replay(Record(i + 1, 1, i, time + i, "t", 1, event) for i, event in enumerate(events))


def fields(state: State) -> dict[str, Any]:
    return {name: getattr(state, name) for name in State.__struct_fields__}


def step(state: State) -> dict[str, Any]:
    """What a step has become, but what its start told."""
    begun = after(STARTED).steps["k"]
    now = state.steps["k"]
    names = msgspec.structs.fields(type(now))
    pairs = {f.name: (getattr(now, f.name), getattr(begun, f.name)) for f in names}
    return {name: new for name, (new, old) in pairs.items() if new != old}


def waiting(*waits: Wait) -> dict[str, Any]:
    """Return what a state has of these waits, which are for the same signal."""
    keys = tuple(wait.key for wait in waits)
    places = {f"{len(w.signal)} {w.signal}{w.correlation}": keys for w in waits}
    return {"waits": PMap({wait.key: wait for wait in waits}), "listeners": PMap(places)}


def gate(**changes: Any) -> PMap[Gate]:
    return PMap({"k": msgspec.structs.replace(Gate("k", "approval", 100, 0), **changes)})


ANNA = Vote("anna", True, "", raw(None), 101)
QUESTION = QuestionAsked("k", by=["anna"])
SO: dict[str, Any] = {"kind": "question", "by": ("anna",), "on_expire": "halt", "last": 1}
SAID, THEN = (Vote("anna", True, "so", raw(7), time) for time in (101, 7))
NOBODY_DID = Vote("engine", False, "nobody decided in time", raw(None), 101)
ASKED = ApprovalRequested("k")
CARRIED = Vote("anna", True, "", raw(None), 7)
TAKEN = Step(
    "k", "shell", b"f", raw("r"), b"c", 0, 3, "failed", error=WHY, finished=4, ended=4,
    files=False, tree=b"t", reused=True, origin="o",
)  # fmt: skip

# events before, the event, what is different after it besides offset and now
TABLE: list[tuple[list[AnyEvent], AnyEvent, dict[str, Any]]] = [
    (
        [],
        RunStarted("r", "w", "s", b"c", raw(1), b"x", "f", "p", "pk"),
        {
            "run": "r",
            "workflow": "w",
            "source": "s",
            "code": b"c",
            "input": raw(1),
            "seed": b"x",
            "folder": "f",
        }
        | {"parent": "p", "parent_key": "pk", "started": 100},
    ),
    ([], RunClaimed("o"), {"owner": "o"}),
    (
        [RunClaimed("o"), RunReleased("o", "waiting", ["k"])],
        RunClaimed("p"),
        {"owner": "p", "status": "running", "waiting": ()},
    ),
    ([RunFailed(WHY)], RunClaimed("o"), {"owner": "o", "status": "running", "error": None}),
    (
        [RunClaimed("o")],
        RunReleased("o", "waiting", ["k"]),
        {"owner": "", "status": "waiting", "waiting": ("k",)},
    ),
    ([RunClaimed("o")], RunReleased("o", "stopped", [], WHY), {"owner": "", "error": WHY}),
    ([RunClaimed("o")], RunReleased("other", "waiting"), {"owner": "", "status": "waiting"}),
    (
        [RunClaimed("o")],
        RunSucceeded(raw(7)),
        {"status": "succeeded", "output": raw(7), "owner": ""},
    ),
    ([RunClaimed("o")], RunFailed(WHY), {"status": "failed", "error": WHY, "owner": ""}),
    ([], CancelRequested("enough"), {"cancelling": "enough", "cancelled_at": 0}),
    (
        [RunClaimed("o")],
        RunContinued(raw(7)),
        {"status": "continued", "output": raw(7), "owner": ""},
    ),
    ([], RunPaused("wait"), {"paused": Pause("wait", 100, 0)}),
    ([RunPaused("wait")], RunPaused("again"), {}),
    ([RunPaused("wait")], RunUnpaused("go"), {"paused": None}),
    ([RunClaimed("o")], RunCancelled(), {"status": "cancelled", "owner": ""}),
    ([], UnknownEvent("new.thing", raw({})), {"unknown": 1}),
    ([], TimerSet("k", 9), {"timers": PMap({"k": Timer("k", 9)})}),
    (
        [TimerSet("k", 9)],
        TimerFired("k"),
        {"timers": PMap[Timer](), "passed": PMap({"k": 1}), "resolved": ("k",)},
    ),
    ([], SignalAwaited("k", "s"), waiting(Wait("k", "s", 100))),
    ([], SignalAwaited("k", "s", "7"), waiting(Wait("k", "s", 100, "7"))),
    ([], SignalReceived("s", raw(1)), {"signals": PMap({"s": (Queued(raw(1)),)})}),
    (
        [SignalReceived("s", raw(1)), SignalReceived("s", raw(2), "7")],
        SignalAwaited("k", "s", "7"),
        {
            "signals": PMap({"s": (Queued(raw(1)),)}),
            "received": PMap({"k": raw(2)}),
            "resolved": ("k",),
        },
    ),
    (
        [SignalAwaited("k", "s", "7")],
        SignalReceived("s", raw(1)),
        {"signals": PMap({"s": (Queued(raw(1)),)})},
    ),
    (
        [SignalAwaited("k", "s"), SignalAwaited("l", "s")],
        SignalReceived("s", raw(1)),
        {
            **waiting(Wait("l", "s", 101)),
            "received": PMap({"k": raw(1)}),
            "resolved": ("k",),
        },
    ),
    (
        [SignalReceived("s", raw(1)), SignalReceived("s", raw(2))],
        SignalAwaited("k", "s"),
        {
            "signals": PMap({"s": (Queued(raw(2)),)}),
            "received": PMap({"k": raw(1)}),
            "resolved": ("k",),
        },
    ),
    (
        [],
        ApprovalRequested("k", raw("it"), b"d", ["anna"], 2, 50, "return"),
        {
            "gates": gate(
                subject=raw("it"),
                digest=b"d",
                by=("anna",),
                count=2,
                expires_at=50,
                on_deny="return",
            )
        },
    ),
    (
        [ASKED],
        ApprovalDecided("k", True, "anna"),
        {"gates": gate(votes=(ANNA,), decision=ANNA, last=1), "resolved": ("k",)},
    ),
    (
        [ApprovalRequested("k", count=2)],
        ApprovalDecided("k", True, "anna"),
        {"gates": gate(count=2, votes=(ANNA,), last=1)},
    ),
    ([ASKED, ApprovalDecided("k", True, "anna")], ApprovalDecided("k", False, "bert"), {}),
    (
        [ApprovalRequested("k", count=2), ApprovalDecided("k", True, "anna")],
        ApprovalDecided("k", True, "anna"),
        {},
    ),
    ([ApprovalRequested("k", by=["anna"])], ApprovalDecided("k", True, "bert"), {}),
    (
        [ASKED],
        ApprovalCarried("k", "o", [Ballot("anna", True, 7)]),
        {
            "gates": gate(votes=(CARRIED,), decision=CARRIED, last=1, origin="o"),
            "resolved": ("k",),
        },
    ),
    ([], ApprovalCarried("k", "o", [Ballot("anna", True, 7)]), {}),
    (
        [ApprovalRequested("k", expires_at=9, on_expire="remind", every=5)],
        GateReminded("k", 14),
        {"gates": gate(expires_at=14, on_expire="remind", every=5, reminded=1)},
    ),
    (
        [ApprovalRequested("k", by=["anna"], on_expire="escalate", escalate_to=["bo"])],
        GateEscalated("k", ["bo"], 14),
        {"gates": gate(by=("anna",), expires_at=14, escalate_to=("bo",), also=("bo",))},
    ),
    (
        [ASKED],
        GateExpired("k"),
        {"gates": gate(decision=NOBODY_DID, last=1, expired=True), "resolved": ("k",)},
    ),
    ([ASKED, ApprovalDecided("k", True, "anna")], GateExpired("k"), {}),
    ([], GateReminded("k", 14), {}),
    (
        [],
        QuestionAsked("k", raw("why"), raw({}), b"d", ["anna"], 50, "remind", 5, ["bo"]),
        {
            "gates": gate(
                kind="question",
                subject=raw("why"),
                form=raw({}),
                digest=b"d",
                by=("anna",),
                expires_at=50,
                on_expire="remind",
                every=5,
                escalate_to=("bo",),
            )
        },
    ),
    (
        [QUESTION],
        QuestionAnswered("k", raw(7), "anna", "so"),
        {"gates": gate(**SO, votes=(SAID,), decision=SAID), "resolved": ("k",)},
    ),
    ([QUESTION], QuestionAnswered("k", raw(7), "bert"), {}),
    ([QUESTION], ApprovalDecided("k", True, "anna"), {}),
    ([QUESTION], ApprovalCarried("k", "o", [Ballot("anna", True, 7)]), {}),
    ([ASKED], QuestionAnswered("k", raw(7), "anna"), {}),
    ([QUESTION, QuestionAnswered("k", raw(7), "anna")], QuestionAnswered("k", raw(8), "anna"), {}),
    (
        [QUESTION],
        AnswerCarried("k", "o", raw(7), "anna", 7, "so"),
        {
            "gates": gate(**SO, votes=(THEN,), decision=THEN, origin="o"),
            "resolved": ("k",),
        },
    ),
    (
        [],
        StepReused("k", "shell", b"f", "o", "failed", raw("r"), b"c", False, b"t", 3, 4, error=WHY),
        {
            "steps": PMap({"k": TAKEN}),
            "resolved": ("k",),
        },
    ),
    (
        [RunStarted("r", "w", "s", b"c"), RunClaimed("o"), TimerSet("k", 9), RunFailed(WHY)],
        RunForked("f", "fork", "r", 1, 2, 2, 50, effects="hold", code=b"d"),
        {
            "run": "f",
            "forked": RunForked("f", "fork", "r", 1, 2, 2, 50, effects="hold", code=b"d"),
            "base": 4,
            "code": b"d",
            "effects": "hold",
            "status": "running",
            "error": None,
            "timers": PMap({"k": Timer("k", 59)}),
        },
    ),
    (
        [ChildStarted("k", "r/k", b"m")],
        RunForked("f", "fork", "r", 1, 2, 2),
        {
            "run": "f",
            "forked": RunForked("f", "fork", "r", 1, 2, 2),
            "base": 1,
            "children": PMap({"k": Child("k", "", b"m", origin="r/k")}),
        },
    ),
    ([], ApprovalDecided("k", True, "anna"), {}),
    (
        [],
        ChildStarted("k", "r/k", b"m"),
        {"children": PMap({"k": Child("k", "r/k", b"m")})},
    ),
    (
        [ChildStarted("k", "r/k")],
        ChildFinished("k", "r/k", "succeeded", raw(1)),
        {
            "children": PMap({"k": Child("k", "r/k", b"", "succeeded", raw(1), last=1)}),
            "tree": bytes.fromhex("66ae8421be5732370c0ef9de10dfa6de"),
            "resolved": ("k",),
        },
    ),
    ([STARTED], LoopExhausted("l", 3), {"passed": PMap({"l": 1}), "resolved": ("l",)}),
    ([STARTED], Noted("n", "seen"), {"passed": PMap({"n": 1}), "resolved": ("n",)}),
    ([], StepSucceeded("k", raw(1), usage=USED), {}),
    ([], AttemptFailed("k", WHY, usage=USED), {}),
    ([], StepFailed("k", WHY, usage=USED), {}),
    ([], StepDeferred("k", 9), {}),
    ([], SessionOpened("k", "s"), {}),
    ([], Journaled("k", "began", usage=USED), {}),
    ([], StepCancelled("k"), {}),
    ([], EffectHeld("k"), {"gates": gate(kind="effect")}),
    (
        [],
        BudgetReached("k", "s", raw(1), 2.5, 9),
        {"gates": gate(kind="budget", subject=raw(1), limit=Amount(2.5, 9))},
    ),
    ([], FellBack("k", 1, "b"), {}),
    ([], RunClaimed("o", roles=[ROLE]), {"owner": "o", "roles": (ROLE,)}),
    ([TimerSet("k", 9)], StepCancelled("k"), {"timers": PMap[Timer]()}),
    ([SignalAwaited("k", "s")], StepCancelled("k"), waiting()),
    ([ASKED], StepCancelled("k"), {"gates": PMap[Gate]()}),
    (
        [ChildStarted("k", "r/k", b"m")],
        StepCancelled("k"),
        {"children": PMap({"k": Child("k", "r/k", b"m", "cancelled")})},
    ),
    (
        [],
        WorkspaceSeen(TREE, b"c", b"h"),
        {"tree": TREE, "unseen": b"", "snapshot": TREE, "head": b"h", "looked": 0},
    ),
    (
        [STARTED, StepSucceeded("k", snapshot=TREE)],
        WorkspaceDrifted(TREE, OTHER, b"c", b"h"),
        {"tree": OTHER, "unseen": TREE, "snapshot": OTHER, "head": b"h", "looked": 2},
    ),
    ([], RestoreStarted(TREE, OTHER, b"c"), {"restoring": TREE, "looked": 0}),
    (
        [WorkspaceSeen(OTHER), RestoreStarted(TREE, OTHER, b"c")],
        WorkspaceRestored(TREE),
        {"tree": TREE, "snapshot": TREE, "restoring": b"", "looked": 2},
    ),
    ([], SnapshotMissed("k", WHY), {}),
    ([], ScheduleAdded("n", "* * * * *", "UTC", "w", "w.py", 9), {}),
    ([], ScheduleTicked(7, "started", 9, "r"), {}),
    ([], SchedulePaused(), {}),
    ([], ScheduleUnpaused(9), {}),
    ([], ScheduleRemoved(), {}),
    (
        [RunStarted("r", "w", folder="/home")],
        RunForked("f", "fork", "r", 1, 1, 1, folder="/w", snapshot=TREE, left=OTHER),
        {
            "run": "f",
            "forked": RunForked("f", "fork", "r", 1, 1, 1, folder="/w", snapshot=TREE, left=OTHER),
            "base": 1,
            "folder": "/w",
            "checkout": "/home",
            "snapshot": TREE,
        },
    ),
]


@pytest.mark.parametrize(("before", "event", "changes"), TABLE)
def test_an_event_changes_this_and_nothing_else(
    before: list[AnyEvent], event: AnyEvent, changes: dict[str, Any]
) -> None:
    old = after(*before)
    time = 100 + len(before)
    expected = fields(old) | {"offset": len(before) + 1, "now": time, "resolved": ()} | changes

    assert fields(reduce(old, event, time)) == expected


FAILED_ONCE = AttemptFailed("k", WHY, 1, 500, 1.5, USED, "s1", raw("t1"))

WROTE = Journaled("k", "finished", raw("e"), "shell", usage=USED)
AGAIN = msgspec.structs.replace(STARTED, attempt=2)

STEPS: list[tuple[list[AnyEvent], dict[str, Any]]] = [
    (
        [StepSucceeded("k", raw(7), 1, 1.5, USED, "s", raw("t"), b"tree")],
        {
            "status": "succeeded",
            "result": raw(7),
            "finished": 101,
            "ended": 101,
            "last": 1,
            "seconds": 1.5,
            "usage": USED,
            "session": "s",
        }
        | {"transcript": raw("t"), "snapshot": b"tree"},
    ),
    (
        [FAILED_ONCE],
        {
            "status": "retrying",
            "failures": 1,
            "error": WHY,
            "not_before": 500,
            "ended": 101,
            "last": 1,
            "seconds": 1.5,
            "usage": USED,
        }
        | {"session": "s1", "transcript": raw("t1")},
    ),
    (
        [FAILED_ONCE, msgspec.structs.replace(STARTED, attempt=2), StepSucceeded("k", usage=USED)],
        {"status": "succeeded", "attempt": 2, "failures": 1, "finished": 103, "session": "s1"}
        | {"usage": Usage(2, 4, 6, 1.0), "ended": 103, "last": 3, "begun": 2},
    ),
    (
        [StepFailed("k", WHY, 1, 2.5)],
        {"status": "failed", "failures": 1, "error": WHY, "finished": 101, "seconds": 2.5}
        | {"ended": 101, "last": 1},
    ),
    ([StepDeferred("k", 900)], {"status": "deferred", "not_before": 900}),
    (
        [StepDeferred("k", 900), msgspec.structs.replace(STARTED, attempt=2)],
        {"attempt": 2, "begun": 2},
    ),
    (
        [StepDeferred("k", 900, snapshot=TREE)],
        {"status": "deferred", "not_before": 900, "snapshot": TREE},
    ),
    ([SessionOpened("k", "s")], {"session": "s"}),
    (
        [WROTE, WROTE],
        {"journal": 2, "journal_at": 1, "usage": Usage(2, 4, 6, 1.0), "paid": Usage(2, 4, 6, 1.0)},
    ),
    (
        [WROTE, AGAIN, WROTE],
        {"journal": 2, "journal_at": 1, "attempt": 2, "begun": 2, "paid": USED}
        | {"usage": Usage(2, 4, 6, 1.0)},
    ),
    ([StepCancelled("k")], {"status": "cancelled", "finished": 101, "ended": 101, "last": 1}),
    ([DoubtRaised("k")], {"status": "doubt"}),
]


@pytest.mark.parametrize(("events", "changes"), STEPS, ids=range(len(STEPS)))
def test_a_steps_events_change_this_of_the_step(
    events: list[AnyEvent], changes: dict[str, Any]
) -> None:
    assert step(after(STARTED, *events)) == changes


def test_what_attempts_used_is_summed_over_steps_and_tries() -> None:
    other = msgspec.structs.replace(STARTED, key="l")
    state = after(STARTED, FAILED_ONCE, StepSucceeded("k", usage=USED), other, StepFailed("l", WHY))

    assert state.usage == Usage(2, 4, 6, 1.0)


@pytest.mark.parametrize(("reason", "session"), [("fork", ""), ("rewind", ""), ("retry", "s")])
def test_an_agents_conversation_stays_with_the_history_that_it_belongs_to(
    reason: str, session: str
) -> None:
    state = after(STARTED, SessionOpened("k", "s"), RunForked("f", reason, "r", 1, 2, 2))

    assert state.steps["k"].session == session


INVALID = AttemptFailed("k", Failure("output_invalid", "no number"))


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([WROTE, AGAIN], 1),  # after a crash of ours
        ([WROTE, StepDeferred("k", 900), AGAIN], 1),
        ([WROTE, INVALID, AGAIN], 1),
        ([WROTE, FAILED_ONCE, AGAIN], 0),
        ([FAILED_ONCE, AGAIN, WROTE, AGAIN], 1),  # a crash of the try that wrote it
        ([WROTE, RunForked("f", "fork", "r", 1, 2, 2)], 0),
        ([WROTE, RunForked("f", "rewind", "r", 1, 2, 2)], 0),
        ([WROTE, StepFailed("k", WHY), RunForked("f", "retry", "r", 1, 2, 2, retried=["k"])], 0),
        ([WROTE, RunForked("f", "retry", "r", 1, 2, 2, retried=["other"])], 1),
        ([WROTE, RunForked("f", "accept", "r", 1, 2, 2)], 1),
    ],
)
def test_a_journal_goes_on_where_its_try_was_cut_short_and_nowhere_else(
    events: list[AnyEvent], left: int
) -> None:
    assert after(STARTED, *events).steps["k"].journal == left


def test_a_journal_counts_towards_what_the_run_used() -> None:
    assert after(STARTED, WROTE, StepSucceeded("k")).usage == USED


def test_a_doubt_opens_a_gate_that_resolves_nothing_by_itself() -> None:
    asked = after(STARTED, DoubtRaised("k"))
    decided = reduce(asked, ApprovalDecided("k", True, "anna"), 102)

    assert [gate.kind for gate in asked.open_gates] == ["doubt"]
    assert not decided.open_gates
    assert decided.resolved == ()


def test_a_gate_for_certain_people_expires_all_the_same() -> None:
    asked = after(ApprovalRequested("k", by=["anna"], expires_at=200))

    state = reduce(asked, ApprovalDecided("k", False, "engine", "nobody decided in time"), 200)

    assert state.resolved == ("k",)
    assert not reduce(asked, ApprovalDecided("k", True, "engine"), 200).resolved


def test_who_it_was_escalated_to_may_decide_as_well_as_who_was_asked_first() -> None:
    asked = after(ApprovalRequested("k", by=["anna"], on_expire="escalate", escalate_to=["bo"]))
    passed_on = reduce(asked, GateEscalated("k", ["bo"], 300), 200)

    assert [asked.gates["k"].may_decide(who) for who in ("anna", "bo", "eve")] == [
        True,
        False,
        False,
    ]
    assert passed_on.gates["k"].may_decide("anna")
    assert reduce(passed_on, ApprovalDecided("k", True, "bo"), 201).resolved == ("k",)


def test_nobody_waits_at_a_gate_that_was_open_when_the_run_was_cancelled() -> None:
    cancelled = after(ASKED, CancelRequested())

    assert cancelled.open_gates == []
    assert reduce(cancelled, ApprovalRequested("l"), 200).open_gates[0].key == "l"


def test_every_event_has_a_row() -> None:
    rows = {type(event) for _, event, _ in TABLE} | {type(e) for events, _ in STEPS for e in events}

    assert rows | {StepStarted} == {*KNOWN, UnknownEvent}


# --- laws ----------------------------------------------------------------------------------------

# Few keys, names and owners, so that events meet.
WORDS = st.sampled_from(["k", "l", "anna", "s", "o", ""])
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    bytes | None: st.none() | st.binary(max_size=4),
    str: WORDS,
    int: st.integers(-5, 5),
    float: st.floats(0, 10),
    bool: st.booleans(),
    bytes: st.sampled_from([b"", b"x"]),
    Value: st.sampled_from([raw(None), raw(1)]),
    list[str]: st.lists(WORDS, max_size=2),
    Failure: st.just(WHY),
    Failure | None: st.sampled_from([None, WHY]),
    list[Edit]: st.just([Edit("model", raw("m"), "k")]),
    list[Ballot]: st.lists(st.builds(Ballot, WORDS, st.booleans(), st.just(9)), max_size=2),
    Usage | None: st.sampled_from([None, USED]),
    Budget | None: st.sampled_from([None, Budget(1.0, 50), Budget(tokens=9, each_tokens=2)]),
    Reserved | None: st.sampled_from([None, Reserved(0.5, 2), Reserved(1.0, guessed=True)]),
    list[Role]: st.sampled_from([[], [Role("default", "codex")], [Role("k", model="m")]]),
}


def any_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    known = {f.name: BY_TYPE[f.type] for f in msgspec.structs.fields(kind)}
    return st.builds(kind, **known)


EVENTS = st.one_of(*map(any_of, KNOWN), st.just(UnknownEvent("new.thing", raw({}))))
HISTORIES = st.lists(st.tuples(EVENTS, st.integers(0, 50)), max_size=25).map(
    lambda pairs: [Record(i + 1, 1, i, time, "t", 1, e) for i, (e, time) in enumerate(pairs)]
)


@settings(max_examples=150, deadline=None)
@given(HISTORIES)
def test_any_event_fits_any_state(history: list[Record]) -> None:
    state = State()
    for record in history:
        before, now = state, state.now
        state = reduce(before, record.event, record.time)
        assert state.offset == before.offset + 1
        assert state.now == max(now, record.time)
        assert len(state.resolved) <= 1
        assert state.open_gates is not None


@settings(max_examples=100, deadline=None)
@given(HISTORIES, st.data())
def test_replay_in_two_halves_is_replay_in_one(history: list[Record], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(history)))

    assert replay(history[cut:], replay(history[:cut])) == replay(history)


@settings(max_examples=100, deadline=None)
@given(HISTORIES)
def test_an_old_state_stays_as_it_was(history: list[Record]) -> None:
    states = [State()]
    for record in history:
        states.append(reduce(states[-1], record.event, record.time))

    for length, state in enumerate(states):
        assert state == replay(history[:length])


def test_a_signal_finds_whoever_waits_for_it_without_a_look_at_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = State()
    for n in range(3):
        state = reduce(state, SignalAwaited(f"k{n}", "s", str(n)), n)

    with monkeypatch.context() as patch:
        for reading in ("__iter__", "values", "items"):
            patch.delattr(PMap, reading)
        for n in (2, 0, 1):
            state = reduce(state, SignalReceived("s", raw(n), str(n)), 9)

    assert state.received == PMap({f"k{n}": raw(n) for n in range(3)})
    assert len(state.waits) == len(state.listeners) == 0


@settings(max_examples=100, deadline=None)
@given(HISTORIES)
def test_who_waits_for_a_signal_is_known_by_it_and_by_key(history: list[Record]) -> None:
    state = replay(history)

    listening = [key for keys in state.listeners.values() for key in keys]
    assert sorted(listening) == sorted(state.waits)
    for wait in state.waits.values():
        got = reduce(state, SignalReceived(wait.signal, raw(1), wait.correlation), state.now)
        (key,) = got.resolved
        same = (wait.signal, wait.correlation)
        ones = [w.key for w in state.waits.values() if (w.signal, w.correlation) == same]
        assert key in ones
