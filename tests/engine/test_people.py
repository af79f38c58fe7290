"""People in the loop: what they may decide, until when, and what becomes of what nobody decided."""

from typing import Any

import msgspec
import pytest
import trio
from msgspec import Struct

from holdfast import GateExpired, Run, Skipped, workflow
from holdfast.errors import (
    EditsInvalid,
    GateClosed,
    GateOverdue,
    NameReserved,
    NotAllowed,
    RunCancelling,
    SubjectChanged,
)
from holdfast.eventlog import (
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    GateEscalated,
    GateReminded,
)
from holdfast.eventlog import GateExpired as GateExpiredEvent
from holdfast.reducer import WorkflowError
from holdfast.runs import request_cancel
from holdfast.travel import Change, fork, plan
from tests.support.lab import Counter, Lab, virtual_now


def packed(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(value))


# --- when time runs out ----------------------------------------------------------------------------


@workflow
async def halting(run: Run) -> str:
    try:
        await run.approve("go", expires="1h", on_expire="halt", on_deny="return")
    except GateExpired as error:
        await run.step("undo", str)
        return f"undone: {error.key}"
    return "went"


async def test_a_gate_that_halts_raises_and_lets_the_workflow_clean_up(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(halting)
    await trio.sleep(3600)

    assert (await lab.resume()).output == "undone: go"
    assert len(lab.events(kind=GateExpiredEvent)) == 1


async def test_an_uncaught_halt_fails_the_run_with_what_to_do(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def plain(run: Run) -> None:
        await run.approve("go", expires=10, on_expire="halt")

    outcome = await lab.run(plain)

    assert outcome.error is not None
    assert (outcome.status, outcome.error.code) == ("failed", "gate_expired")
    assert "nobody decided 'go' in time" in outcome.error.message


@workflow
async def escalating(run: Run) -> str:
    decision = await run.approve(
        "go", expires="1h", on_expire="escalate", by=["anna"], escalate_to=["bo", "cy"],
        on_deny="return",
    )  # fmt: skip
    return f"{decision.approved} {decision.by}"


async def test_what_nobody_decides_is_passed_on_and_then_counts_as_denied(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(escalating)
    with pytest.raises(NotAllowed, match="'bo' may not decide 'go': it is for 'anna'"):
        lab.approve(by="bo")
    await trio.sleep(3600)
    passed_on = await lab.resume()
    await trio.sleep(3600)

    assert passed_on.status == "waiting"
    assert (await lab.resume()).output == "False engine"
    assert [event.to for event in lab.events(kind=GateEscalated)] == [["bo", "cy"]]


async def test_who_it_was_passed_on_to_may_decide_also_while_nothing_runs(
    lab: Lab, autojump_clock: object
) -> None:
    """Nobody has noticed that the time ran out: the word itself brings that into the log first."""
    await lab.run(escalating)
    await trio.sleep(3601)
    lab.approve(by="cy")

    assert [type(event) for event in lab.events()[-2:]] == [GateEscalated, ApprovalDecided]
    assert (await lab.resume()).output == "True cy"


async def test_an_escalation_by_another_process_is_waited_for_anew(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def two(run: Run) -> Any:
        return await run.parallel(
            run.approve(
                "go", count=2, expires=100, on_expire="escalate", by=["anna"], escalate_to=["bo"],
                on_deny="return",
            ),
            run.step("long", trio.sleep, 1000),
        )  # fmt: skip

    async def person() -> None:
        await trio.sleep(100)
        lab.approve(by="bo")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(person)
        outcome = await lab.run(two)

    assert [d.by for d in lab.events(kind=ApprovalDecided)] == ["bo", "engine"]
    assert outcome.output[0]["approved"] is False


async def test_a_reminder_comes_each_time_and_the_gate_never_expires(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def patient(run: Run) -> str:
        return (await run.approve("go", expires="1d", on_expire="remind")).by

    await lab.run(patient)
    for _ in range(3):
        await trio.sleep(86_400)
        assert (await lab.resume()).status == "waiting"
    lab.approve()

    assert (await lab.resume()).output == "anna"
    assert len(lab.events(kind=GateReminded)) == 3


async def test_a_word_after_the_end_of_time_does_not_count(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(halting)
    await trio.sleep(3600)

    with pytest.raises(GateOverdue, match="the time of gate 'go'"):
        lab.approve()
    assert lab.events(kind=ApprovalDecided) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "anna"}, r"by=\['anna'\]"),
        ({"on_expire": "shout"}, "one of 'deny', 'halt', 'escalate', 'remind'"),
        ({"on_expire": "halt"}, "Add expires="),
        ({"on_expire": "escalate", "expires": 1}, "from whom to whom"),
        ({"escalate_to": ["bo"]}, 'without on_expire="escalate"'),
    ],
)
async def test_a_gate_that_makes_no_sense_is_refused_before_it_is_asked(
    lab: Lab, options: dict[str, Any], words: str, autojump_clock: object
) -> None:
    @workflow
    async def senseless(run: Run) -> None:
        await run.approve("go", **options)

    with pytest.raises(WorkflowError, match=words):
        await lab.run(senseless)
    assert lab.events(kind=ApprovalRequested) == []


# --- denial ----------------------------------------------------------------------------------------


async def test_a_branch_that_a_person_skips_ends_with_nothing_and_the_others_go_on(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def tickets(run: Run) -> Any:
        async def one(ticket: str) -> str:
            await run.approve("do it", ticket, on_deny="skip")
            return str(await run.step("work", count(ticket)))

        return await run.map(one, ["a", "b"])

    await lab.run(tickets)
    lab.approve("a/do it", approved=False, note="not now")
    lab.approve("b/do it")

    assert (await lab.resume()).output == [None, "b"]
    assert count.calls == ["b"]


async def test_a_workflow_that_is_skipped_as_a_whole_succeeds_with_nothing(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def whole(run: Run) -> str:
        try:
            await run.approve("first", on_deny="skip")
        except Skipped as error:
            await run.note(f"{error.by}: {error.note}")
        await run.approve("second", on_deny="skip")
        return "not reached"

    await lab.run(whole)
    lab.approve(approved=False, note="no")
    await lab.resume()
    lab.approve(approved=False)
    outcome = await lab.resume()

    assert (outcome.status, outcome.output) == ("succeeded", None)


# --- edits -----------------------------------------------------------------------------------------


class Plan(Struct):
    steps: list[str]
    budget: int = 5


@workflow
async def edited(run: Run) -> Any:
    decision = await run.approve("plan", {"steps": ["a"]}, edits=Plan, count=2)
    assert isinstance(decision.edits, Plan)
    return [decision.edits.steps, decision.edits.budget]


async def test_edits_are_of_the_type_that_the_workflow_wants(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(edited)
    with pytest.raises(EditsInvalid) as caught:
        lab.approve(by="bo", edits=packed({"steps": "a", "budget": "b"}))
    lab.approve(by="bo", edits=packed({"steps": ["b", "c"]}))
    lab.approve(by="cy")

    assert [str(problem) for problem in caught.value.problems] == [
        "$.steps: is a text, not a list",
        "$.budget: is a text, not a whole number",
    ]
    assert (await lab.resume()).output == [["b", "c"], 5]


async def test_an_approval_with_edits_lapses_where_their_type_has_changed(
    lab: Lab, autojump_clock: object
) -> None:
    kinds: list[Any] = [Plan]

    @workflow
    async def changing(run: Run, more: bool = False) -> Any:
        decision = await run.approve("plan", "x", edits=kinds[0])
        return await run.step("use", str, f"{decision.edits} {more}")

    await lab.run(changing)
    lab.approve(edits=packed({"steps": []}))
    await lab.resume()
    change = Change("fork", 1, input={"more": True})
    fork(lab.log, lab.load, "r", change, actor="cli:a", id="same", now=virtual_now())
    same = await lab.resume("same")
    kinds[0] = dict[str, int]
    fork(lab.log, lab.load, "r", change, actor="cli:a", id="other", now=virtual_now())
    other = await lab.resume("other")

    assert same.status == "succeeded"
    assert (other.status, other.waiting) == ("waiting", ("plan",))


# --- who, when, what --------------------------------------------------------------------------------


@workflow
async def simple(run: Run, subject: str = "x") -> str:
    await run.step("before", str, subject)
    return (await run.approve("go", subject)).by


async def test_the_second_of_two_people_is_told_of_the_first(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(simple)
    lab.approve(by="anna")

    with pytest.raises(GateClosed, match="'anna' has approved it before, and that stands"):
        lab.approve("go", by="bo", approved=False)
    assert (await lab.resume()).output == "anna"


async def test_nobody_is_called_engine(lab: Lab, autojump_clock: object) -> None:
    await lab.run(simple)

    for name in ("engine", "", "  "):
        with pytest.raises(NameReserved, match="is nobody's name"):
            lab.approve(by=name)


async def test_a_run_that_is_being_cancelled_takes_no_word(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(simple)
    request_cancel(lab.log, "r", "cli:x")

    with pytest.raises(RunCancelling, match="'r' is being cancelled"):
        lab.approve("go")
    with pytest.raises(RunCancelling):
        lab.approve()
    assert (await lab.resume()).status == "cancelled"


async def test_a_word_holds_for_what_was_seen(lab: Lab, autojump_clock: object) -> None:
    await lab.run(simple)
    digest = lab.state().gates["go"].digest.hex()
    with pytest.raises(SubjectChanged, match=f"its digest is {digest[:16]} now"):
        lab.approve(digest="ff" + digest)
    lab.approve(digest=digest[:8].upper())

    assert (await lab.resume()).output == "anna"


# --- time travel -----------------------------------------------------------------------------------


async def test_an_approval_lapses_where_its_subject_changed_and_the_plan_says_so(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(simple)
    lab.approve()
    await lab.resume()
    change = Change("fork", 1, input={"subject": "y"})

    item = {i.key: i for i in plan(lab.log, lab.load, "r", change, now=virtual_now()).items}["go"]
    fork(lab.log, lab.load, "r", change, actor="cli:a", id="f", now=virtual_now())

    assert (item.action, item.lapses, item.because) == (
        "asks", True, "what was approved has changed",
    )  # fmt: skip
    assert (await lab.resume("f")).status == "waiting"
    assert lab.events("f", kind=ApprovalCarried) == []


async def test_a_gate_keeps_the_time_that_was_left_when_its_history_is_left(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(halting)
    frame = lab.log.run("r").head
    await trio.sleep(10_000)
    fork(lab.log, lab.load, "r", Change("fork", frame), actor="cli:a", id="f", now=virtual_now())
    await lab.resume("f")

    left_s = (lab.state("f").gates["go"].expires_at - virtual_now()) / 1e9
    assert 3500 < left_s <= 3600
    lab.approve(run="f")
    assert (await lab.resume("f")).output == "went"


async def test_an_expired_gate_before_the_fork_point_stays_expired(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(halting)
    await trio.sleep(3600)
    await lab.resume()
    fork(lab.log, lab.load, "r", Change("fork", "undo"), actor="cli:a", id="f", now=virtual_now())

    assert (await lab.resume("f")).output == "undone: go"
    assert len(lab.events("f", kind=GateExpiredEvent)) == 1


async def test_an_expiry_survives_moving_on_to_edited_code(
    lab: Lab, autojump_clock: object
) -> None:
    """The branch begins anew, and what was recorded stands, the expiry too."""

    @workflow(name="w")
    async def one(run: Run) -> str:
        await run.step("first", str, 1)
        try:
            await run.approve("go", expires=10, on_expire="halt")
        except GateExpired:
            await run.step("after", str)
        await run.approve("end")
        return "one"

    @workflow(name="w")
    async def two(run: Run) -> str:
        await run.step("first", str, 2)
        try:
            await run.approve("go", expires=10, on_expire="halt")
        except GateExpired:
            await run.step("after", str)
        await run.approve("end")
        return "two"

    await lab.run(one)
    lab.workflows[one.reference] = two
    fork(lab.log, lab.load, "r", Change("accept"), actor="cli:a", now=virtual_now())
    await lab.resume()
    lab.approve("end")

    assert (await lab.resume()).output == "two"
    assert [e.key for e in lab.events(kind=GateExpiredEvent)] == ["go"]
