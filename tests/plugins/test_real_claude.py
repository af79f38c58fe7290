"""The claude-code agent with the real Claude Code, talking to a scripted model.

    pytest -m real_agents tests/plugins/test_real_claude.py

The program is HOLDFAST_CLAUDE, or claude in the PATH; tests/support/install_agents.sh installs one.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast.plugins import (
    MARK,
    AgentResult,
    AgentTask,
    NotLoggedIn,
    OutputInvalid,
    Progress,
    RateLimited,
    Refused,
    SessionLost,
    marks,
)
from holdfast.plugins.agents import ClaudeCode
from holdfast.plugins.testing import agent_task, check_agent
from tests.support.model_server import ModelServer

CLAUDE = os.environ.get("HOLDFAST_CLAUDE") or shutil.which("claude")
MODEL = "claude-sonnet-4-5"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

pytestmark = [
    pytest.mark.real_agents,
    pytest.mark.skipif(CLAUDE is None, reason="there is no claude here"),
]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer([{"text": "hello"}]) as server:
        yield server


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "repository").mkdir()
    return tmp_path


def task(folders: Path, server: ModelServer, prompt: str = "Do it.", **fields: Any) -> AgentTask:
    env = {
        "CLAUDE_CODE_EXECUTABLE": CLAUDE or "",
        "HOME": str(folders / "home"),
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": "any",
        "CLAUDE_CODE_MAX_RETRIES": "1",
    }
    env |= fields.pop("env", {})
    return agent_task(folders / "repository", prompt, env=env, model=MODEL, **fields)


async def work(task: AgentTask) -> tuple[AgentResult, list[Progress]]:
    shown: list[Progress] = []
    with trio.fail_after(60):
        return await ClaudeCode().run(task, shown.append), shown


def test_it_conforms(folders: Path, server: ModelServer) -> None:
    held = {"text": "never", "hold": "for ever"}
    server.play({"rules": [{"when": {"user": "hang"}, "turns": [held]}], "turns": [{"text": "hi"}]})

    result = check_agent(
        ClaudeCode, works=task(folders, server), hangs=task(folders, server, "hang")
    )

    assert result.text == "hi"


async def test_it_writes_files_and_runs_commands(folders: Path, server: ModelServer) -> None:
    server.play(
        [
            {"write_file": {"path": "hello.txt", "content": "hello\n"}, "text": "I will."},
            {"bash": "cat hello.txt"},
            {"text": "done"},
        ]
    )

    result, shown = await work(task(folders, server))

    assert result.text == "done"
    assert result.usage is not None
    assert result.usage.output_tokens > 0
    assert (folders / "repository" / "hello.txt").read_text() == "hello\n"
    kinds = [each.kind for each in shown]
    assert kinds == [
        "session",
        "text",
        "tool",
        "tool_result",
        "file",
        "tool",
        "tool_result",
        "text",
    ]


async def test_with_read_permissions_it_changes_nothing(folders: Path, server: ModelServer) -> None:
    # A settings file that allows everything, as people have, must not soften the promise.
    (folders / "home" / ".claude").mkdir()
    allowed = '{"permissions": {"allow": ["Bash(*)", "Write", "Edit"]}}'
    (folders / "home" / ".claude" / "settings.json").write_text(allowed)
    write = {"tool": "Write", "args": {"file_path": "hello.txt", "content": "hello"}}
    run = {"tool": "Bash", "args": {"command": "touch hello.txt"}}
    server.play([write, run, {"text": "done"}])

    result, shown = await work(task(folders, server, permissions="read"))

    assert result.text == "done"
    assert [each.data["failed"] for each in shown if each.kind == "tool_result"] == [True, True]
    assert list((folders / "repository").iterdir()) == []


async def test_structured_output_is_data(folders: Path, server: ModelServer) -> None:
    server.play([{"json": {"n": 3}}])

    result, _ = await work(task(folders, server, schema=SCHEMA))

    assert result.output == {"n": 3}


async def test_an_answer_in_words_is_not_taken_for_output(
    folders: Path, server: ModelServer
) -> None:
    with pytest.raises(OutputInvalid, match="'hello'"):
        await work(task(folders, server, schema=SCHEMA))


async def test_a_session_goes_on_and_each_run_has_its_own_usage(
    folders: Path, server: ModelServer
) -> None:
    first, _ = await work(task(folders, server, "My name is Ada."))

    second, _ = await work(task(folders, server, "What is it?", session=first.session))

    assert second.session == first.session
    assert second.usage == first.usage
    assert "My name is Ada." in str(server.requests[-1])


async def test_an_unknown_session_is_told(folders: Path, server: ModelServer) -> None:
    unknown = "11111111-2222-3333-4444-555555555555"

    with pytest.raises(SessionLost, match=unknown):
        await work(task(folders, server, session=unknown))


async def test_a_wrong_key_is_a_matter_of_logging_in(folders: Path, server: ModelServer) -> None:
    server.play({"key": "another", "turns": [{"text": "hello"}]})

    with pytest.raises(NotLoggedIn):
        await work(task(folders, server))


async def test_a_server_without_room_is_a_rate_limit(folders: Path, server: ModelServer) -> None:
    server.play([{"status": 529, "message": "overloaded"}])

    with pytest.raises(RateLimited):
        await work(task(folders, server))


async def test_a_long_wait_that_the_server_asks_for_ends_the_run(
    folders: Path, server: ModelServer
) -> None:
    headers = {"retry-after": "3000"}
    server.play([{"status": 429, "message": "slow down", "headers": headers}])

    with pytest.raises(RateLimited):
        await work(task(folders, server))


async def test_a_refusal_is_not_a_crash(folders: Path, server: ModelServer) -> None:
    server.play([{"text": "I cannot.", "stop": "refusal"}])

    with pytest.raises(Refused):
        await work(task(folders, server))


async def test_cancelling_ends_the_tool_that_it_runs(folders: Path, server: ModelServer) -> None:
    server.play([{"bash": "touch started; sleep 600"}, {"text": "done"}])
    job = task(folders, server)
    started = folders / "repository" / "started"

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ClaudeCode().run, job, lambda _progress: None)
            while not started.exists():
                await trio.sleep(0.02)
            assert len(marks.find(mark=job.env[MARK])) >= 2
            nursery.cancel_scope.cancel()

    assert marks.find(mark=job.env[MARK]) == set()
