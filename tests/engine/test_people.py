"""People in the loop: what they may decide, until when, and what becomes of what nobody decided."""

import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
import trio
from msgspec import Meta, Struct

from holdfast import GateExpired, Run, Skipped, workflow
from holdfast.errors import (
    AnswerInvalid,
    EditsInvalid,
    GateClosed,
    GateOverdue,
    NameReserved,
    NotAllowed,
    NotAnApproval,
    NotAQuestion,
    RunCancelling,
    SubjectChanged,
)
from holdfast.eventlog import (
    AnswerCarried,
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    GateEscalated,
    GateReminded,
    QuestionAnswered,
    QuestionAsked,
)
from holdfast.eventlog import GateExpired as GateExpiredEvent
from holdfast.reducer import NotRecordable, WorkflowError
from holdfast.runs import answer_question, request_cancel
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


async def test_a_cancelled_run_asks_people_no_longer_in_what_cleans_up_behind_a_race(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def raced(run: Run) -> None:
        async def slow() -> None:
            try:
                await run.sleep("1h")
            finally:
                await run.approve("tidy up")

        await run.race(slow(), run.note("quick"))

    waiting = await lab.run(raced)
    request_cancel(lab.log, "r", "cli:x")
    outcome = await lab.resume()

    assert waiting.waiting == ("slow/tidy up",)
    assert outcome.status == "cancelled"
    assert lab.replays()


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


# --- questions -------------------------------------------------------------------------------------


class Place(Struct):
    where: Literal["here", "there"]
    when: Annotated[datetime.datetime, Meta(tz=True)] | None = None
    names: list[str] = []


@workflow
async def asking(run: Run, question: str = "where to?") -> Any:
    place = await run.ask("place", question, output=Place, by=["anna", "bo"])
    assert isinstance(place, Place)
    return await run.step("go", lambda: [place.where, place.when, place.names], output=list[Any])


def answer(lab: Lab, value: Any, by: str = "anna", run: str = "r", gate: str | None = None) -> None:
    answer_question(lab.log, run, gate, value, by=by, actor=f"cli:{by}", now=virtual_now())


async def test_an_answer_is_of_the_type_that_was_asked_for(
    lab: Lab, autojump_clock: object
) -> None:
    waiting = await lab.run(asking)
    answer(lab, {"where": "here", "when": "2030-01-31T12:00:00Z"}, "bo")
    done = await lab.resume()

    assert (waiting.status, waiting.waiting) == ("waiting", ("place",))
    assert done.output[:1] == ["here"]
    assert [(e.by, e.key) for e in lab.events(kind=QuestionAnswered)] == [("bo", "place")]


async def test_a_wrong_answer_is_told_field_by_field_and_nothing_is_written(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(asking)
    head = lab.log.run("r").head

    with pytest.raises(AnswerInvalid) as caught:
        answer(lab, {"where": "nowhere", "names": [1]})
    assert [str(problem) for problem in caught.value.problems] == [
        "$.where: is 'nowhere', not 'here' or 'there'",
        "$.names[0]: is a whole number, not a text",
    ]
    assert lab.log.run("r").head == head


async def test_an_answer_of_somebody_else_or_a_second_one_is_refused(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(asking)
    with pytest.raises(NotAllowed, match="'eve' may not decide 'place'"):
        answer(lab, {"where": "here"}, "eve")
    answer(lab, {"where": "here"})

    with pytest.raises(GateClosed, match="'anna' has answered it before"):
        answer(lab, {"where": "there"}, "bo", gate="place")


async def test_a_question_is_not_approved_and_an_approval_not_answered(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def both(run: Run) -> Any:
        return await run.parallel(run.approve("go"), run.ask("name", "who?"))

    await lab.run(both)
    with pytest.raises(NotAnApproval, match="holdfast answer r name"):
        lab.approve("name")
    with pytest.raises(NotAQuestion, match="holdfast approve r go"):
        answer(lab, "x", gate="go")
    lab.approve()
    answer(lab, "Al")

    assert (await lab.resume()).output[1] == "Al"


async def test_a_question_that_nobody_answers_in_time_raises(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def impatient(run: Run) -> str:
        try:
            return str(await run.ask("name", "who?", expires=10))
        except GateExpired as error:
            return f"nobody: {error.key}"

    assert (await lab.run(impatient)).output == "nobody: name"


async def test_a_question_that_was_passed_on_and_forgotten_raises_as_well(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def patient(run: Run) -> str:
        return str(
            await run.ask(
                "name", "who?", expires=10, by=["anna"], on_expire="escalate", escalate_to=["bo"]
            )
        )

    outcome = await lab.run(patient)

    assert outcome.error is not None
    assert outcome.error.code == "gate_expired"
    assert [event.to for event in lab.events(kind=GateEscalated)] == [["bo"]]


async def test_a_question_of_a_type_that_nobody_can_describe_is_refused(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def odd(run: Run) -> Any:
        return await run.ask("name", "who?", output=Lab)

    with pytest.raises(NotRecordable, match="the type of what people fill in at 'name'"):
        await lab.run(odd)


async def test_an_answer_is_carried_only_where_the_question_is_unchanged(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(asking)
    answer(lab, {"where": "here"})
    await lab.resume()
    for name, given in (("same", "where to?"), ("other", "where from?")):
        change = Change("fork", 1, input={"question": given})
        items = plan(lab.log, lab.load, "r", change, now=virtual_now()).items
        told = next(item for item in items if item.key == "place")
        assert (told.action, told.lapses) == (
            ("reused", False) if name == "same" else ("asks", True)
        )
        fork(lab.log, lab.load, "r", change, actor="cli:a", id=name, now=virtual_now())

    assert (await lab.resume("same")).output[0] == "here"
    assert [e.by for e in lab.events("same", kind=AnswerCarried)] == ["anna"]
    assert (await lab.resume("other")).status == "waiting"


async def test_a_rewind_to_before_a_question_asks_again(lab: Lab, autojump_clock: object) -> None:
    await lab.run(asking)
    answer(lab, {"where": "here"})
    await lab.resume()
    fork(lab.log, lab.load, "r", Change("rewind", "place"), actor="cli:a", now=virtual_now())
    again = await lab.resume()
    answer(lab, {"where": "there"})

    assert again.status == "waiting"
    assert (await lab.resume()).output[0] == "there"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 6))
async def test_a_crash_anywhere_around_a_question_loses_nothing(
    at: int, after: bool, lab: Lab, autojump_clock: object
) -> None:
    if await lab.crash(asking, {}, at=at, after=after):
        await lab.resume(takeover=True)
    answer(lab, {"where": "here"})

    assert (await lab.resume()).output[0] == "here"
    assert len(lab.events(kind=QuestionAsked)) == 1
