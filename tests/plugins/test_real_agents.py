"""The other agents as real processes, each talking to a scripted model: what holds of one holds of all.

    HOLDFAST_AGENTS=FOLDER pytest -m real_agents tests/plugins/test_real_agents.py

tests/support/install_agents.sh FOLDER installs them; an agent that is not there is left out. What an
agent cannot do is named in tests/support/real_agents.py, and that it says so is tested instead.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from holdfast.eventlog import Usage
from holdfast.plugins import (
    MARK,
    AgentResult,
    BadOptions,
    Crashed,
    NotLoggedIn,
    OutputInvalid,
    Progress,
    RateLimited,
    SessionLost,
    WorkError,
    marks,
)
from holdfast.plugins.testing import check_agent
from tests.support.model_server import ModelServer
from tests.support.real_acp import REAL_ACP
from tests.support.real_agents import REAL, Real

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
TITLE = {"when": {"tools": False}, "turns": [{"text": "A title"}]}  # asked for on the side by some
LIMIT_S = 90

pytestmark = pytest.mark.real_agents


class Bench:
    """One real agent with its folders and its model."""

    def __init__(self, real: Real, folder: Path, server: ModelServer) -> None:
        self.real, self.folder, self.server = real, folder, server
        self.repository = folder / "repository"
        self.task = partial(real.task, folder, server.url)

    def play(self, *turns: dict[str, Any], key: str | None = None) -> None:
        """Answer the agent so, and whatever else it asks with a title."""
        rules = [TITLE] if self.real.has_tools else []
        self.server.play({"rules": [*rules, {"turns": list(turns)}], "key": key})

    async def work(
        self, prompt: str = "Do it.", **fields: Any
    ) -> tuple[AgentResult, list[Progress]]:
        shown: list[Progress] = []
        with trio.fail_after(LIMIT_S):
            result = await self.real.agent().run(self.task(prompt, **fields), shown.append)
        return result, shown

    async def failure(self, **fields: Any) -> WorkError:
        with pytest.raises(WorkError) as caught:
            await self.work(**fields)
        return caught.value

    def tokens(self, result: AgentResult) -> Usage | None:
        """Return what is the same for the same work: without a cost where that is the session's."""
        if not self.real.has_tools or result.usage is None:
            return None  # it counts the words by itself
        cost = 0.0 if "resumed cost" in self.real.cannot else result.usage.cost_usd
        used = replace(result.usage, cost_usd=cost)
        return used if used != Usage() else None

    def asked(self) -> list[str]:
        """What went to the model, without side requests."""
        tools = self.real.has_tools
        return [str(each.body) for each in self.server.requests if bool(each.tools) is tools]


@pytest.fixture(params=[*REAL, *REAL_ACP], ids=lambda real: real.name)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    real: Real = request.param
    if real.locate() is None:
        pytest.skip(f"there is no {real.name} here")
    with ModelServer([{"text": "hello"}]) as server:
        yield Bench(real, tmp_path, server)


def can(bench: Bench, what: str) -> None:
    if what in bench.real.cannot:
        pytest.skip(f"{bench.real.name} cannot: {what}")


def test_it_conforms(bench: Bench) -> None:
    held = {"text": "never", "hold": "for ever"}
    rules = [{"when": {"user": r"\bhang\b"}, "turns": [held]}, {"turns": [{"text": "hi"}]}]
    bench.server.play({"rules": [TITLE, *rules] if bench.real.has_tools else rules})

    result = check_agent(bench.real.agent, works=bench.task(), hangs=bench.task("hang"))

    assert result.text == "hi"


async def test_it_writes_files_and_runs_commands(bench: Bench) -> None:
    can(bench, "tools")
    bench.play(
        {"write_file": {"path": "hello.txt", "content": "hello\n"}, "text": "I will."},
        {"bash": "cat hello.txt"},
        {"text": "done"},
    )

    result, shown = await bench.work()

    assert result.text == "done"
    assert (bench.repository / "hello.txt").read_text() == "hello\n"
    assert ("session" in [each.kind for each in shown]) == ("resume" not in bench.real.cannot)
    doing = [each.kind for each in shown if each.kind not in ("session", "raw", "file")]
    assert doing == ["text", "tool", "tool_result", "tool", "tool_result", "text"]
    tools = [each for each in shown if each.kind == "tool_result"]
    assert "hello" in tools[1].text or "tool output" in bench.real.cannot


async def test_an_agent_without_tools_edits_by_what_it_says(bench: Bench) -> None:
    if bench.real.has_tools:
        pytest.skip(f"{bench.real.name} has tools")
    bench.play({"text": "I will.\n\nhello.txt\n```\nhello\n```\n"})

    result, shown = await bench.work()

    assert "I will." in result.text
    assert (bench.repository / "hello.txt").read_text() == "hello\n"
    assert [each.data["path"] for each in shown if each.kind == "file"] == ["hello.txt"]


