"""The `claude-code` agent: Anthropic's Claude Code, run without a terminal."""

import json
import os
from typing import Final

import msgspec

from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .claude_stream import Stream
from .cli import Program, options_of, run_jsonl

PROGRAM = Program(
    "claude",
    "CLAUDE_CODE_EXECUTABLE",
    install="npm install -g @anthropic-ai/claude-code",
    keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
    logins=(".claude/.credentials.json",),
)

# What the task's own environment says wins over these.
QUIET: Final = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
    "CLAUDE_CODE_MAX_RETRIES": "2",  # the engine waits better: at no cost, and over restarts
}

# Set inside Claude Code for what it starts: a Holdfast that runs there is not part of that session.
OUTER_SESSION: Final = {
    "AI_AGENT",
    "CLAUDECODE",
    "CLAUDE_CODE_CHILD_NOTES_DIR",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_LAUNCHED_BY_SESSION_IDS",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_PROJECT_DIR",
}

YES: Final = {"1", "on", "true", "yes"}

# For "read" it is the set of tools that keeps the promise: a permission mode alone is softened by
# rules in the user's settings.
PERMISSIONS: Final[dict[Permissions, list[str]]] = {
    "read": ["--permission-mode", "dontAsk", "--tools", "Read,Glob,Grep"],
    "edit": ["--permission-mode", "acceptEdits"],
    "full": ["--permission-mode", "bypassPermissions"],
}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `args` goes to the program as it is."""

    max_turns: int | None = None
    append_system_prompt: str | None = None
    args: list[str] = []


class ClaudeCode:
    """Runs `claude -p` in the task's folder and reads its stream of events."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "ANTHROPIC_*", "CLAUDE_CODE_*", "CLAUDE_CONFIG_DIR", "IS_SANDBOX"),
        folders=(
            ConfigFolder(
                "~/.claude",
                "CLAUDE_CONFIG_DIR",
                read=(
                    "CLAUDE.md",
                    "agents",
                    "commands",
                    "local",
                    "plugins",
                    "settings.json",
                    "skills",
                ),
                write=(".credentials.json", "projects/"),
            ),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        argv = [PROGRAM.locate(task.env), *arguments(task, options_of(task, Options))]
        stream = Stream(task, emit)
        ending = await run_jsonl(
            argv, task, emit, env=environment(task), stdin=task.prompt, on_event=stream.feed
        )
        return stream.result(ending)

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options) -> list[str]:
    """Return the command line after the program's name; the prompt goes by standard input."""
    argv = ["-p", "--output-format", "stream-json", "--verbose", *PERMISSIONS[task.permissions]]
    if task.model is not None:
        argv += ["--model", task.model.removeprefix("anthropic/")]
    if task.session is not None:
        argv += ["--resume", task.session, *(["--fork-session"] if task.fork else [])]
    if task.schema is not None:
        argv += ["--json-schema", json.dumps(task.schema)]
    if options.max_turns is not None:
        argv += ["--max-turns", str(options.max_turns)]
    if options.append_system_prompt is not None:
        argv += ["--append-system-prompt", options.append_system_prompt]
    return argv + options.args


def environment(task: AgentTask) -> dict[str, str]:
    """Return the environment of the program."""
    env = QUIET | {name: value for name, value in task.env.items() if name not in OUTER_SESSION}
    # As root it works without asking only in what it is told is a sandbox, and "1" is the one word
    # for that which it knows. Whoever set the variable to "0" meant it, and gets its refusal.
    as_root = task.permissions == "full" and os.geteuid() == 0
    if as_root and env.get("IS_SANDBOX", "1").lower() in YES:
        env["IS_SANDBOX"] = "1"
    return env
