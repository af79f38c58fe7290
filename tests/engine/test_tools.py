"""Models that ask for tools: each use is made by the workflow's own steps, and lasts as they do."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast import Run, workflow
from holdfast.cli.telling import telling
from holdfast.errors import ResultInvalid
from holdfast.eventlog import AttemptFailed, Edit, StepFailed, StepSucceeded
from holdfast.plugins import BadOptions, Emit, ModelCall, ModelResult, OutputInvalid, ToolCall
from holdfast.reducer import Reply, ToolResult, WorkflowError
from holdfast.reducer.conversation import conversation, reply_type, tool_specs
from holdfast.travel import Change, fork
from tests.support.lab import Counter, Lab, virtual_now
from tests.support.scripted import PRICE, Scripted, ScriptedPlugin, calls, says


class Find(msgspec.Struct, forbid_unknown_fields=True):
    """Find an order."""

    number: int


class Answer(msgspec.Struct):
    state: str


REFUND: dict[str, Any] = {
    "name": "refund",
    "description": "Pay an order back.",
    "parameters": {
        "type": "object",
        "properties": {"cents": {"type": "integer", "minimum": 1}},
        "required": ["cents"],
    },
}
DONE = ModelResult(text='{"state": "paid"}', output={"state": "paid"}, usage=PRICE)
counter = Counter()


@workflow
async def care(run: Run) -> Any:
    """Let a model look an order up and pay it back, each by a step."""
    said: list[Any] = [("system", "Be kind."), ("user", "Where is 7?")]
    reply = Reply()
    async for _ in run.loop("turn", max=5):
        reply = await run.model(
            "ask", said, model="scripted/one", tools=[Find, REFUND], output=Answer
        )
        if not reply.calls:
            break
        said.append(reply)
        for use in reply.calls:
            match use.arguments:
                case Find(number=number):
                    found = await run.step("find", counter(f"find {number}", {"cents": 5}))
                case given:
                    found = await run.step("refund", counter(f"refund {given['cents']}"))
            said.append(use.result(found))
    return reply.output


Make = Callable[[Scripted], Lab]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A function that makes the test's lab, with a model."""
    labs: list[Lab] = []

    def made(model: Scripted) -> Lab:
        labs.append(Lab(tmp_path, ScriptedPlugin(model)))
        return labs[0]

    counter.calls.clear()
    yield made
    for lab in labs:
        lab.log.close()


async def test_the_workflow_makes_the_calls_and_the_model_reads_what_came_of_them(
    make: Make, autojump_clock: object
) -> None:
    wanted = calls(("Find", {"number": 7}), ("refund", {"cents": 5}), text="I look.")
    model = Scripted([wanted, DONE])
    lab = make(model)

    outcome = await lab.run(care)

    assert outcome.output == {"state": "paid"}
    assert counter.calls == ["find 7", "refund 5"]
    offered = [(tool.name, tool.description, tool.schema) for tool in model.asked[0].tools]
    assert offered[0] == (
        "Find",
        "Find an order.",
        {
            "type": "object",
            "properties": {"number": {"type": "integer"}},
            "required": ["number"],
            "additionalProperties": False,
        },
    )
    assert offered[1] == ("refund", "Pay an order back.", REFUND["parameters"])
    assert model.asked[0].schema == msgspec.json.schema(Answer)
    said, *results = model.asked[1].messages[2:]
    assert [(c.id, c.name, json.loads(c.arguments)) for c in said.calls] == [
        ("c0", "Find", {"number": 7}),
        ("c1", "refund", {"cents": 5}),
    ]
    assert [(m.role, m.call_id, m.content) for m in results] == [
        ("tool", "c0", '{"cents":5}'),
        ("tool", "c1", "refund 5"),
    ]
    assert lab.replays()
    answer = lab.events(kind=StepSucceeded)[0]
    told = telling(answer, lab.state(), lab.log.load)
    assert told is not None
    assert told.text.endswith(', wants Find {"number":7}, refund {"cents":5}')


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 6))
async def test_a_crash_anywhere_makes_no_finished_call_again(
    make: Make, autojump_clock: object, at: int, *, after: bool
) -> None:
    model = Scripted([calls(("Find", {"number": 7})), calls(("refund", {"cents": 5})), DONE])
    lab = make(model)

    await lab.crash(care, {}, at=at, after=after)
    outcome = await lab.resume(takeover=True)

    assert outcome.output == {"state": "paid"}
    answers = [e for e in lab.events(kind=StepSucceeded) if e.key.endswith("/ask")]
    assert len(answers) == 3
    assert len(model.asked) <= 4
    assert len(counter.calls) <= 3
    assert set(counter.calls) == {"find 7", "refund 5"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (calls(("Find", {"number": "seven"})), "'seven' is not of type 'integer'"),
        (calls(("Find", {"number": 7, "more": 1})), "Additional properties"),
        (
            calls(("refund", {"cents": 0})),
            r"do not fit\['cents'\]: 0 is less than the minimum of 1",
        ),
        (calls(("refund", '{"cents": ')), "are not JSON"),
        (calls(("refund", "[]")), "is not of type 'object'"),
        (calls(("delete", {})), "no tool 'delete'; there are: Find, refund"),
        (says("Paid.", output={"state": 7}), "Expected `str`, got `int`"),
    ],
)
async def test_what_does_not_fit_is_asked_for_again_with_the_reason(
    make: Make, autojump_clock: object, wrong: ModelResult, why: str
) -> None:
    model = Mending([wrong, DONE])
    lab = make(model)

    outcome = await lab.run(care)

    assert outcome.output == {"state": "paid"}
    assert counter.calls == []
    (failed,) = lab.events(kind=AttemptFailed)
    assert (failed.error.code, failed.usage) == (OutputInvalid.code, PRICE)
    again = model.asked[1].messages[-1]
    assert again.role == "user"
    assert re.search(why, again.content)


