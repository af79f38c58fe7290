"""The claude-code agent against a program that replays what the real one printed.

The transcripts were recorded from Claude Code 2.1.330; test_real_claude.py runs the real one.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.eventlog import Usage
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    BadOptions,
    Crashed,
    MissingBinary,
    NoOutput,
    NotLoggedIn,
    OutputInvalid,
    Progress,
    RateLimited,
    Refused,
    SessionLost,
    WorkError,
)
from holdfast.plugins.agents import ClaudeCode
from holdfast.plugins.agents.claude_code import environment
from holdfast.plugins.testing import agent_task, check_agent

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}

# Writes down how it was called, prints what it is told to, and may then wait to be ended.
REPLAY = f"""#!{sys.executable}
import json, os, pathlib, sys, time
if sys.argv[1:] == ["--version"]:
    sys.exit(print("2.1.330 (Claude Code)"))
folder = pathlib.Path(__file__).parent
called = {{"argv": sys.argv[1:], "stdin": sys.stdin.read(), "env": dict(os.environ)}}
(folder / "called.json").write_text(json.dumps(called))
sys.stderr.write((folder / "stderr").read_text())
sys.stdout.write((folder / "stdout").read_text())
sys.stdout.flush()
if (folder / "hang").exists():
    time.sleep(600)
sys.exit(int((folder / "code").read_text()))
"""


class Fake:
    """A claude of our own in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.repository = folder / "repository"
        self.bin.mkdir()
        self.repository.mkdir()
        (self.bin / "claude").write_text(REPLAY)
        (self.bin / "claude").chmod(0o755)
        self.says("")

    def says(self, stdout: str, *, code: int = 0, stderr: str = "") -> None:
        (self.bin / "stdout").write_text(stdout)
        (self.bin / "stderr").write_text(stderr)
        (self.bin / "code").write_text(str(code))

    def replays(self, transcript: str, *, code: int = 0) -> None:
        self.says((TRANSCRIPTS / f"claude-{transcript}.jsonl").read_text(), code=code)

    def task(self, prompt: str = "Do it.", **fields: Any) -> AgentTask:
        env = {"CLAUDE_CODE_EXECUTABLE": str(self.bin / "claude"), **fields.pop("env", {})}
        return agent_task(self.repository, prompt, env=env, **fields)

    def called(self) -> Any:
        return json.loads((self.bin / "called.json").read_text())


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def last_event(transcript: str) -> dict[str, Any]:
    lines = (TRANSCRIPTS / f"claude-{transcript}.jsonl").read_text().splitlines()
    event: dict[str, Any] = json.loads(lines[-1])
    return event


def about(number: float) -> Any:
    return pytest.approx(number)


async def work(task: AgentTask) -> tuple[AgentResult, list[Progress]]:
    shown: list[Progress] = []
    return await ClaudeCode().run(task, shown.append), shown


async def failure(task: AgentTask) -> WorkError:
    with pytest.raises(WorkError) as caught:
        await ClaudeCode().run(task, lambda _progress: None)
    return caught.value


def test_it_conforms(fake: Fake, tmp_path: Path) -> None:
    fake.replays("schema")
    (tmp_path / "second").mkdir()
    hanging = Fake(tmp_path / "second")
    (hanging.bin / "hang").touch()
    hanging.says('{"type": "system", "subtype": "init", "session_id": "s"}\n')

    check_agent(ClaudeCode, works=fake.task(schema=SCHEMA), hangs=hanging.task())


async def test_a_success_tells_its_text_its_session_and_its_usage(fake: Fake) -> None:
    fake.replays("success")

    result, _ = await work(fake.task())

    assert result == AgentResult(
        text="Done: hello.txt was created.",
        usage=Usage(input_tokens=300, output_tokens=60, cost_usd=about(0.0018)),
        session="159e78fd-1f1d-46ee-9233-6a275c5663fe",
    )


async def test_what_it_does_is_shown_as_it_happens(fake: Fake) -> None:
    fake.replays("success")

    _, shown = await work(fake.task())

    assert [each.kind for each in shown] == [
        *["session", "thinking", "text"],
        *["tool", "tool_result", "file"],
        *["tool", "tool_result"],
        "text",
    ]
    tool, result, file = shown[3:6]
    assert (tool.data["name"], tool.data["input"]["file_path"]) == ("Write", "/repo/hello.txt")
    assert tool.data["id"] == result.data["id"]
    assert file.data == {"path": "/repo/hello.txt"}
    assert [each.data["failed"] for each in shown if each.kind == "tool_result"] == [False, True]


async def test_structured_output_is_returned_as_data(fake: Fake) -> None:
    fake.replays("schema")

    result, _ = await work(fake.task(schema=SCHEMA))

    assert result.output == {"name": "x", "n": 3}
    assert json.loads(_after(fake.called()["argv"], "--json-schema")) == SCHEMA


