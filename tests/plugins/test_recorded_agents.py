"""The agents against programs that replay what the real ones printed: what holds of one holds of all.

The transcripts were recorded from the versions named here; test_real_agents.py runs the real ones.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.eventlog import Usage
from holdfast.plugins import (
    Agent,
    BadOptions,
    Crashed,
    MissingBinary,
    NotLoggedIn,
    RateLimited,
    Refused,
    SessionLost,
    WorkError,
)
from holdfast.plugins.agents import Aider, Copilot, Gemini, Goose, Kimi, OpenCode, Pi, Qwen
from holdfast.plugins.testing import check_agent
from tests.support.replay import TRANSCRIPTS, Replay

DONE = "Done: hello.txt was created."
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
OURS = "(a name of ours)"
USED = Usage(300, 60)


@dataclass(frozen=True)
class Recorded:
    name: str
    agent: Callable[[], Agent]
    version: str
    session: str
    usage: Usage | None = USED
    kinds: str = "session thinking text tool tool_result file tool tool_result text"
    suffix: str = "jsonl"
    text: str = DONE
    forks: bool = True
    failed: tuple[str, int] = ("", 1)  # what goes to standard error with a 401, and the exit code

    @property
    def variable(self) -> str:
        return f"{self.name.upper()}_EXECUTABLE"

    def replay(self, folder: Path) -> Replay:
        replay = Replay(folder, self.variable, self.agent(), self.version)
        if self.name == "goose":  # which is asked for its sessions before and after
            replay.says_aside("session", "[]")
        return replay

    def transcript(self, kind: str = "success") -> str:
        return f"{self.name}-{kind}.{self.suffix}"


THOUGHT_LAST = "session text thinking tool tool_result file tool tool_result text"
WITHOUT_THOUGHT = "session text tool tool_result file tool tool_result text"
RECORDED = [
    Recorded(
        "aider",
        Aider,
        "aider 0.86.2",
        OURS,
        Usage(597, 19),
        "session text file",
        "txt",
        "I will create the file.\n\nhello.txt\n```\nHello from the fake model\n```",
        failed=("", 0),
    ),
    Recorded("copilot", Copilot, "1.0.102", OURS, None, THOUGHT_LAST, forks=False),
    Recorded(
        "gemini",
        Gemini,
        "0.61.0",
        "4f66e76b-0150-4c70-b88e-fdd4f05e4755",
        kinds=WITHOUT_THOUGHT,
        forks=False,
        failed=("_ApiError: Incorrect API key provided\n  status: 401\n}\n", 145),
    ),
    Recorded("goose", Goose, "1.34.0", OURS, Usage(), forks=False, failed=("", 0)),
    Recorded(
        "kimi",
        Kimi,
        "2.1.0",
        "session_c54a43cc-8fd8-498e-892e-51274225568f",
        None,
        "text tool tool_result file tool tool_result text session",
        failed=("error: failed to run prompt: provider.auth_error: 401 Incorrect API key", 1),
    ),
    Recorded(
        "opencode",
        OpenCode,
        "1.18.33",
        "ses_dfd713045ffeZA775bHKYDA3ol",
        Usage(300, 60, 0, 0.00042),
        WITHOUT_THOUGHT,
    ),
    Recorded(
        "pi",
        Pi,
        "0.87.1",
        "01a2028e-f0b1-7268-a8a6-5847179f41c6",
        Usage(300, 60, 0, 0.00042),
        THOUGHT_LAST,
        failed=("", 0),
    ),
    Recorded("qwen", Qwen, "0.24.4", "59d30dd0-20c7-48df-9992-87f20a883892"),
]
ALL = pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each.name)


def of(name: str) -> Recorded:
    return next(each for each in RECORDED if each.name == name)


@pytest.fixture
def replay(recorded: Recorded, tmp_path: Path) -> Replay:
    return recorded.replay(tmp_path)


@ALL
def test_it_conforms(recorded: Recorded, replay: Replay, tmp_path: Path) -> None:
    replay.replays(recorded.transcript())
    hanging = recorded.replay(tmp_path / "hanging")
    hanging.stops_halfway(recorded.transcript())

    check_agent(recorded.agent, works=replay.task(), hangs=hanging.task())


@ALL
async def test_a_success_tells_its_text_its_session_and_its_usage(
    recorded: Recorded, replay: Replay
) -> None:
    replay.replays(recorded.transcript())

    result, shown = await replay.work()

    assert result.text == recorded.text
    told = [each.text for each in shown if each.kind == "session"]
    assert told[-1] == result.session
    if recorded.session != OURS:
        assert result.session == recorded.session
    assert result.usage is None if recorded.usage is None else result.usage is not None
    if recorded.usage is not None and result.usage is not None:
        assert msgspec.structs.astuple(result.usage) == pytest.approx(
            msgspec.structs.astuple(recorded.usage)
        )


@ALL
async def test_what_it_does_is_shown_as_it_happens(recorded: Recorded, replay: Replay) -> None:
    replay.replays(recorded.transcript())

    _, shown = await replay.work()

    kinds = [each.kind for each in shown if each.kind != "raw"]
    assert " ".join(dict.fromkeys(kinds)) == " ".join(dict.fromkeys(recorded.kinds.split()))
    assert [each for each in kinds if each in ("tool", "file", "tool_result")] == [
        each for each in recorded.kinds.split() if each in ("tool", "file", "tool_result")
    ]
    assert [Path(each.text).name for each in shown if each.kind == "file"] == ["hello.txt"]


@ALL
async def test_a_wrong_key_is_a_matter_of_logging_in(recorded: Recorded, replay: Replay) -> None:
    stderr, code = recorded.failed
    replay.replays(recorded.transcript("401"), code=code, stderr=stderr)

    error = await replay.failure()

    assert isinstance(error, NotLoggedIn)
    assert "Log in with" in str(error) or "Set the provider's key" in str(error)


@ALL
@pytest.mark.parametrize("code", [0, 143])
async def test_a_stream_that_is_cut_is_a_crash_whatever_the_exit_code(
    code: int, recorded: Recorded, replay: Replay
) -> None:
    whole = (TRANSCRIPTS / recorded.transcript()).read_text()
    replay.says(whole[: len(whole) // 2], code=code, stderr="Terminated\n")

    error = await replay.failure()

    assert isinstance(error, Crashed)
    assert f"exit code {code}: Terminated" in str(error)
    assert bool(error.session) == (recorded.name != "kimi")


@ALL
async def test_a_program_that_is_missing_says_how_to_get_it(
    recorded: Recorded, replay: Replay
) -> None:
    task = replay.task()
    env = task.env | {recorded.variable: "", "PATH": str(replay.repository)}

    with pytest.raises(MissingBinary, match=r"Install it with: \S+"):
        await replay.agent.run(msgspec.structs.replace(task, env=env), lambda _: None)


@ALL
async def test_an_unknown_option_is_refused_with_those_that_exist(
    recorded: Recorded, replay: Replay
) -> None:
    error = await replay.failure(options={"nonsense": 1})

    assert isinstance(error, BadOptions)
    assert "args" in str(error)


@ALL
async def test_options_go_to_the_program_as_they_are(recorded: Recorded, replay: Replay) -> None:
    replay.replays(recorded.transcript())

    await replay.work(options={"args": ["--own", "x"]})

    assert replay.after("--own") == "x"


@pytest.mark.parametrize("name", [each.name for each in RECORDED if not each.forks])
async def test_a_session_that_cannot_be_copied_is_not_gone_on_with(
    name: str, tmp_path: Path
) -> None:
    error = await of(name).replay(tmp_path).failure(session="earlier", fork=True)

    assert isinstance(error, BadOptions)


@ALL
def test_readiness_names_the_version_and_the_path(
    recorded: Recorded, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(recorded.variable, str(replay.program))

    readiness = recorded.agent().readiness()

    assert readiness.ready
    assert readiness.detail == f"{recorded.version} ({replay.program})"


@pytest.mark.parametrize("name", ["aider", "copilot", "gemini", "goose", "kimi", "opencode", "pi"])
async def test_a_result_is_asked_for_in_words(name: str, tmp_path: Path) -> None:
    replay = of(name).replay(tmp_path)
    whole = (TRANSCRIPTS / of(name).transcript()).read_text()
    inside = '{"n": 3}' if name == "aider" else json.dumps('{"n": 3}')[1:-1]
    if name == "aider":  # its answer ends with the file
        whole = whole.replace("Hello from the fake model", inside)
    replay.says(whole.replace("Done: hello.txt was crea", inside).replace("ted.", ""))

    result, _ = await replay.work(schema=SCHEMA)

    assert result.output == {"n": 3}
    called = replay.called()
    asked = [called["stdin"], *called["argv"], *called["files"].values()]
    assert any(json.dumps(SCHEMA) in text for text in asked)


# --- what only one of them has ------------------------------------------------------------------


RETRY_429 = {"attempt": 1, "delayMs": 3_600_000, "errorMessage": "429: slow down"}
GEMINI_429 = (
    "Attempt 1 failed with status 429. Retrying with backoff... _ApiError: "
    '{"error":{"code":429,"message":"Please try again in 6m0s."}}'
)
OPENCODE_429 = (
    'timestamp=2026-11-22T15:44:53.551Z level=ERROR run=b message="stream error" providerID=p '
    "modelID=m session.id=s small=false agent=build mode=primary "
    'error.error="AI_APICallError: Rate limit reached. Please try again in 6m0s."'
)
COPILOT_429 = {
    "type": "model.call_failure",
    "data": {"statusCode": 429, "errorMessage": "Rate limit reached. Please try again in 6m0s."},
}
KIMI_429 = {
    "role": "meta",
    "type": "turn.step.retrying",
    "delay_ms": 360_000,
    "error_message": "429 slow down",
    "status_code": 429,
}


@pytest.mark.parametrize(
    ("name", "stdout", "stderr"),
    [
        ("gemini", "", GEMINI_429),
        ("opencode", "", OPENCODE_429),
        ("copilot", COPILOT_429, ""),
        ("kimi", KIMI_429, ""),
        ("pi", {"type": "auto_retry_start", **RETRY_429}, ""),
        ("qwen", "", "Retrying in 360s (attempt 1/10): 429 slow down"),
        ("aider", "Repo-map: no\nlitellm.RateLimitError: slow\nRetrying in 360.0 seconds...", ""),
    ],
)
async def test_a_long_wait_is_left_to_the_engine(
    name: str, stdout: str | dict[str, Any], stderr: str, tmp_path: Path
) -> None:
    replay = of(name).replay(tmp_path)
    replay.says(stdout, "", stderr=f"{stderr}\n")
    replay.hangs()

    error = await replay.failure()

    assert isinstance(error, RateLimited)
    assert error.until > 0


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gemini", "Attempt {n} failed with status 500. Retrying with backoff... boom"),
        ("opencode", 'message="stream error" x=y small=false z="" error.error="boom"'),
    ],
)
async def test_a_server_that_always_fails_is_given_up_before_minutes_have_passed(
    name: str, line: str, tmp_path: Path
) -> None:
    replay = of(name).replay(tmp_path)
    replay.says("", stderr="".join(line.format(n=n) + "\n" for n in range(1, 10)))
    replay.hangs()

    with pytest.raises(Crashed, match=r"boom \(tried [34] times\)"):
        await replay.work()


@pytest.mark.parametrize("name", ["kimi", "pi"])
async def test_a_retry_is_shown_and_does_not_fail_the_run(name: str, tmp_path: Path) -> None:
    replay = of(name).replay(tmp_path)
    replay.replays(f"{name}-retry-500.jsonl")

    result, shown = await replay.work()

    assert result.text == "ok"
    assert [each.kind for each in shown].count("retry") == 1


@pytest.mark.parametrize(
    ("name", "stdout", "stderr", "code"),
    [
        ("gemini", "", "Error resuming session: No previous sessions found for this project.", 42),
        ("qwen", "", 'No saved session found with title "earlier".', 1),
        ("pi", "", "No session found matching 'earlier'", 1),
        ("pi", "", "Session found in different project: /repo\nFork this session? Aborted.", 0),
        ("goose", "", "Error: No session found with name 'earlier'", 1),
        ("copilot", "", "Error: No session, task, or name matched 'earlier'.", 1),
        ("kimi", "", "error: session was created under a different directory", 1),
        ("kimi", "", 'error: failed to run prompt: Session "earlier" not found.', 1),
    ],
)
async def test_an_unknown_session_is_told(
    name: str, stdout: str, stderr: str, code: int, tmp_path: Path
) -> None:
    replay = of(name).replay(tmp_path)
    replay.says(stdout, stderr=stderr, code=code)

    error = await replay.failure(session="earlier")

    assert isinstance(error, SessionLost)
    assert "'earlier'" in str(error)


async def test_opencode_would_wait_for_ever_on_a_session_of_another_folder(tmp_path: Path) -> None:
    replay = of("opencode").replay(tmp_path)
    replay.says_aside("export", '{"info": {"directory": "/elsewhere"}}')

    error = await replay.failure(session="ses_1")

    assert isinstance(error, SessionLost)
    assert "'/elsewhere'" in str(error)


async def test_aider_knows_the_sessions_whose_history_is_there(tmp_path: Path) -> None:
    replay = of("aider").replay(tmp_path)
    replay.replays("aider-success.txt")
    (replay.home / ".aider" / "holdfast").mkdir(parents=True)
    (replay.home / ".aider" / "holdfast" / "one.md").write_text("# hello\n")

    copy, _ = await replay.work(session="one", fork=True)
    error = await replay.failure(session="two")

    assert copy.session != "one"
    assert replay.after("--chat-history-file").endswith(f"{copy.session}.md")
    assert isinstance(error, SessionLost)


async def test_goose_tells_what_this_run_used_of_the_session(tmp_path: Path) -> None:
    replay = of("goose").replay(tmp_path)
    replay.replays("goose-success.jsonl")
    row = {"name": "earlier", "accumulated_input_tokens": 300, "accumulated_cost": 0.5}
    replay.says_aside("session", json.dumps([row]))

    result, _ = await replay.work(session="earlier")

    assert result.usage == Usage()
    assert replay.after("--name") == "earlier"
    assert "--resume" in replay.argv


@pytest.mark.parametrize(
    ("name", "said", "kind"),
    [
        ("goose", "Ran into this error: Rate limit exceeded. Please wait.", RateLimited),
        ("goose", "Ran into this error: the model `x` does not exist.", Refused),
        ("goose", "Network error: error sending request", Crashed),
    ],
)
async def test_goose_tells_a_failure_as_if_it_were_said(
    name: str, said: str, kind: type[WorkError], tmp_path: Path
) -> None:
    replay = of(name).replay(tmp_path)
    content = [{"type": "text", "text": f"{said}\n\nPlease retry."}]
    message = {"id": None, "role": "assistant", "content": content}
    replay.says({"type": "message", "message": message}, {"type": "complete"})

    assert type(await replay.failure()) is kind


async def test_a_rejected_permission_ends_opencode_and_is_no_success(tmp_path: Path) -> None:
    replay = of("opencode").replay(tmp_path)
    step = {"reason": "tool-calls", "tokens": {"input": 1}}
    replay.says({"type": "step_finish", "sessionID": "s", "part": step})

    with pytest.raises(Crashed, match="'tool-calls'"):
        await replay.work()


async def test_opencode_adds_to_the_configuration_that_it_is_given(tmp_path: Path) -> None:
    replay = of("opencode").replay(tmp_path)
    replay.replays("opencode-success.jsonl")

    await replay.work(env={"OPENCODE_CONFIG_CONTENT": '{"share": "disabled"}'}, permissions="read")

    config = json.loads(replay.called()["env"]["OPENCODE_CONFIG_CONTENT"])
    assert config["share"] == "disabled"
    assert config["agent"]["holdfast-read"]["permission"]["*"] == "deny"
    assert replay.after("--agent") == "holdfast-read"


@pytest.mark.parametrize(
    "fields",
    [
        {"env": {"OPENCODE_CONFIG_CONTENT": "// words\n{}"}},
        {"options": {"agent": "plan"}, "permissions": "read"},
    ],
)
async def test_opencode_refuses_what_it_cannot_keep(fields: Any, tmp_path: Path) -> None:
    replay = of("opencode").replay(tmp_path)

    assert isinstance(await replay.failure(**fields), BadOptions)


@pytest.mark.parametrize(
    ("name", "permissions", "words"),
    [
        ("aider", "read", "--chat-mode ask"),
        ("copilot", "read", "--available-tools=view,grep,glob"),
        ("copilot", "edit", "--allow-tool=write"),
        ("copilot", "full", "--allow-all-tools --allow-all-paths"),
        ("gemini", "read", "--approval-mode default --admin-policy"),
        ("gemini", "edit", "--approval-mode auto_edit"),
        ("gemini", "full", "--approval-mode yolo"),
        ("opencode", "edit", "--agent holdfast-edit"),
        ("opencode", "full", "--auto"),
        ("pi", "read", "--tools read,grep,find,ls"),
        ("pi", "edit", "--tools read,grep,find,ls,edit,write"),
        ("qwen", "read", "--approval-mode default --core-tools read_file"),
        ("qwen", "edit", "--approval-mode auto-edit"),
        ("qwen", "full", "--approval-mode yolo"),
    ],
)
async def test_permissions_become_arguments(
    name: str, permissions: Any, words: str, tmp_path: Path
) -> None:
    replay = of(name).replay(tmp_path)
    replay.replays(of(name).transcript())

    await replay.work(permissions=permissions)

    assert words in " ".join(replay.argv)


@pytest.mark.parametrize("name", ["goose", "kimi"])
@pytest.mark.parametrize("permissions", ["read", "edit"])
async def test_permissions_that_it_cannot_be_held_to_are_refused(
    name: str, permissions: Any, tmp_path: Path
) -> None:
    error = await of(name).replay(tmp_path).failure(permissions=permissions)

    assert isinstance(error, BadOptions)
    assert f"permissions={permissions!r}" in str(error)


@pytest.mark.parametrize(
    ("name", "model", "words"),
    [
        ("aider", "openai/gpt-5", "--model openai/gpt-5"),
        ("copilot", "github/gpt-5", "--model gpt-5"),
        ("gemini", "gemini/gemini-2.5-pro", "--model gemini-2.5-pro"),
        ("goose", "openai/gpt-5", "--provider openai --model gpt-5"),
        ("goose", "gpt-5", "--model gpt-5"),
        ("kimi", "kimi-k3", "--model kimi-k3"),
        ("opencode", "openai/gpt-5", "--model openai/gpt-5"),
        ("pi", "openai/gpt-5", "--model openai/gpt-5"),
        ("qwen", "qwen3-coder-plus", "--model qwen3-coder-plus"),
    ],
)
async def test_the_model_goes_to_the_program_in_its_own_words(
    name: str, model: str, words: str, tmp_path: Path
) -> None:
    replay = of(name).replay(tmp_path)
    replay.replays(of(name).transcript())

    await replay.work(model=model)

    assert words in " ".join(replay.argv)


async def test_qwen_gives_structured_output_by_itself(tmp_path: Path) -> None:
    replay = of("qwen").replay(tmp_path)
    replay.replays("qwen-schema.jsonl")

    result, _ = await replay.work(schema=SCHEMA)

    assert result.output == {"name": "x", "n": 3}
    assert json.loads(replay.after("--json-schema")) == SCHEMA