class Mending(Scripted):
    """Answers call by call, whatever the conversation is."""

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        self.asked.append(call)
        turn = self.turns[min(len(self.asked), len(self.turns)) - 1]
        assert isinstance(turn, ModelResult)
        return turn


async def test_parameters_that_are_no_schema_are_refused_before_the_model_is_asked(
    make: Make, autojump_clock: object
) -> None:
    @workflow
    async def broken(run: Run) -> Any:
        tool = {**REFUND, "parameters": {"type": "object", "properties": {"a": {"type": "cat"}}}}
        return await run.model("ask", "?", model="scripted/one", tools=[tool], retries=5)

    model = Scripted([DONE])
    lab = make(model)

    outcome = await lab.run(broken)

    assert outcome.status == "failed"
    (failed,) = lab.events(kind=StepFailed)
    assert failed.error.code == BadOptions.code
    assert "the parameters of the tool 'refund' are no JSON Schema: 'cat'" in failed.error.message
    assert not model.asked


async def test_a_schema_that_points_elsewhere_fetches_nothing(
    make: Make, autojump_clock: object
) -> None:
    @workflow
    async def broken(run: Run) -> Any:
        there = {"$ref": "http://127.0.0.1:9/schema.json"}
        tool = {**REFUND, "parameters": {"type": "object", "properties": {"cents": there}}}
        return await run.model("ask", "?", model="scripted/one", tools=[tool])

    lab = make(Mending([calls(("refund", {"cents": 1}))]))

    outcome = await lab.run(broken)

    assert outcome.status == "failed"
    (failed,) = lab.events(kind=StepFailed)
    assert "Unresolvable" in failed.error.message


async def test_what_another_provider_signed_is_not_sent_to_this_one(
    make: Make, autojump_clock: object
) -> None:
    @workflow
    async def move(run: Run) -> Any:
        first = await run.model("a", "?", model="scripted/one", tools=[Find])
        said = [("user", "?"), first, first.calls[0].result("no")]
        await run.model("b", said, model="scripted/one", tools=[Find])
        await run.model("c", said, model="scripted/two", tools=[Find])

    signed = ToolCall("x", "Find", '{"number":1}', {"provider_specific_fields": {"s": 1}})
    wants = ModelResult(text="", calls=[signed], extra={"thinking_blocks": [1]}, stop="calls")
    model = Mending([wants, says("no")])
    lab = make(model)

    await lab.run(move)

    same, other = model.asked[1].messages[1], model.asked[2].messages[1]
    assert (same.extra, same.calls) == (wants.extra, [signed])
    assert other.extra == other.calls[0].extra == {}


def test_what_cannot_be_asked_is_refused_where_it_is_written() -> None:
    def refusal(prompt: Any = "?", tools: Any = ()) -> str:
        def ask() -> None:
            conversation("ask", prompt)
            tool_specs("ask", tools)

        with pytest.raises(WorkflowError) as refused:
            ask()
        return str(refused.value)

    made = reply_type((("Find", Find),), str)
    wants = msgspec.convert(
        {"calls": [{"name": "Find", "id": "c1", "arguments": {"number": 1}}]}, made
    )
    result = wants.calls[0].result({"found": 1})

    assert result == ToolResult("c1", '{"found":1}')
    assert conversation("ask", [["user", "?"], wants, result])[1:] == [wants, result]
    assert "no result for 'c1'" in refusal([("user", "?"), wants])
    assert "no result for 'c1'" in refusal([wants, ("user", "?"), result])
    assert "a result for 'c1'" in refusal([wants, result, result])
    assert "is no message for the model call 'ask'" in refusal([("tool", "done")])
    assert "is no message" in refusal([7])
    assert "cannot offer the tool int" in refusal(tools=[int])
    assert "two of the name 'Find'" in refusal(tools=[Find, Find])
    assert "it needs name, description, parameters" in refusal(tools=[{"name": "x"}])
    assert "'a b' is no name of a tool" in refusal(tools=[{**REFUND, "name": "a b"}])


async def test_a_fork_takes_a_reply_over_and_may_be_given_another(
    make: Make, autojump_clock: object
) -> None:
    model = Scripted([calls(("Find", {"number": 7})), DONE])
    lab = make(model)
    await lab.run(care)
    given = {"text": "", "output": {"state": "lost"}}
    broken = {"calls": [{"name": "Find", "id": "1"}]}

    with pytest.raises(ResultInvalid, match="missing required field `arguments`"):
        leave(lab, broken)
    leave(lab, given)
    outcome = await lab.resume("other")

    assert outcome.output == {"state": "lost"}
    assert len(model.asked) == 2


def leave(lab: Lab, result: object) -> None:
    edit = Edit("result", msgspec.Raw(msgspec.msgpack.encode(result)), "turn[1]/ask")
    change = Change("fork", at="turn[1]/ask", edits=(edit,))
    fork(lab.log, lab.load, "r", change, actor="cli:ann", id="other", now=virtual_now())