async def test_a_resumed_session_costs_only_what_this_run_used(fake: Fake) -> None:
    fake.replays("resumed")

    result, _ = await work(fake.task(session="earlier"))

    assert last_event("resumed")["total_cost_usd"] == pytest.approx(0.0012)
    assert result.usage is not None
    assert result.usage.cost_usd == pytest.approx(0.0006)
    assert _after(fake.called()["argv"], "--resume") == "earlier"


async def test_a_session_can_go_on_in_a_copy(fake: Fake) -> None:
    fake.replays("resumed")

    await work(fake.task(session="earlier", fork=True))

    assert "--fork-session" in fake.called()["argv"]


@pytest.mark.parametrize(("session", "cost"), [(None, 0.0018), ("earlier", 0.0)])
async def test_an_older_version_that_only_has_totals_never_counts_twice(
    session: str | None, cost: float, fake: Fake
) -> None:
    event = last_event("success")
    del event["model_usage_since_last_result"]
    event["usage"]["cache_read_input_tokens"] = 50
    fake.says(json.dumps(event))

    result, _ = await work(fake.task(session=session))

    assert result.usage == Usage(350, 60, 50, about(cost))


async def test_a_retry_is_shown_and_does_not_fail_the_run(fake: Fake) -> None:
    fake.replays("retry-429")

    result, shown = await work(fake.task())

    assert result.text == "ok"
    assert [each.data["status"] for each in shown if each.kind == "retry"] == [429]


async def test_a_long_wait_is_left_to_the_engine(fake: Fake) -> None:
    retry = {"type": "system", "subtype": "api_retry", "error": "rate_limit", "error_status": 429}
    fake.says(json.dumps(retry | {"retry_delay_ms": 3_600_000}) + "\n")
    (fake.bin / "hang").touch()
    before = time.time_ns()

    error = await failure(fake.task())

    assert isinstance(error, RateLimited)
    assert 3600 <= (error.until - before) / 1e9 < 3660


@pytest.mark.parametrize(
    ("transcript", "code", "kind", "says"),
    [
        ("401", 1, NotLoggedIn, "Incorrect API key provided. Log in with: claude"),
        ("logged-out", 1, NotLoggedIn, "Not logged in"),
        ("529", 1, RateLimited, "529"),
        ("refusal", 1, Refused, "can't help with this"),
        ("400", 1, Crashed, "prompt is strange"),
        ("maxturns", 1, Crashed, r"\(max_turns\): Reached maximum number of turns \(1\)"),
        ("sigint", 0, Crashed, "aborted_tools"),
        ("unknown-session", 1, SessionLost, "No conversation found"),
    ],
)
async def test_each_kind_of_failure_has_its_error(
    transcript: str, code: int, kind: type[WorkError], says: str, fake: Fake
) -> None:
    fake.replays(transcript, code=code)

    with pytest.raises(kind, match=says) as caught:
        await work(fake.task(session="earlier"))

    known = "" if kind is SessionLost else last_event(transcript)["session_id"]
    assert caught.value.session == known


async def test_the_time_at_which_a_limit_resets_is_told(fake: Fake) -> None:
    rejected = {"status": "rejected", "resetsAt": 1_900_000_000, "rateLimitType": "five_hour"}
    event = {"type": "rate_limit_event", "rate_limit_info": rejected}
    fake.says("\n".join(map(json.dumps, [event, last_event("529")])), code=1)

    error = await failure(fake.task())

    assert isinstance(error, RateLimited)
    assert error.until == 1_900_000_000 * 10**9


async def test_an_account_on_hold_is_not_tried_again(fake: Fake) -> None:
    said = {"type": "assistant", "error": "billing_error", "message": {"content": []}}
    event = last_event("400") | {"api_error_status": None, "result": "Credit balance is too low"}
    fake.says("\n".join(map(json.dumps, [said, event])), code=1)

    error = await failure(fake.task())

    assert isinstance(error, Refused)
    assert not error.retryable


async def test_a_success_without_the_wanted_output_is_invalid(fake: Fake) -> None:
    fake.replays("no-structured-output")

    error = await failure(fake.task(schema=SCHEMA))

    assert isinstance(error, OutputInvalid)
    assert "'not json'" in str(error)
    assert error.usage == Usage(200, 40, 0, about(0.0012))


async def test_a_success_that_says_nothing_is_no_output(fake: Fake) -> None:
    fake.says(json.dumps(last_event("success") | {"result": " \n"}))

    assert isinstance(await failure(fake.task()), NoOutput)


