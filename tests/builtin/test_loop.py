"""The loop of the `builtin` agent: what it asks, what it does, when it ends."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from holdfast.eventlog import Usage
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    BadOptions,
    Crashed,
    Entry,
    Journal,
    LimitReached,
    MissingFolder,
    NoOutput,
    OutputInvalid,
    Plugins,
    Progress,
    RateLimited,
    Refused,
    Tool,
    ToolSetting,
    UnknownModel,
    WorkError,
)
from holdfast.plugins.agents import Builtin
from holdfast.plugins.testing import agent_task, check_agent
from tests.support.scripted import PRICE, Scripted, ScriptedPlugin, Turn, calls, says

MODEL = "scripted/large"
SCHEMA = msgspec.json.schema(dict[str, int])


def task_for(
    model: Scripted, folder: Path, tools: Mapping[str, Tool] | None = None, **fields: Any
) -> AgentTask:
    offers = Plugins.load(ScriptedPlugin(model, tools), installed=False)
    fields = {"model": MODEL, "offers": offers, **fields}
    return agent_task(folder, fields.pop("prompt", "do it"), **fields)


async def run(task: AgentTask, seen: list[Progress] | None = None) -> AgentResult:
    shown: list[Progress] = [] if seen is None else seen
    return await Builtin().run(task, shown.append)


async def test_it_calls_tools_until_the_model_is_done(tmp_path: Path) -> None:
    model = Scripted(
        [
            calls(("write", {"path": "a.py", "content": "print(1 + 1)\n"}), text="First the file."),
            calls(("edit", {"path": "a.py", "old": "1 + 1", "new": "6 * 7"})),
            calls(("shell", {"command": "python3 a.py"})),
            lambda call: says(f"It prints {call.messages[-1].content.split()[-1]}."),
        ]
    )
    seen: list[Progress] = []

    result = await run(task_for(model, tmp_path), seen)

    assert result.text == "It prints 42."
    assert (tmp_path / "a.py").read_text() == "print(6 * 7)\n"
    assert [message.role for message in model.last] == ["user", *["assistant", "tool"] * 3]
    assert model.last[0].content == "do it"
    tools = [progress for progress in seen if progress.kind == "tool"]
    assert [each.data["name"] for each in tools] == ["write", "edit", "shell"]
    assert tools[2].text == "python3 a.py"


async def test_calls_of_one_answer_are_all_made_in_their_order(tmp_path: Path) -> None:
    wanted = [("shell", {"command": f"echo {n} | tee -a log"}) for n in range(3)]
    model = Scripted([calls(*wanted), says("done")])

    await run(task_for(model, tmp_path))

    assert (tmp_path / "log").read_text() == "0\n1\n2\n"
    assert model.results() == [f"exit status 0\n{n}\n" for n in range(3)]
    ids = [call.id for call in model.last[1].calls]
    assert [message.call_id for message in model.last[2:]] == ids
    assert len({*ids}) == 3


async def test_calls_without_an_id_of_their_own_get_one(tmp_path: Path) -> None:
    twice = calls(("list", {}), ("list", {}))
    same = [msgspec.structs.replace(call, id="same") for call in twice.calls]
    model = Scripted([msgspec.structs.replace(twice, calls=same), says("done")])

    await run(task_for(model, tmp_path))

    assert [call.id for call in model.last[1].calls] == ["same", "call_0_1"]


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("fly", "{}", "there is no tool 'fly' here; there are: read, list"),
        ("read", '{"path": "a', "are not JSON"),
        ("read", "[1]", "have to be a JSON object"),
        ("read", "{}", "missing required field `path`"),
        ("read", '{"path": "nowhere"}', "No such file or directory"),
        ("final_answer", "{}", "there is no tool 'final_answer'"),
    ],
)
async def test_a_call_that_makes_no_sense_is_told_to_the_model_which_goes_on(
    tmp_path: Path, name: str, arguments: str, why: str
) -> None:
    model = Scripted([calls((name, arguments)), says("I see")])

    result = await run(task_for(model, tmp_path))

    assert result.text == "I see"
    assert model.results()[0].startswith("error: ")
    assert why in model.results()[0]


@pytest.mark.parametrize(
    ("permissions", "names"),
    [
        ("read", ["read", "list", "glob", "grep"]),
        ("edit", ["read", "list", "glob", "grep", "write", "edit"]),
        ("full", ["read", "list", "glob", "grep", "write", "edit", "shell"]),
    ],
)
async def test_the_permissions_decide_which_tools_there_are(
    tmp_path: Path, permissions: str, names: list[str]
) -> None:
    model = Scripted([calls(("shell", {"command": "touch a"})), says("done")])

    await run(task_for(model, tmp_path, permissions=permissions))

    assert [offer.name for offer in model.asked[0].tools] == names
    assert (tmp_path / "a").exists() == (permissions == "full")


# --- ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "asked", "limit"),
    [
        ({"turns": 3}, 3, "turns=3 (it used 3)"),
        ({"tokens": 250}, 3, "tokens=250 (it used 330)"),
        ({"budget_usd": 0.035}, 4, "budget_usd=0.035 (it used 0.04)"),
        ({}, 50, "turns=50 (it used 50)"),
    ],
)
async def test_a_model_that_never_stops_is_stopped(
    tmp_path: Path, options: dict[str, Any], asked: int, limit: str
) -> None:
    model = Scripted([calls(("list", {}))])

    with pytest.raises(LimitReached) as caught:
        await run(task_for(model, tmp_path, options=options))

    assert limit in str(caught.value)
    assert not caught.value.retryable
    assert len(model.asked) == asked


@pytest.mark.parametrize("options", [{"budget_usd": 1.0}, {"tokens": 9000}])
async def test_a_bound_that_nobody_can_hold_is_refused_at_once(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    free = msgspec.structs.replace(calls(("list", {})), usage=Usage())
    model = Scripted([free])

    with pytest.raises(BadOptions, match="cannot be held"):
        await run(task_for(model, tmp_path, options=options))

    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("fields", "error", "why"),
    [
        ({"model": None}, BadOptions, "name one"),
        ({"model": ""}, BadOptions, "name one"),
        ({"options": {"turn": 3}}, BadOptions, "unknown field `turn`"),
        ({"options": {"turns": 0}}, BadOptions, ">= 1"),
        ({"options": {"tools": ["fly"]}}, BadOptions, "names 'fly'"),
        ({"folder": Path("/nowhere")}, MissingFolder, "/nowhere"),
    ],
)
async def test_a_task_that_makes_no_sense_is_refused_before_the_model_is_asked(
    tmp_path: Path, fields: dict[str, Any], error: type[WorkError], why: str
) -> None:
    model = Scripted([says("hello")])
    task = msgspec.structs.replace(task_for(model, tmp_path), **fields)

    with pytest.raises(error) as caught:
        await run(task)

    assert why in str(caught.value)
    assert not caught.value.retryable
    assert not model.asked


async def test_a_model_that_nobody_offers_is_named(tmp_path: Path) -> None:
    offers = Plugins([])

    with pytest.raises(UnknownModel):
        await run(agent_task(tmp_path, "do it", model=MODEL, offers=offers))


async def test_a_refusal_ends_it_and_tells_what_it_cost(tmp_path: Path) -> None:
    model = Scripted([calls(("list", {})), Refused("not that", usage=PRICE)])

    with pytest.raises(Refused) as caught:
        await run(task_for(model, tmp_path))

    assert caught.value.usage == PRICE


async def test_a_rate_limit_is_for_the_engine_to_wait_for(tmp_path: Path) -> None:
    model = Scripted([calls(("list", {})), RateLimited("slow down", until=9)])

    with pytest.raises(RateLimited) as caught:
        await run(task_for(model, tmp_path))

    assert caught.value.until == 9


async def test_a_model_that_does_not_answer_is_asked_again_after_a_pause(
    tmp_path: Path, autojump_clock: object
) -> None:
    model = Scripted([calls(("list", {})), Crashed("500"), NoOutput("", usage=PRICE), says("done")])
    seen: list[Progress] = []
    task = task_for(model, tmp_path)

    assert (await run(task, seen)).text == "done"

    assert trio.current_time() >= 6
    assert [progress.kind for progress in seen].count("retry") == 2
    assert [entry.usage for entry in task.journal.entries if entry.usage] == [
        PRICE,
        Usage(200, 20, 0, 0.02),
    ]


async def test_a_model_that_is_gone_for_good_fails_the_attempt(
    tmp_path: Path, autojump_clock: object
) -> None:
    model = Scripted([*[Crashed("500", usage=PRICE)] * 4, says("too late")])

    with pytest.raises(Crashed) as caught:
        await run(task_for(model, tmp_path))

    assert caught.value.usage is not None
    assert caught.value.usage.input_tokens == 400


async def test_an_answer_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    model = Scripted([says("It is lo", stop="length"), says("ng.")])

    assert (await run(task_for(model, tmp_path))).text == "ng."
    assert "cut off" in model.last[-1].content


# --- data ------------------------------------------------------------------------------------------


async def test_data_is_handed_over_by_a_tool(tmp_path: Path) -> None:
    model = Scripted([calls(("list", {})), calls(("final_answer", {"a": 1}))])

    result = await run(task_for(model, tmp_path, schema=SCHEMA))

    assert result.output == {"a": 1}
    assert [offer.name for offer in model.asked[0].tools][-1] == "final_answer"


async def test_what_is_no_object_is_handed_over_inside_one(tmp_path: Path) -> None:
    model = Scripted([calls(("final_answer", {"value": [1, 2]}))])
    schema = msgspec.json.schema(list[int])

    assert (await run(task_for(model, tmp_path, schema=schema))).output == [1, 2]
    assert model.asked[0].tools[-1].schema["properties"]["value"]["type"] == "array"


async def test_data_that_was_only_said_is_taken_as_well(tmp_path: Path) -> None:
    model = Scripted([says('Here:\n```json\n{"a": 1}\n```')])

    assert (await run(task_for(model, tmp_path, schema=SCHEMA))).output == {"a": 1}


async def test_an_answer_without_data_does_not_fit(tmp_path: Path) -> None:
    model = Scripted([says("I am done.")])

    with pytest.raises(OutputInvalid, match="handed over no answer"):
        await run(task_for(model, tmp_path, schema=SCHEMA))


# --- the journal -----------------------------------------------------------------------------------


class Cut(Exception):
    """The process ends here."""


class Mortal(Journal):
    """A journal whose process dies before or after an entry is written."""

    def __init__(self, entries: list[Entry], at: float, *, after: bool) -> None:
        super().__init__(entries)
        self.at, self.after = at, after

    async def append(self, entry: Entry) -> None:
        self.at -= 1
        if self.at == 0 and not self.after:
            raise Cut
        await super().append(entry)
        if self.at == 0:
            raise Cut


STORY: list[Turn] = [
    calls(
        ("shell", {"command": "echo 0 >> log"}),
        ("list", {}),
        ("shell", {"command": "echo 1 >> log"}),
    ),
    calls(("shell", {"command": "echo 2 >> log"})),
    says("done"),
]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 12))
async def test_a_crash_anywhere_repeats_no_call_and_pays_no_answer_twice(
    tmp_path: Path, at: int, after: bool
) -> None:
    model = Scripted(STORY)
    cut = Mortal([], at, after=after)

    with pytest.raises(Cut):
        await run(task_for(model, tmp_path, journal=cut))
    asked = len(model.asked)
    answered = [entry.kind for entry in cut.entries].count("answered")
    resumed = Mortal(cut.entries, math.inf, after=False)
    result = await run(task_for(model, tmp_path, journal=resumed, prompt="you were interrupted"))

    assert result.text == "done"
    assert asked - answered in (0, 1)
    assert len(model.asked) - asked == 3 - answered
    lines = (tmp_path / "log").read_text().split()
    told = [entry for entry in resumed.entries if "interrupted" in str(entry.data)]
    assert lines == sorted({*lines}), "none was done twice"
    assert len(lines) + len(told) >= 3, "what was not done again was told"
    assert [entry.kind for entry in resumed.entries].count("asked") == 1


async def test_an_answer_that_was_given_is_given_again_without_asking(tmp_path: Path) -> None:
    task = task_for(Scripted([says("done")]), tmp_path)
    await run(task)
    model = Scripted([says("something else")])

    result = await run(task_for(model, tmp_path, journal=task.journal))

    assert result.text == "done"
    assert not model.asked


async def test_an_answer_that_did_not_fit_is_asked_for_again_in_the_same_conversation(
    tmp_path: Path,
) -> None:
    first = task_for(Scripted([calls(("final_answer", {"a": 1}))]), tmp_path, schema=SCHEMA)
    await run(first)
    model = Scripted([says("unused"), calls(("final_answer", {"a": 2}))])
    journal = Journal(first.journal.entries, is_rejected=True)

    again = task_for(model, tmp_path, schema=SCHEMA, journal=journal, prompt="not 1")
    result = await run(again)

    assert result.output == {"a": 2}
    assert [message.role for message in model.last] == ["user", "assistant", "tool", "user"]
    assert model.last[-1].content == "not 1"


async def test_the_bounds_count_what_was_spent_before_the_crash(tmp_path: Path) -> None:
    task = task_for(Scripted(STORY), tmp_path)
    await run(task)
    entries = [entry for entry in task.journal.entries if entry.kind != "answered"][:1]
    entries += task.journal.entries[1:-1]
    model = Scripted([says("unused")])

    with pytest.raises(LimitReached, match="turns=2"):
        await run(task_for(model, tmp_path, journal=Journal(entries), options={"turns": 2}))


# --- tools of plugins --------------------------------------------------------------------------------


async def weather(arguments: dict[str, Any], setting: ToolSetting) -> str:
    if "city" not in arguments:
        raise LookupError("no city")
    return f"rain in {arguments['city']}, {setting.permissions}"


async def number(arguments: dict[str, Any], setting: ToolSetting) -> Any:
    return 42


OBJECT = {"type": "object"}


async def test_a_tool_of_a_plugin_is_offered_and_called(tmp_path: Path) -> None:
    tools = {
        "weather": Tool(description="Tell it", schema=OBJECT, run=weather, needs="read"),
        "number": Tool(description="Tell one", schema=OBJECT, run=number, needs="read"),
    }
    wanted = calls(("weather", {"city": "Bonn"}), ("weather", {}), ("number", {}))
    model = Scripted([wanted, says("done")])

    await run(task_for(model, tmp_path, tools, permissions="read"))

    assert model.results() == [
        "rain in Bonn, read",
        "error: LookupError: no city",
        "error: 'number' returned int, not a text",
    ]


async def test_a_step_may_name_the_only_tools_to_offer(tmp_path: Path) -> None:
    model = Scripted([says("done")])

    await run(
        task_for(model, tmp_path, options={"tools": ["read", "shell"], "system": "Be brief."})
    )

    assert [offer.name for offer in model.asked[0].tools] == ["read", "shell"]
    assert model.asked[0].messages[0].content.endswith("Be brief.")


async def test_params_go_to_the_provider(tmp_path: Path) -> None:
    model = Scripted([says("done")])

    await run(task_for(model, tmp_path, options={"params": {"temperature": 0}}))

    assert model.asked[0].params == {"temperature": 0}


def test_it_conforms(tmp_path: Path) -> None:
    works = task_for(
        Scripted([calls(("shell", {"command": "sleep 600 & echo"})), says("ok")]), tmp_path
    )
    hangs = task_for(Scripted([calls(("shell", {"command": "sleep 600"}))]), tmp_path)

    assert check_agent(Builtin, works=works, hangs=hangs).text == "ok"


def test_it_conforms_with_a_schema(tmp_path: Path) -> None:
    model = Scripted([calls(("final_answer", {"a": 1}))])

    result = check_agent(Builtin, works=task_for(model, tmp_path, schema=SCHEMA))

    assert result.output == {"a": 1}
