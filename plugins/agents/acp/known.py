"""The agents whose command line, settings and habits are known, so that a name is enough.

`modes` are ids of modes for each of the step's permissions, of which the first that is offered is
taken; none means that the session's own will do, since what it asks is answered. Permissions that are
not there are refused: the agent was seen to act without asking.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from ...types import AgentTask, Emit, Needs, Permissions
from .. import claude_code, codex, copilot, gemini, goose, kimi, opencode, qwen
from ..cli import Json, Program, part
from .reading import AcpReading

# For agents that nobody here knows: the modes in which agents are known to ask.
ASKING: Final = ["default", "approve", "ask", "manual"]


# What codex.QUIET says, as the wrapper takes it.
CODEX_QUIET: Final[Json] = {
    "features": {"unbounded_connection_retries": False, "plugins": False},
    "check_for_update_on_startup": False,
}
# Told as if it were said, at the end of a turn that has no usage.
COPILOT_RETRIES: Final = re.compile(r"Info: .*\bRetrying\.\.\.$")  # likewise, amid it
COPILOT_FAILED: Final = re.compile(r"Error: (.+)\Z", re.DOTALL)


class Start(msgspec.Struct, frozen=True):
    """How to start an agent for one task: arguments, environment, and what to say in session/new."""

    args: list[str]
    env: dict[str, str]
    meta: Json = {}


class Known(NamedTuple):
    program: Program | None
    start: Callable[[AgentTask], Start]
    modes: Mapping[Permissions, list[str]]
    reading: type[AcpReading] = AcpReading
    serves_files: bool = True  # whether the agent may read and write files through us
    model_at_start: bool = False  # whether `start` has seen to the task's model
    needs: Needs = Needs()


def _nothing(task: AgentTask) -> Start:
    return Start([], task.env)


ANY: Final = Known(None, _nothing, {"read": ASKING, "edit": ASKING, "full": []})


# --- one by one ----------------------------------------------------------------------------------


class ClaudeReading(AcpReading):
    name: ClassVar[str] = "acp:claude-code"
    login: ClassVar[str] = "Log in with: claude /login - or set ANTHROPIC_API_KEY."
    unasked: ClassVar[set[str]] = {"execute"}  # commands that it knows to change nothing


def _claude(task: AgentTask) -> Start:
    env = {**claude_code.QUIET, **task.env}
    if task.model is not None:
        env["ANTHROPIC_MODEL"] = task.model.removeprefix("anthropic/")
    # Asked is answered; to be able not to ask at all is what it denies to root.
    options: Json = {"allowDangerouslySkipPermissions": False}
    if task.permissions == "read":
        options["tools"] = ["Read", "Glob", "Grep"]  # rules in the user's settings soften a mode
    return Start([], env, {"claudeCode": {"options": options}})


class CodexReading(AcpReading):
    name: ClassVar[str] = "acp:codex"
    login: ClassVar[str] = codex.CodexReading.login
    unasked: ClassVar[set[str]] = {"delete", "edit", "execute", "move"}  # it has a sandbox

    def __init__(self, task: AgentTask, emit: Emit) -> None:
        super().__init__(task, emit)
        self._has_failed = False

    def update(self, update: Json) -> None:
        status = part(part(part(update, "_meta"), "codex"), "threadStatus")
        self._has_failed = self._has_failed or status.get("type") == "systemError"
        super().update(update)

    def turn_ended(self, result: Json) -> None:
        super().turn_ended(result)
        if self._has_failed:  # which it tells as if it were said
            self.fail(self.text)


def _codex(task: AgentTask) -> Start:
    return Start([], {"CODEX_CONFIG": json.dumps(CODEX_QUIET), **task.env})


class CopilotReading(AcpReading):
    name: ClassVar[str] = "acp:copilot"
    login: ClassVar[str] = copilot.CopilotReading.login

    def update(self, update: Json) -> None:
        said = part(update, "content").get("text")
        if isinstance(said, str) and COPILOT_RETRIES.match(said):
            self.retry(said)
        else:
            super().update(update)

    def turn_ended(self, result: Json) -> None:
        super().turn_ended(result)
        if "usage" not in result and (found := COPILOT_FAILED.search(self.text)):
            self.fail(found[1])


def _copilot(task: AgentTask) -> Start:
    argv = ["--acp", "--no-auto-update"]
    if task.model is not None:
        argv += ["--model", task.model.removeprefix("github/")]
    argv += copilot.PERMISSIONS["read"] if task.permissions == "read" else []
    return Start(argv, task.env)


class GeminiReading(AcpReading):
    name: ClassVar[str] = "acp:gemini"
    login: ClassVar[str] = gemini.GeminiReading.login
    remembers: ClassVar[bool] = (
        False  # it promises to load sessions, and writes down their beginning
    )


def _gemini(task: AgentTask) -> Start:
    argv = ["--acp", "--skip-trust"]
    if task.model is not None:
        argv += ["--model", task.model.removeprefix("gemini/").removeprefix("google/")]
    return Start(argv, {"GEMINI_CLI_NO_RELAUNCH": "true", **task.env})


class GooseReading(AcpReading):
    name: ClassVar[str] = "acp:goose"
    login: ClassVar[str] = goose.GooseReading.login
    counts_turns: ClassVar[bool] = False

    def turn_ended(self, result: Json) -> None:
        super().turn_ended(result)
        if found := goose.FAILED.match(self.text):  # it tells a failure as if it were said
            self.fail(self.text[found.end() :].partition("\n\n")[0])


def _goose(task: AgentTask) -> Start:
    env = {"GOOSE_TELEMETRY_ENABLED": "false", **task.env}
    if task.model is not None:
        provider, slash, model = task.model.partition("/")
        named = {"GOOSE_PROVIDER": provider, "GOOSE_MODEL": model}
        env |= named if slash else {"GOOSE_MODEL": provider}
    return Start(["acp", "--with-builtin", "developer"], env)


class KimiReading(AcpReading):
    name: ClassVar[str] = "acp:kimi"
    login: ClassVar[str] = kimi.KimiReading.login


def _kimi(task: AgentTask) -> Start:
    # It says nothing while it tries again, ten times over minutes if it may, nor why it gave up.
    return Start(["acp"], {"KIMI_LOOP_MAX_ATTEMPTS_PER_STEP": "2", **task.env})


class OpenCodeReading(AcpReading):
    name: ClassVar[str] = "acp:opencode"
    login: ClassVar[str] = opencode.OpenCodeReading.login
    attempts: ClassVar[int] = opencode.OpenCodeReading.attempts
    counts_turns: ClassVar[bool] = False

    def feed_error(self, line: str) -> None:
        if found := opencode.ATTEMPT.search(line):
            self.retry(found[1])
        else:
            super().feed_error(line)


def _opencode(task: AgentTask) -> Start:
    return Start(["acp", *opencode.LOGGED], opencode.environment(task))


class QwenReading(AcpReading):
    name: ClassVar[str] = "acp:qwen"
    login: ClassVar[str] = qwen.QwenReading.login


def _qwen(task: AgentTask) -> Start:
    argv = ["--acp"]
    if task.model is not None:
        argv += ["--model", task.model]
    if task.permissions == "read":
        for tool in qwen.ONLY_LOOKING:
            argv += ["--core-tools", tool]
    return Start(argv, {**qwen.QUIET, **task.env})


CLAUDE: Final = claude_code.ClaudeCode.needs
KNOWN: Final[Mapping[str, Known]] = {
    "acp:claude-code": Known(
        Program(
            "claude-agent-acp",
            "CLAUDE_AGENT_ACP_EXECUTABLE",
            install="npm install -g @agentclientprotocol/claude-agent-acp",
        ),
        _claude,
        {"read": ["default"], "edit": ["default"], "full": ["default"]},
        ClaudeReading,
        model_at_start=True,
        needs=replace(CLAUDE, env=(*CLAUDE.env, "CLAUDE_AGENT_ACP_EXECUTABLE")),
    ),
    "acp:codex": Known(
        Program(
            "codex-acp",
            "CODEX_ACP_EXECUTABLE",
            install="npm install -g @agentclientprotocol/codex-acp",
        ),
        _codex,
        {"read": ["read-only"], "edit": ["workspace-write"], "full": ["agent-full-access"]},
        CodexReading,
        needs=codex.Codex.needs,
    ),
    "acp:copilot": Known(
        copilot.PROGRAM,
        _copilot,
        {"read": [], "edit": [], "full": []},
        CopilotReading,
        model_at_start=True,
        needs=copilot.Copilot.needs,
    ),
    "acp:gemini": Known(
        gemini.PROGRAM,
        _gemini,
        {"edit": ["default"], "full": ["yolo"]},
        GeminiReading,
        serves_files=False,  # it takes a file that is not there for a failure
        model_at_start=True,
        needs=gemini.Gemini.needs,
    ),
    "acp:goose": Known(
        goose.PROGRAM,
        _goose,
        {"read": ["approve"], "edit": ["approve"], "full": ["auto"]},
        GooseReading,
        model_at_start=True,
        needs=goose.Goose.needs,
    ),
    "acp:kimi": Known(kimi.PROGRAM, _kimi, {"full": ["yolo"]}, KimiReading, needs=kimi.Kimi.needs),
    "acp:opencode": Known(
        opencode.PROGRAM,
        _opencode,
        {"read": ["holdfast-read"], "edit": ["holdfast-edit"], "full": []},
        OpenCodeReading,
        needs=opencode.OpenCode.needs,
    ),
    "acp:qwen": Known(
        qwen.PROGRAM,
        _qwen,
        {"read": ["default"], "edit": ["default"], "full": ["yolo"]},
        QwenReading,
        model_at_start=True,
        needs=qwen.Qwen.needs,
    ),
}