async def test_a_stream_that_is_cut_is_a_crash_with_the_session_to_go_on_with(fake: Fake) -> None:
    whole = (TRANSCRIPTS / "claude-success.jsonl").read_text()
    fake.says(whole[:-100], code=143, stderr="Terminated\n")

    error = await failure(fake.task())

    assert isinstance(error, Crashed)
    assert "exit code 143: Terminated" in str(error)
    assert error.session == last_event("success")["session_id"]


async def test_events_and_lines_that_nobody_knows_are_shown_and_harmless(fake: Fake) -> None:
    odd = ['{"type": "brand_new"}', "[1]", "not json", '{"type": "user", "message": {}}']
    fake.says("\n".join([*odd, json.dumps(last_event("success"))]))

    result, shown = await work(fake.task())

    assert result.text == "Done: hello.txt was created."
    assert [each.kind for each in shown] == ["raw"] * 4


async def test_the_prompt_goes_by_standard_input_whatever_its_size(fake: Fake) -> None:
    fake.replays("success")
    prompt = "é" * 500_000

    await work(fake.task(prompt))

    assert fake.called()["stdin"] == prompt


@pytest.mark.parametrize(
    ("permissions", "arguments"),
    [
        ("read", ["--permission-mode", "dontAsk", "--tools", "Read,Glob,Grep"]),
        ("edit", ["--permission-mode", "acceptEdits"]),
        ("full", ["--permission-mode", "bypassPermissions"]),
    ],
)
async def test_permissions_become_a_mode(
    permissions: Any, arguments: list[str], fake: Fake
) -> None:
    fake.replays("success")

    await work(fake.task(permissions=permissions))

    assert " ".join(arguments) in " ".join(fake.called()["argv"])


async def test_options_and_model_become_arguments(fake: Fake) -> None:
    fake.replays("success")
    options = {"max_turns": 5, "append_system_prompt": "Be brief.", "args": ["--effort", "low"]}

    await work(fake.task(model="anthropic/claude-opus-4-5", options=options))

    argv = fake.called()["argv"]
    assert _after(argv, "--model") == "claude-opus-4-5"
    assert _after(argv, "--max-turns") == "5"
    assert _after(argv, "--append-system-prompt") == "Be brief."
    assert argv[-2:] == ["--effort", "low"]


async def test_an_unknown_option_is_refused_with_those_that_exist(fake: Fake) -> None:
    error = await failure(fake.task(options={"max_turn": 5}))

    assert isinstance(error, BadOptions)
    assert "`max_turn`" in str(error)
    assert "max_turns, append_system_prompt, args" in str(error)


async def test_the_environment_is_quiet_and_free_of_an_outer_claude(fake: Fake) -> None:
    fake.replays("success")

    await work(fake.task(env={"CLAUDECODE": "1", "DISABLE_TELEMETRY": "mine"}))

    env = fake.called()["env"]
    assert "CLAUDECODE" not in env
    assert env["DISABLE_TELEMETRY"] == "mine"
    assert env["DISABLE_AUTOUPDATER"] == "1"
    assert int(env["CLAUDE_CODE_MAX_RETRIES"]) <= 3


@pytest.mark.parametrize(
    ("user", "permissions", "before", "after"),
    [
        (0, "full", None, "1"),
        (0, "full", "yes", "1"),
        (0, "full", "0", "0"),
        (0, "edit", None, None),
        (1000, "full", None, None),
    ],
)
def test_root_works_without_asking_unless_the_environment_says_no(
    user: int,
    permissions: Any,
    before: str | None,
    after: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    env = {} if before is None else {"IS_SANDBOX": before}
    task = AgentTask(prompt="", folder=Path(), env=env, permissions=permissions)

    assert environment(task).get("IS_SANDBOX") == after


async def test_a_missing_claude_says_how_to_get_it(fake: Fake) -> None:
    task = fake.task()
    elsewhere = task.env | {"CLAUDE_CODE_EXECUTABLE": "", "PATH": str(fake.repository)}

    with pytest.raises(MissingBinary, match="npm install -g @anthropic-ai/claude-code"):
        await work(msgspec.structs.replace(task, env=elsewhere))


def test_readiness_names_the_version_and_the_path(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_EXECUTABLE", str(fake.bin / "claude"))

    readiness = ClaudeCode().readiness()

    assert readiness.ready
    assert readiness.detail == f"2.1.330 (Claude Code) ({fake.bin / 'claude'})"


@pytest.mark.parametrize(
    ("program", "says"),
    [("no-such-claude", "cannot find the program 'no-such-claude'"), ("false", "ended with 1")],
)
def test_readiness_says_what_is_wrong(
    program: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_EXECUTABLE", program)

    readiness = ClaudeCode().readiness()

    assert not readiness.ready
    assert says in readiness.detail


def _after(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]
