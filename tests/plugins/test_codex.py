"""The codex agent against a program that replays what Codex 0.169.0 printed.

test_real_agents.py runs the real one.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from holdfast.eventlog import Usage
from holdfast.plugins import (
    AgentResult,
    BadOptions,
    Crashed,
    NoOutput,
    NotLoggedIn,
    OutputInvalid,
    RateLimited,
    Refused,
    SessionLost,
    WorkError,
)
from holdfast.plugins.agents import Codex
from holdfast.plugins.testing import check_agent
from tests.support.replay import Replay

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}
THREAD = {"type": "thread.started", "thread_id": "t"}
DONE = {"type": "turn.completed", "usage": {"input_tokens": 100, "output_tokens": 20}}


@pytest.fixture
def codex(tmp_path: Path) -> Replay:
    return Replay(tmp_path, "CODEX_EXECUTABLE", Codex(), "codex-cli 0.169.0")


def said(text: str) -> dict[str, Any]:
    return {"type": "item.completed", "item": {"type": "agent_message", "text": text}}


def test_it_conforms(codex: Replay, tmp_path: Path) -> None:
    codex.replays("codex-schema.jsonl")
    hanging = Replay(tmp_path / "hanging", "CODEX_EXECUTABLE", Codex())
    hanging.says(THREAD, "")
    hanging.hangs()

    check_agent(Codex, works=codex.task(schema=SCHEMA), hangs=hanging.task())


async def test_a_success_tells_its_text_its_session_and_its_usage(codex: Replay) -> None:
    codex.replays("codex-success.jsonl")

    result, _ = await codex.work(prompt="Do it.")

    assert result == AgentResult(
        text="Done: hello.txt was created.",
        usage=Usage(input_tokens=300, output_tokens=60),
        session="01a2028e-8c1b-7491-97b7-23452ab12e66",
    )
    assert codex.called()["stdin"] == "Do it."


async def test_what_it_does_is_shown_as_it_happens(codex: Replay) -> None:
    codex.replays("codex-success.jsonl")

    _, shown = await codex.work()

    assert [each.kind for each in shown] == [
        *["session", "thinking", "text"],
        *["tool", "tool_result", "file"],
        *["tool", "tool_result"],
        "text",
    ]
    assert shown[5].data == {"path": "/repo/hello.txt"}
    assert shown[6].data["input"] == {"command": "/bin/bash -lc 'cat hello.txt; ls no-such-file'"}
    assert shown[6].data["id"] == shown[7].data["id"]
    assert [each.data["failed"] for each in shown if each.kind == "tool_result"] == [False, True]


async def test_a_tool_of_a_server_is_shown_with_its_answer(codex: Replay) -> None:
    codex.replays("codex-mcp.jsonl")

    _, shown = await codex.work()

    assert [(each.kind, each.text) for each in shown[1:3]] == [
        ("tool", "probe/probe_add"),
        ("tool_result", "42"),
    ]


async def test_structured_output_is_asked_for_in_the_narrow_form_and_returned_as_data(
    codex: Replay,
) -> None:
    codex.replays("codex-schema.jsonl")

    result, _ = await codex.work(schema=SCHEMA)

    assert result.output == {"name": "x", "n": 3}
    assert json.loads(codex.called()["files"]["schema.json"]) == {
        **SCHEMA,
        "required": ["name", "n"],
        "additionalProperties": False,
    }


async def test_what_the_narrow_form_cannot_say_is_asked_for_in_words(codex: Replay) -> None:
    codex.says(THREAD, said("```json\n[1, 2]\n```"), DONE)
    schema = {"type": "array", "items": {"type": "integer"}}

    result, _ = await codex.work(schema=schema)

    assert result.output == [1, 2]
    assert "--output-schema" not in codex.argv
    assert json.dumps(schema) in codex.called()["stdin"]


async def test_an_answer_that_is_not_json_is_invalid_and_can_be_asked_again(codex: Replay) -> None:
    codex.says(THREAD, said("not json at all"), DONE)

    error = await codex.failure(schema=SCHEMA)

    assert isinstance(error, OutputInvalid)
    assert error.session == "t"
    assert error.usage == Usage(100, 20)


def record(codex: Replay, session: str, **total: int) -> None:
    day = codex.home / ".codex" / "sessions" / "2026" / "11" / "22"
    day.mkdir(parents=True)
    payload = {"type": "token_count", "info": {"total_token_usage": total}}
    lines = [{"payload": {"type": "user_message"}}, {"payload": payload}]
    file = day / f"rollout-2026-11-22T10-00-00-{session}.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))


@pytest.mark.parametrize("fork", [False, True])
async def test_a_session_that_goes_on_costs_only_what_this_run_used(
    fork: bool, codex: Replay
) -> None:
    codex.replays("codex-success.jsonl")
    record(codex, "earlier", input_tokens=200, output_tokens=45, cached_input_tokens=0)

    result, _ = await codex.work(session="earlier", fork=fork)

    assert result.usage == Usage(100, 15)
    assert codex.after("fork" if fork else "resume") == "earlier"


async def test_without_a_record_the_usage_of_a_session_is_unknown(codex: Replay) -> None:
    codex.replays("codex-success.jsonl")

    result, _ = await codex.work(session="earlier")

    assert result.usage is None


async def test_a_retry_is_shown_and_does_not_fail_the_run(codex: Replay) -> None:
    codex.replays("codex-retry-500.jsonl")

    result, shown = await codex.work()

    assert result.text == "ok"
    assert "retry" in [each.kind for each in shown]


async def test_a_wait_of_unknown_length_is_left_to_the_engine(codex: Replay) -> None:
    again = "Reconnecting... 1/5 (exceeded retry limit, last status: 429 Too Many Requests)"
    codex.says(THREAD, {"type": "error", "message": again}, "")
    codex.hangs()

    error = await codex.failure()

    assert isinstance(error, RateLimited)
    assert error.session == "t"


@pytest.mark.parametrize(
    ("transcript", "kind", "says"),
    [
        ("401", NotLoggedIn, "Incorrect API key.*Log in with: codex login"),
        ("429", RateLimited, "429 Too Many Requests"),
        ("no-credit", Refused, "plan and billing"),
        ("no-model", Refused, "`gpt-9` does not exist"),
    ],
)
async def test_each_kind_of_failure_has_its_error(
    transcript: str, kind: type[WorkError], says: str, codex: Replay
) -> None:
    codex.replays(f"codex-{transcript}.jsonl", code=1)

    with pytest.raises(kind, match=says) as caught:
        await codex.work()

    assert caught.value.session


async def test_the_time_at_which_a_limit_resets_is_told(codex: Replay) -> None:
    codex.replays("codex-usage-limit.jsonl", code=1)

    error = await codex.failure()

    assert isinstance(error, RateLimited)
    assert error.until == datetime(2026, 11, 23, 13, 20).timestamp() * 1e9


async def test_an_unknown_session_is_told(codex: Replay) -> None:
    stderr = "Error: thread/resume: thread/resume failed: no rollout found for thread id x"
    codex.says("", code=1, stderr=stderr)

    error = await codex.failure(session="x")

    assert isinstance(error, SessionLost)
    assert "'x'" in str(error)


async def test_a_success_that_says_nothing_is_no_output(codex: Replay) -> None:
    codex.says(THREAD, DONE)

    assert isinstance(await codex.failure(), NoOutput)


async def test_a_stream_that_is_cut_is_a_crash_whatever_the_exit_code(codex: Replay) -> None:
    codex.says(THREAD, said("I begin."), code=0, stderr="Terminated\n")

    error = await codex.failure()

    assert isinstance(error, Crashed)
    assert "exit code 0: Terminated" in str(error)
    assert error.session == "t"


async def test_events_that_nobody_knows_are_shown_and_harmless(codex: Replay) -> None:
    odd: list[dict[str, Any]] = [
        {"type": "brand.new"},
        {"type": "item.completed", "item": {"type": "todo_list"}},
    ]
    codex.says(*odd, "not json", said("done"), DONE)

    result, shown = await codex.work()

    assert result.text == "done"
    assert [each.kind for each in shown] == ["raw", "raw", "raw", "text"]


@pytest.mark.parametrize(
    ("permissions", "sandbox"),
    [("read", "read-only"), ("edit", "workspace-write"), ("full", "danger-full-access")],
)
async def test_permissions_become_a_sandbox(permissions: Any, sandbox: str, codex: Replay) -> None:
    codex.replays("codex-success.jsonl")

    await codex.work(permissions=permissions)

    assert codex.after("-s") == sandbox


async def test_model_and_options_become_arguments(codex: Replay) -> None:
    codex.replays("codex-success.jsonl")
    options = {
        "config": {"model_reasoning_effort": "low", "a": {"b": [1]}},
        "args": ["--ephemeral"],
    }

    await codex.work(model="openai/gpt-5.5", options=options)

    assert codex.after("-m") == "gpt-5.5"
    assert {'model_reasoning_effort="low"', "a.b=[1]", "--ephemeral"} <= set(codex.argv)
    assert codex.argv[-1] == "-"


async def test_an_unknown_option_is_refused_with_those_that_exist(codex: Replay) -> None:
    error = await codex.failure(options={"profile": "x"})

    assert isinstance(error, BadOptions)
    assert "config, args" in str(error)