async def test_it_tells_what_it_used(bench: Bench) -> None:
    can(bench, "tools")
    can(bench, "usage")
    bench.play({"bash": "true"}, {"text": "done"})

    result, _ = await bench.work()

    assert result.usage is not None
    assert (result.usage.input_tokens, result.usage.output_tokens) == (200, 40)
    assert (result.usage.cost_usd > 0) == ("cost" not in bench.real.cannot)


async def test_with_read_permissions_it_changes_nothing(bench: Bench) -> None:
    if "read" in bench.real.cannot:
        assert isinstance(await bench.failure(permissions="read"), BadOptions)
        return
    bench.play(*bench.real.writes, {"text": "done"})

    await bench.work(permissions="read")

    assert list(bench.repository.iterdir()) == []


async def test_structured_output_is_data(bench: Bench) -> None:
    bench.play({"json": {"n": 3}})

    result, _ = await bench.work(schema=SCHEMA)

    assert result.output == {"n": 3}


async def test_an_answer_in_words_can_be_asked_again_in_the_same_session(bench: Bench) -> None:
    can(bench, "resume")
    bench.play({"text": "three"})
    error = await bench.failure(schema=SCHEMA, prompt="How many?")
    assert isinstance(error, OutputInvalid)
    bench.play({"json": {"n": 3}})

    result, _ = await bench.work("As data.", schema=SCHEMA, session=error.session)

    assert result.output == {"n": 3}
    assert "How many?" in bench.asked()[-1]


async def test_a_session_goes_on_and_each_run_has_its_own_usage(bench: Bench) -> None:
    can(bench, "resume")
    bench.play({"text": "hello"})
    first, _ = await bench.work("My name is Ada.")

    second, _ = await bench.work("What is it?", session=first.session)

    assert second.session == first.session != ""
    assert bench.tokens(second) == bench.tokens(first)
    assert "My name is Ada." in bench.asked()[-1]


async def test_a_session_can_go_on_in_a_copy(bench: Bench) -> None:
    bench.play({"text": "hello"})
    first, _ = await bench.work("My name is Ada.")
    if "fork" in bench.real.cannot:
        assert isinstance(await bench.failure(session=first.session, fork=True), BadOptions)
        return

    second, _ = await bench.work("What is it?", session=first.session, fork=True)

    assert second.session not in ("", first.session)
    assert bench.tokens(second) == bench.tokens(first)
    assert "My name is Ada." in bench.asked()[-1]


async def test_an_unknown_session_is_told(bench: Bench) -> None:
    bench.play({"text": "hello"})
    error = await bench.failure(session=bench.real.unknown_session)

    assert isinstance(error, SessionLost)
    assert bench.real.unknown_session in str(error)


async def test_a_session_of_another_folder_goes_on_or_is_lost(bench: Bench) -> None:
    can(bench, "resume")
    bench.play({"text": "hello"})
    first, _ = await bench.work("My name is Ada.")

    try:
        await bench.work("What is it?", session=first.session, where="elsewhere")
    except SessionLost:
        assert "elsewhere" in bench.real.cannot
    else:
        assert "elsewhere" not in bench.real.cannot
        assert "My name is Ada." in bench.asked()[-1]


async def test_a_wrong_key_is_a_matter_of_logging_in(bench: Bench) -> None:
    bench.play({"text": "hello"}, key="another")

    assert isinstance(await bench.failure(), NotLoggedIn)


async def test_being_sent_away_is_a_rate_limit(bench: Bench) -> None:
    can(bench, "limits")
    bench.play({"status": 429, "message": "Rate limit reached. Please try again in 20s."})

    assert isinstance(await bench.failure(), RateLimited)


async def test_a_request_that_the_server_does_not_take_is_a_crash(bench: Bench) -> None:
    can(bench, "reasons")
    bench.play({"status": 400, "message": "the prompt is strange"})

    error = await bench.failure()

    assert isinstance(error, Crashed)
    assert "the prompt is strange" in str(error)


async def test_a_server_that_fails_once_does_not_fail_the_run(bench: Bench) -> None:
    bench.play({"attempts": [{"status": 500, "message": "boom"}, {"text": "hello"}]})

    result, _ = await bench.work()

    assert result.text == "hello"


async def test_a_server_that_is_not_there_ends_the_run(bench: Bench) -> None:
    can(bench, "outages")
    bench.task = partial(bench.real.task, bench.folder, "http://127.0.0.1:9")

    assert isinstance(await bench.failure(), Crashed)


async def test_cancelling_ends_the_tool_that_it_runs(bench: Bench) -> None:
    can(bench, "tools")
    bench.play({"bash": "touch started; sleep 600"}, {"text": "done"})
    job = bench.task()
    started = bench.repository / "started"

    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.real.agent().run, job, lambda _progress: None)
            while not started.exists():
                await trio.sleep(0.02)
            assert len(marks.find(mark=job.env[MARK])) >= 2
            nursery.cancel_scope.cancel()

    assert marks.find(mark=job.env[MARK]) == set()
