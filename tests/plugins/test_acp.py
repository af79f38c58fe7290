"""Agents of the Agent Client Protocol, against one that does what a test says, traps included."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast.eventlog import Usage
from holdfast.plugins import (
    MARK,
    BadOptions,
    Confinement,
    Crashed,
    MissingBinary,
    NoOutput,
    NotLoggedIn,
    OutputInvalid,
    RateLimited,
    Refused,
    SessionLost,
    marks,
)
from holdfast.plugins.agents import KNOWN, Acp
from holdfast.plugins.agents.acp import conversation, rpc
from holdfast.plugins.confining import Confined, confined
from holdfast.plugins.testing import check_agent
from tests.support import acp_agent
from tests.support.acp_agent import SESSION, Json
from tests.support.acp_scripted import END, Scripted
from tests.support.cage import SANDBOX, needs_bubblewrap

OPTIONS = [
    {"optionId": "always", "kind": "allow_always", "name": "Always"},
    {"optionId": "yes", "kind": "allow_once", "name": "Yes"},
    {"optionId": "no", "kind": "reject_once", "name": "No"},
]
DOINGS = [
    ["text", "tool", "tool_result", "file", "text"],
    ["text", "tool", "file", "tool_result", "text"],  # written through us
    ["text", "tool", "text", "tool_result", "file", "text"],  # with a word about it meanwhile
]
MODES = {"currentModeId": "auto", "availableModes": [{"id": "auto"}, {"id": "approve"}]}


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    # An agent that hangs does not listen, and would only be waited for.
    monkeypatch.setattr(conversation, "CANCEL_S", 0.05)
    return Scripted(tmp_path)


def tool(id: str = "t", **told: Any) -> Json:
    return {"update": {"sessionUpdate": "tool_call", "toolCallId": id, **told}}


def ended(id: str = "t", status: str = "completed", **told: Any) -> Json:
    update = {"sessionUpdate": "tool_call_update", "toolCallId": id, "status": status}
    return {"update": {**update, **told}}


def permission(id: str = "t", *, options: list[Json] = OPTIONS, **told: Any) -> Json:
    params = {"sessionId": SESSION, "toolCall": {"toolCallId": id, **told}, "options": options}
    return {"ask": ["session/request_permission", params]}


def reads(path: str, **more: Any) -> Json:
    return {"ask": ["fs/read_text_file", {"sessionId": SESSION, "path": path, **more}]}


def writes(path: str, content: str = "hello\n") -> Json:
    params = {"sessionId": SESSION, "path": path, "content": content}
    return {"ask": ["fs/write_text_file", params]}


def opens(**session: Any) -> list[Json]:
    return [{"reply": {"sessionId": SESSION, **session}}]


def hello(**capabilities: Any) -> list[Json]:
    return [{"reply": {"protocolVersion": 1, "agentCapabilities": capabilities}}]


def fails(message: str, code: int = -32603, data: Any = None) -> Json:
    return {"error": {"code": code, "message": message, "data": data}}


def at_once(*told: Json) -> Json:
    """Print messages in one piece, so that nothing can come between them."""
    return {"print": "\n".join(json.dumps({"jsonrpc": "2.0", **each}) for each in told)}


def news(step: Json) -> Json:
    return {"method": "session/update", "params": {"update": step["update"]}}


def said(text: str) -> Json:
    content = {"type": "text", "text": text}
    return {"update": {"sessionUpdate": "agent_message_chunk", "content": content}}


def choice(agent: Scripted) -> list[Any]:
    """Return which options were chosen, in order; None for a question that was cancelled."""
    return [each["result"]["outcome"].get("optionId") for each in agent.answers]


# --- a turn ---------------------------------------------------------------------------------------


def test_it_conforms(agent: Scripted, tmp_path: Path) -> None:
    (tmp_path / "hanging").mkdir()
    hanging = Scripted(tmp_path / "hanging")
    hanging.plays({"say": "wait\n"}, {"hang": True})

    assert check_agent(Acp, works=agent.task(), hangs=hanging.task()).text == "done"


async def test_a_turn_tells_what_was_done(agent: Scripted) -> None:
    diff = {"type": "diff", "path": "a.txt", "oldText": None, "newText": "x"}
    thought = {"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": "hm"}}
    plan = {"sessionUpdate": "plan", "entries": [{"content": "write", "status": "completed"}]}
    agent.plays(
        {"update": thought},
        {"update": plan},
        {"say": "I will "},
        {"say": "write.\nNow"},
        tool(title="Write", kind="edit", status="pending", rawInput={}),
        tool(title="Write a.txt", rawInput={"path": "a.txt"}),
        ended(content=[diff]),
        {"say": "done"},
        END,
    )

    result, shown = await agent.work()

    assert (result.text, result.session) == ("done", SESSION)
    assert [(each.kind, each.text) for each in shown] == [
        ("session", SESSION),
        ("thinking", "hm"),
        ("raw", "[x] write"),
        ("text", "I will write."),
        ("text", "Now"),
        ("tool", "Write a.txt"),
        ("tool_result", ""),
        ("file", "a.txt"),
        ("text", "done"),
    ]
    assert shown[5].data["input"] == {"path": "a.txt"}


async def test_it_says_who_it_is_and_where_to_work(agent: Scripted) -> None:
    await agent.work(prompt="Say hi.")

    assert agent.told_by("initialize")["protocolVersion"] == 1
    assert agent.told_by("initialize")["clientCapabilities"]["terminal"] is False
    assert agent.told_by("session/new") == {"cwd": str(agent.repository), "mcpServers": []}
    assert agent.told_by("session/prompt")["prompt"] == [{"type": "text", "text": "Say hi."}]


async def test_what_is_said_while_a_tool_works_is_not_the_answer(agent: Scripted) -> None:
    agent.plays(tool(rawInput={"n": 1}), {"say": "Info"}, ended(), {"say": "done"}, END)

    assert (await agent.work())[0].text == "done"


async def test_a_tool_that_ends_after_the_last_word_does_not_take_it_away(agent: Scripted) -> None:
    agent.plays(tool(rawInput={"n": 1}), {"say": "done"}, ended(), END)

    assert (await agent.work())[0].text == "done"


async def test_what_comes_after_the_turn_changes_nothing_but_text(agent: Scripted) -> None:
    end = {"id": 3, "result": {"stopReason": "end_turn"}}
    late = [news(said("ne")), news(tool("late", rawInput={"n": 1}))]
    agent.plays(said("do"), at_once(end, *late), {"exit": 0})

    result, shown = await agent.work()

    assert result.text == "done"
    assert "tool" not in [each.kind for each in shown]


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"inputTokens": 10, "outputTokens": 2, "totalTokens": 12}, Usage(10, 2)),
        (
            {"inputTokens": 10, "outputTokens": 2, "cachedReadTokens": 5, "totalTokens": 17},
            Usage(15, 2, 5),  # counted beside the input
        ),
        (
            {"inputTokens": 10, "outputTokens": 2, "cachedReadTokens": 5, "totalTokens": 12},
            Usage(10, 2, 5),  # counted in it
        ),
        (
            {"inputTokens": 10, "outputTokens": 2, "thoughtTokens": 3, "totalTokens": 15},
            Usage(10, 5),
        ),
    ],
)
async def test_it_tells_what_it_used(agent: Scripted, told: Json, usage: Usage) -> None:
    agent.plays({"say": "done"}, {"reply": {"stopReason": "end_turn", "usage": told}})

    assert (await agent.work())[0].usage == usage


async def test_a_cost_that_counts_the_session_is_that_of_the_turn(agent: Scripted) -> None:
    def cost(amount: float) -> Json:
        told = {"amount": amount, "currency": "USD"}
        return {"update": {"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": told}}

    agent.plays({"say": "done"}, cost(0.75), END, session_load=[cost(0.25), {"reply": {}}])

    result, _ = await agent.work(session=SESSION)

    assert result.usage == Usage(0, 0, 0, 0.5)


async def test_an_answer_is_data_where_a_schema_is_given(agent: Scripted) -> None:
    agent.plays({"say": 'It is:\n```json\n{"n": 3}\n```'}, END)

    result, _ = await agent.work(schema={"type": "object"})

    assert result.output == {"n": 3}
    assert "JSON Schema" in agent.told_by("session/prompt")["prompt"][0]["text"]


async def test_an_answer_in_words_can_be_asked_again_in_the_same_session(agent: Scripted) -> None:
    agent.plays({"say": "three"}, END)

    error = await agent.failure(schema={"type": "object"})

    assert isinstance(error, OutputInvalid)
    assert error.session == SESSION


# --- sessions and choices ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capabilities", "method"),
    [
        ({"loadSession": True}, "session/load"),
        ({"loadSession": True, "sessionCapabilities": {"resume": {}}}, "session/resume"),
    ],
)
async def test_a_session_goes_on(
    agent: Scripted, monkeypatch: pytest.MonkeyPatch, capabilities: Json, method: str
) -> None:
    monkeypatch.setattr(conversation, "QUIET_S", 0.01)
    agent.plays(initialize=hello(**capabilities))

    result, _ = await agent.work(session="earlier")

    assert agent.told_by(method)["sessionId"] == "earlier"
    assert agent.told_by("session/prompt")["sessionId"] == result.session == "earlier"


async def test_the_past_of_a_session_is_not_the_answer(agent: Scripted) -> None:
    # Also where it is told only after the session is said to be loaded.
    past = [news(said("old")), news(tool("old", rawInput={"n": 1}))]
    agent.plays(session_load=[at_once(*past, {"id": 2, "result": {}}, *past)])

    result, shown = await agent.work(session="earlier")

    assert result.text == "done"
    assert [each.kind for each in shown] == ["session", "text"]


async def test_a_session_can_go_on_in_a_copy(agent: Scripted) -> None:
    agent.plays(initialize=hello(sessionCapabilities={"fork": {}, "resume": {}}))

    result, _ = await agent.work(session="earlier", fork=True)

    assert agent.told_by("session/fork")["sessionId"] == "earlier"
    assert result.session == "s-2"


async def test_a_copy_is_refused_where_there_is_none(agent: Scripted) -> None:
    error = await agent.failure(session="earlier", fork=True)

    assert isinstance(error, BadOptions)
    assert "cannot go on in a copy" in str(error)


async def test_an_agent_that_forgets_sessions_has_none_to_tell(agent: Scripted) -> None:
    agent.plays(initialize=hello())

    result, _ = await agent.work()
    error = await agent.failure(session="earlier")

    assert result.session == ""
    assert isinstance(error, SessionLost)


async def test_an_unknown_session_is_lost(agent: Scripted) -> None:
    agent.plays(session_load=[fails("Resource not found", -32002)])

    error = await agent.failure(session="earlier")

    assert isinstance(error, SessionLost)
    assert "'earlier'" in str(error)


MODEL_OPTION = {
    "id": "llm",
    "category": "model",
    "type": "select",
    "currentValue": "small",
    "options": [{"name": "Group", "options": [{"value": "acme[large]", "name": "Large"}]}],
}
MODELS = {"currentModelId": "small", "availableModels": [{"modelId": "large", "name": "L"}]}


@pytest.mark.parametrize("model", ["acme[large]", "Large", "acme/large"])
async def test_a_model_is_chosen_by_an_option(agent: Scripted, model: str) -> None:
    agent.plays(session_new=opens(configOptions=[MODEL_OPTION], models=MODELS))

    await agent.work(model=model)

    assert agent.told_by("session/set_config_option") == {
        "sessionId": SESSION,
        "configId": "llm",
        "value": "acme[large]",
    }


async def test_a_model_is_chosen_in_the_older_way(agent: Scripted) -> None:
    agent.plays(session_new=opens(models=MODELS))

    await agent.work(model="acme/large")

    assert agent.told_by("session/set_model") == {"sessionId": SESSION, "modelId": "large"}


async def test_a_model_that_is_not_offered_is_refused_with_those_that_are(agent: Scripted) -> None:
    agent.plays(session_new=opens(models=MODELS))

    error = await agent.failure(model="huge")

    assert isinstance(error, BadOptions)
    assert "does not offer 'huge'" in str(error)
    assert "'large'" in str(error)


async def test_an_agent_without_a_choice_of_models_says_so(agent: Scripted) -> None:
    error = await agent.failure(model="huge")

    assert isinstance(error, BadOptions)
    assert "lets nobody choose the model" in str(error)


async def test_settings_of_a_session_are_set(agent: Scripted) -> None:
    fast = {"id": "fast", "type": "boolean", "currentValue": False}
    agent.plays(session_new=opens(configOptions=[fast], modes=MODES))

    await agent.work(options={"config": {"fast": True}, "mode": "approve", "auth": "key"})

    assert agent.told_by("authenticate") == {"methodId": "key"}
    assert agent.told_by("session/set_mode") == {"sessionId": SESSION, "modeId": "approve"}
    assert agent.told_by("session/set_config_option") == {
        "sessionId": SESSION,
        "configId": "fast",
        "type": "boolean",
        "value": True,
    }


# --- permissions and files -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permissions", "kind", "path", "chosen"),
    [
        ("full", "execute", "/etc/passwd", "yes"),
        ("edit", "edit", "a.txt", "yes"),
        ("edit", "edit", "/etc/passwd", "no"),
        ("edit", "edit", "../a.txt", "no"),
        ("edit", "edit", ".git/hooks/pre-commit", "no"),
        ("edit", "execute", "a.txt", "no"),
        ("edit", "fetch", "a.txt", "no"),
        ("edit", None, "a.txt", "no"),
        ("read", "read", "a.txt", "yes"),
        ("read", "read", "/etc/passwd", "no"),
        ("read", "edit", "a.txt", "no"),
    ],
)
async def test_what_is_asked_is_answered_by_the_permissions(
    agent: Scripted, permissions: Any, kind: str | None, path: str, chosen: str
) -> None:
    agent.plays(permission(kind=kind, locations=[{"path": path}]), {"say": "done"}, END)

    await agent.work(permissions=permissions)

    assert choice(agent) == [chosen]


async def test_a_permission_with_no_way_to_say_no_is_cancelled(agent: Scripted) -> None:
    agent.plays(permission(kind="execute", options=OPTIONS[:2]), {"say": "done"}, END)

    await agent.work(permissions="read")

    assert agent.answers[0]["result"] == {"outcome": {"outcome": "cancelled"}}


async def test_an_agent_that_acts_by_itself_is_taken_to_a_mode_in_which_it_asks(
    agent: Scripted,
) -> None:
    agent.plays(session_new=opens(modes=MODES))

    await agent.work(permissions="edit")

    assert agent.told_by("session/set_mode")["modeId"] == "approve"


async def test_permissions_without_a_mode_that_keeps_to_them_are_refused(agent: Scripted) -> None:
    agent.plays(session_new=opens(modes={"availableModes": [{"id": "wild"}]}))

    error = await agent.failure(permissions="read")

    assert isinstance(error, BadOptions)
    assert "in which mode acp keeps to permissions='read'" in str(error)
    assert "session/prompt" not in agent.methods


@pytest.mark.parametrize("kind", ["edit", "delete", "move", "execute"])
async def test_an_agent_that_acts_without_asking_is_ended(agent: Scripted, kind: str) -> None:
    agent.plays(tool(kind=kind, title="act"), ended(), {"hang": True})

    error = await agent.failure(permissions="read")

    assert isinstance(error, BadOptions)
    assert "cannot be held to permissions='read'" in str(error)


async def test_files_are_read_and_written_for_the_agent(agent: Scripted) -> None:
    path = agent.repository / "new" / "a.txt"
    agent.plays(
        writes(str(path), "1\n2\n3\n"), reads(str(path), line=2, limit=1), {"say": "done"}, END
    )

    _, shown = await agent.work(permissions="edit")

    assert path.read_text() == "1\n2\n3\n"
    assert agent.answers[1]["result"] == {"content": "2\n"}
    assert [each.data["path"] for each in shown if each.kind == "file"] == [str(path)]


async def test_files_are_not_written_for_an_agent_that_may_only_read(agent: Scripted) -> None:
    agent.plays(writes("a.txt"), {"say": "done"}, END)

    await agent.work(permissions="read")

    assert "may not change files" in agent.answers[0]["error"]["message"]
    assert list(agent.repository.iterdir()) == []


@pytest.mark.parametrize(
    "path",
    ["../secret", "/etc/hostname", "out/secret", "link", "dangling", "pipe", "folder", "", "\0"],
)
async def test_no_path_leads_out_of_the_workspace(
    agent: Scripted, tmp_path: Path, path: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    (agent.repository / "out").symlink_to(tmp_path)
    (agent.repository / "link").symlink_to(tmp_path / "secret")
    (agent.repository / "dangling").symlink_to(tmp_path / "made")
    (agent.repository / "folder").mkdir()
    os.mkfifo(agent.repository / "pipe")
    agent.plays(reads(path), writes(path), {"say": "done"}, END)

    await agent.work()

    assert ["error" in each for each in agent.answers] == [True, True]
    assert (tmp_path / "secret").read_text() == "secret"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("path", [".git/hooks/post-checkout", ".holdfast/log", "a/.GIT/config"])
async def test_what_decides_for_people_is_neither_read_nor_written(
    agent: Scripted, path: str
) -> None:
    agent.plays(writes(path), reads(path), {"say": "done"}, END)

    await agent.work()

    for answer in agent.answers:
        assert "not for agents to read or write" in answer["error"]["message"]


@needs_bubblewrap
async def test_in_a_sandbox_it_reaches_no_more_through_us_than_by_itself(
    agent: Scripted, tmp_path: Path
) -> None:
    there = agent.repository
    (there / "hidden").mkdir()
    (there / "hidden" / "log").write_text("all that happened")
    (there / "link").symlink_to("hidden/log")
    (there / "holdfast.toml").write_text("kept")
    paths = ["hidden/log", "link", "hidden/new", "../secret"]
    (tmp_path / "secret").write_text("secret")
    escape = {"write": [str(tmp_path / "escaped"), "out"]}
    asked = [*map(reads, paths), *map(writes, paths), writes("holdfast.toml"), writes("made")]
    agent.plays(escape, *asked, reads("made"), {"say": "done"}, END)
    within = Confinement(
        folder=there,
        hidden=(there / "hidden",),
        keep=(there / "holdfast.toml",),
        read=(Path(sys.prefix), Path(sys.base_prefix), Path(acp_agent.__file__)),
        write=(tmp_path / "script.json", tmp_path / "script.told"),
    )

    with confined(Confined(SANDBOX, within)):
        await agent.work()

    refused = ["error" in answer for answer in agent.answers]
    assert refused == [True] * (2 * len(paths) + 1) + [False, False]
    assert (there / "hidden" / "log").read_text() == "all that happened"
    assert [path.name for path in (there / "hidden").iterdir()] == ["log"]
    assert (there / "holdfast.toml").read_text() == "kept"
    assert (there / "made").read_text() == agent.answers[-1]["result"]["content"] == "hello\n"
    assert not (tmp_path / "escaped").exists(), "the process itself is confined"


async def test_links_within_the_workspace_are_followed(agent: Scripted) -> None:
    (agent.repository / "a.txt").write_text("hello")
    (agent.repository / "link").symlink_to("a.txt")
    agent.plays(reads("link"), {"say": "done"}, END)

    await agent.work()

    assert agent.answers[0]["result"] == {"content": "hello"}


async def test_a_file_that_is_not_there_or_no_text_is_told_so(agent: Scripted) -> None:
    (agent.repository / "bytes").write_bytes(b"\xff\xfe")
    agent.plays(reads("nowhere"), reads("bytes"), {"say": "done"}, END)

    await agent.work()

    assert agent.answers[0]["error"]["code"] == -32002
    assert "no text in UTF-8" in agent.answers[1]["error"]["message"]


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (fails("Authentication required", -32000), NotLoggedIn),
        (fails("Internal error", data={"details": "401 Incorrect API key"}), NotLoggedIn),
        (fails("Rate limit exceeded", 429), RateLimited),
        (fails("Internal error", data="You have hit your usage limit"), RateLimited),
        (fails("Internal error", data={"message": "content policy"}), Refused),
        (fails("Internal error", data={"odd": 1}), Crashed),
        ({"reply": {"stopReason": "refusal"}}, Refused),
        ({"reply": {"stopReason": "max_tokens"}}, Crashed),
        ({"reply": {"stopReason": "max_turn_requests"}}, Crashed),
        ({"reply": {"stopReason": "cancelled"}}, Crashed),
        ({"reply": {"stopReason": "whim"}}, Crashed),
        ({"reply": {"stopReason": "end_turn"}}, NoOutput),
        ({"reply": None}, Crashed),
    ],
)
async def test_failures_are_told_apart(agent: Scripted, step: Json, kind: type[Exception]) -> None:
    agent.plays(step)

    assert type(await agent.failure()) is kind


async def test_a_limit_tells_when_it_ends(agent: Scripted) -> None:
    agent.plays(fails("Rate limit reached. Please try again in 20s."))

    error = await agent.failure()

    assert isinstance(error, RateLimited)
    assert error.until > 0


async def test_who_is_not_logged_in_learns_the_ways_in(agent: Scripted) -> None:
    ways = [{"id": "api-key", "name": "Use a key"}]
    agent.plays(
        initialize=[{"reply": {"protocolVersion": 1, "authMethods": ways}}],
        session_new=[fails("Authentication required", -32000)],
    )

    error = await agent.failure()

    assert isinstance(error, NotLoggedIn)
    assert "api-key (Use a key)" in str(error)


async def test_a_partial_answer_is_told_with_its_stop_reason(agent: Scripted) -> None:
    agent.plays({"say": "half"}, {"reply": {"stopReason": "max_tokens"}})

    assert "the turn ended with 'max_tokens'" in str(await agent.failure())


@pytest.mark.parametrize("how", [{"exit": 0}, {"exit": 3}, {"kill": 9}])
async def test_an_agent_that_dies_amid_its_turn_has_crashed(agent: Scripted, how: Json) -> None:
    agent.plays({"say": "half"}, {"stderr": "out of luck"}, how)

    error = await agent.failure()

    assert type(error) is Crashed
    assert "out of luck" in str(error)
    assert error.session == SESSION


async def test_an_agent_that_dies_at_once_has_crashed(agent: Scripted) -> None:
    agent.plays(initialize=[{"stderr": "no such option --acp"}, {"exit": 2}])

    assert "exit code 2: no such option --acp" in str(await agent.failure())


async def test_an_agent_that_does_not_answer_is_ended(
    agent: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "ANSWER_S", 0.1)
    agent.plays(initialize=[{"hang": True}])

    error = await agent.failure()

    assert type(error) is Crashed
    assert "did not answer 'initialize' within 0.1 s" in str(error)


async def test_an_agent_that_does_not_listen_any_more_is_ended(
    agent: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "GONE_S", 0.01)
    agent.plays(session_new=[{"deaf": True}, *opens(), {"hang": True}])

    error = await agent.failure()

    assert type(error) is Crashed
    assert "closed its standard input" in str(error)


async def test_another_version_of_the_protocol_is_refused(agent: Scripted) -> None:
    agent.plays(initialize=[{"reply": {"protocolVersion": 2}}])

    error = await agent.failure()

    assert isinstance(error, BadOptions)
    assert "speaks version 2" in str(error)


async def test_a_session_without_a_name_is_a_crash(agent: Scripted) -> None:
    agent.plays(session_new=[{"reply": {}}])

    assert "did not say which" in str(await agent.failure())


async def test_noise_is_shown_and_does_no_harm(agent: Scripted) -> None:
    noise = ["Welcome!", "{broken", "[1, 2]", '{"jsonrpc": "2.0", "id": 77, "result": {}}', ""]
    odd = {"update": {"sessionUpdate": "news", "x": 1}}
    agent.plays(
        *({"print": line} for line in noise),
        {"stderr": "noise"},
        odd,
        {"update": None},
        {"say": "done"},
        END,
    )

    result, shown = await agent.work()

    assert result.text == "done"
    assert {each.text for each in shown if each.kind == "raw"} >= {"Welcome!", "{broken", "noise"}


async def test_long_messages_are_taken_whole(agent: Scripted) -> None:
    text = "x" * 3_000_000
    agent.plays({"say": text}, END)

    assert (await agent.work())[0].text == text


async def test_a_message_above_all_bounds_ends_the_agent(
    agent: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "LINE_BYTES", 1000)
    agent.plays({"big": 1000}, {"hang": True})

    assert "a message of more than 1000 bytes" in str(await agent.failure())


async def test_a_question_that_nobody_knows_is_told_so(agent: Scripted) -> None:
    agent.plays({"ask": ["craft/queue", {}]}, {"ask": ["terminal/create", {}]}, {"say": "ok"}, END)

    await agent.work()

    assert [each["error"]["code"] for each in agent.answers] == [-32601, -32601]


async def test_an_answer_to_no_question_ends_the_one_that_is_open(agent: Scripted) -> None:
    told = '{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "Parse error"}}'
    agent.plays({"print": told}, {"hang": True})

    assert "Parse error" in str(await agent.failure())


async def test_an_agent_that_stays_after_its_turn_is_ended(
    agent: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.plugins.process.LEAVE_S", 0.05)
    agent.plays({"say": "done"}, END, {"hang": True})

    assert (await agent.work())[0].text == "done"


async def test_cancelling_tells_the_agent_and_leaves_nothing(
    agent: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "CANCEL_S", 60)
    agent.plays({"say": "begun\n"}, {"stop": True}, {"exit": 0})
    task, begun = agent.task(), trio.Event()

    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await Acp().run(task, lambda said: begun.set() if said.kind == "text" else None)

        nursery.start_soon(run)
        await begun.wait()
        nursery.cancel_scope.cancel()

    assert agent.told_by("session/cancel") == {"sessionId": SESSION}
    assert marks.find(mark=task.env[MARK]) == set()


# --- what real ones said --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("acp:claude-code", Usage(200, 40, 0, 0.0018000000000000002)),
        ("acp:codex", Usage(200, 40)),
        ("acp:copilot", Usage(200, 40)),
        ("acp:gemini", Usage(200, 40)),
        ("acp:goose", None),  # it counts only the last request of a turn
        ("acp:kimi", None),
        ("acp:opencode", Usage(0, 0, 0, 0.00028)),
        ("acp:qwen", Usage(200, 40)),  # told beside single messages
    ],
)
async def test_a_recorded_agent_is_understood(
    agent: Scripted, name: str, usage: Usage | None
) -> None:
    agent.replays(f"{name.replace(':', '-')}.jsonl")

    env = agent.named(name)
    result, shown = await agent.work(Acp(name), env=env, options={"command": []})

    assert result.text == "Done: hello.txt was created."
    assert result.usage == usage
    assert bool(result.session) == (name != "acp:gemini")
    kinds = [each.kind for each in shown if each.kind not in ("raw", "session")]
    assert kinds in DOINGS
    files = {each.data["path"] for each in shown if each.kind == "file"}
    assert files == {str(agent.repository / "hello.txt")}


FAILED_AS_IF_SAID = [
    ("acp:copilot", [{"say": "Error: 429 Rate limit reached."}, END], RateLimited),
    ("acp:goose", [{"say": "Ran into this error: 401 Unauthorized\n\nRetry."}, END], NotLoggedIn),
    (
        "acp:codex",
        [
            {
                "update": {
                    "sessionUpdate": "session_info_update",
                    "_meta": {"codex": {"threadStatus": {"type": "systemError"}}},
                }
            },
            {"say": "429 Too many requests"},
            END,
        ],
        RateLimited,
    ),
]


@pytest.mark.parametrize(("name", "turn", "kind"), FAILED_AS_IF_SAID)
async def test_a_failure_that_is_told_as_if_said_is_one(
    agent: Scripted, name: str, turn: list[Json], kind: type[Exception]
) -> None:
    modes = ["agent-full-access", "auto"]
    agent.plays(*turn, session_new=opens(modes={"availableModes": [{"id": id} for id in modes]}))

    with pytest.raises(kind):
        await agent.work(Acp(name), env=agent.named(name), options={"command": []})


async def test_a_notice_that_it_tries_again_is_not_the_answer(agent: Scripted) -> None:
    again = "Info: Request failed due to a transient API error. Retrying..."
    agent.plays({"say": again}, {"say": "done"}, END)

    name = "acp:copilot"
    result, shown = await agent.work(Acp(name), env=agent.named(name), options={"command": []})

    assert result.text == "done"
    assert [each.text for each in shown if each.kind == "retry"] == [again]


async def test_an_agent_that_says_on_standard_error_that_it_tries_again_is_ended(
    agent: Scripted,
) -> None:
    again = 'message="stream error" small=false error.error="Rate limit reached"'
    agent.plays({"stderr": again}, {"hang": True})

    name = "acp:opencode"
    with pytest.raises(RateLimited):
        await agent.work(Acp(name), env=agent.named(name), options={"command": []})


# --- who it is -----------------------------------------------------------------------------------


async def test_an_agent_without_a_command_is_refused(agent: Scripted) -> None:
    error = await agent.failure(options={"command": []})

    assert isinstance(error, BadOptions)
    assert "which program to start" in str(error)


async def test_a_command_can_be_a_text_split_as_a_shell_would(agent: Scripted) -> None:
    command = " ".join(agent.task().options["command"])

    assert (await agent.work(options={"command": command}))[0].text == "done"
    assert "cannot be split" in str(await agent.failure(options={"command": "a 'b"}))


async def test_a_named_agent_takes_no_command(agent: Scripted) -> None:
    with pytest.raises(BadOptions, match="CODEX_ACP_EXECUTABLE"):
        await Acp("acp:codex").run(agent.task(env={"CODEX_ACP_EXECUTABLE": "sh"}), lambda _: None)


async def test_a_named_agent_that_is_not_installed_says_how_to_get_it(agent: Scripted) -> None:
    task = agent.task(env={"PATH": str(agent.repository)}, options={"command": []})

    with pytest.raises(MissingBinary, match="npm install -g @agentclientprotocol/codex-acp"):
        await Acp("acp:codex").run(task, lambda _: None)


async def test_a_permission_that_a_named_agent_cannot_be_held_to_is_refused(
    agent: Scripted,
) -> None:
    with pytest.raises(BadOptions, match=r"acp:kimi cannot be held to permissions='read'"):
        await Acp("acp:kimi").run(agent.task(permissions="read"), lambda _: None)


def test_every_known_agent_is_named_as_its_readings_say() -> None:
    assert {name: known.reading.name for name, known in KNOWN.items()} == {n: n for n in KNOWN}
