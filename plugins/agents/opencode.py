"""The `opencode` agent, run without a terminal."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from holdfast.eventlog import Usage

from ..errors import BadOptions, SessionLost
from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import PROVIDER_KEYS, Json, Program, arguments_for, options_of, part, run_lines
from .reading import EventReading, follow
from .structured import prompt_of

PROGRAM = Program(
    "opencode",
    "OPENCODE_EXECUTABLE",
    install="npm install -g opencode-ai",
    logins=(".local/share/opencode/auth.json",),
)

# An agent of opencode's own kind for each: what the user's settings allow to all agents or to theirs
# does not reach it. What is asked for and not allowed would end the run, so nothing is left to be asked.
LOOKING: Final = {"*": "deny", "read": "allow", "glob": "allow", "grep": "allow", "list": "allow"}
RULES: Final[dict[Permissions, dict[str, str]]] = {
    "read": LOOKING,
    "edit": {**LOOKING, "edit": "allow", "todowrite": "allow", "todoread": "allow"},
}
FLAGS: Final[dict[Permissions, list[str]]] = {
    "read": ["--agent", "holdfast-read"],
    "edit": ["--agent", "holdfast-edit"],
    "full": ["--auto"],
}

# It tries again without a word in its stream; each attempt that failed is in its log.
LOGGED: Final = ["--print-logs", "--log-level", "ERROR"]
ATTEMPT: Final = re.compile(r'message="stream error".* small=false .*error\.error="(.*)"$')
CHANGES_FILES: Final = {"edit", "multiedit", "write"}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `agent` is one of opencode's own."""

    agent: str | None = None
    variant: str | None = None
    args: list[str] = []


class OpenCode:
    """Runs `opencode run` in the task's folder and reads its stream of events."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "OPENCODE_*", *PROVIDER_KEYS),
        folders=(
            ConfigFolder(
                "~/.config/opencode",
                read=(
                    *("AGENTS.md", "agent", "agents", "command", "commands", "config.json"),
                    *("opencode.json", "opencode.jsonc", "plugin", "plugins", "skills", "themes"),
                ),
            ),
            ConfigFolder("~/.local/share/opencode", read=("bin",), write=(".",)),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        options = options_of(task, Options)
        program = PROGRAM.locate(task.env)
        if task.session is not None:
            await _check_session(program, task, task.session)
        argv = [program, *arguments(task, options)]
        reading = OpenCodeReading(task, emit)
        return await follow(reading, argv, env=environment(task), stdin=prompt_of(task))

    def permissions_with(self, options: Mapping[str, Any]) -> Collection[Permissions]:
        own: list[Permissions] = ["full"]
        return FLAGS if options.get("agent") is None else own

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options) -> list[str]:
    """Return the command line after the program's name; as an argument the prompt would be quoted."""
    argv = ["run", "--format", "json", *LOGGED, *arguments_for(task, "opencode", FLAGS)]
    if task.model is not None:
        argv += ["--model", task.model]
    if task.session is not None:
        argv += ["--session", task.session, *(["--fork"] if task.fork else [])]
    if options.agent is not None:
        if task.permissions != "full":
            raise BadOptions(
                f"an agent of opencode's own ({options.agent!r}) has its own permissions: give the "
                f'step permissions="full" or leave the agent out, not {task.permissions!r}'
            )
        argv += ["--agent", options.agent]
    if options.variant is not None:
        argv += ["--variant", options.variant]
    return argv + options.args


def environment(task: AgentTask) -> dict[str, str]:
    """Return the environment of the program; what it says of agents wins over configuration files."""
    config = _inline_config(task)
    for name, rules in RULES.items():
        ours = {"mode": "primary", "description": "A step of Holdfast", "permission": rules}
        config.setdefault("agent", {})[f"holdfast-{name}"] = ours
    text = json.dumps(config)
    return {"OPENCODE_DISABLE_AUTOUPDATE": "1", **task.env, "OPENCODE_CONFIG_CONTENT": text}


def _inline_config(task: AgentTask) -> Json:
    text = task.env.get("OPENCODE_CONFIG_CONTENT") or "{}"
    try:
        return msgspec.json.decode(text, type=Json)
    except msgspec.DecodeError as error:
        raise BadOptions(
            f"cannot add to the configuration in OPENCODE_CONFIG_CONTENT: {error}. "
            "Let it be one JSON object without comments, or put it in a file: OPENCODE_CONFIG."
        ) from error


async def _check_session(program: str, task: AgentTask, session: str) -> None:
    """Raise SessionLost unless it began in this folder: in another, opencode would wait for ever."""
    lines: list[str] = []
    argv = [program, "export", session]
    ending = await run_lines(
        argv, task, lambda _: None, env=environment(task), stdin="", on_line=lines.append
    )
    if ending.code:
        raise SessionLost(f"opencode does not know the session {session!r}: {ending}")
    folder = Path(json.loads("\n".join(lines))["info"]["directory"])
    if folder.resolve() != task.folder.resolve():
        raise SessionLost(
            f"opencode can go on with session {session!r} only where it began: in {str(folder)!r}"
        )


class OpenCodeReading(EventReading):
    """Takes the events of one run. There is no last one: a step that ends with "stop" is the end."""

    name: ClassVar[str] = "opencode"
    login: ClassVar[str] = "Log in with: opencode auth login - or set the provider's key."
    attempts: ClassVar[int] = 4  # of its own nine or so, which take a minute
    no_session: ClassVar[tuple[str, ...]] = ("Session not found",)

    def feed(self, event: Json) -> None:
        match event:
            case {"sessionID": str(session)}:
                self.open(session)
            case _:
                pass
        match event:
            case {"type": "step_start"}:
                self.recover()
            case {"type": "text", "part": {"text": str(text)}}:
                self.say(text)
            case {"type": "reasoning", "part": {"text": str(text)}}:
                self.think(text)
            case {"type": "tool_use", "part": {"tool": str(), "state": {}} as tool}:
                self._tool(tool)
            case {"type": "step_finish", "part": {"reason": str(reason)} as step}:
                self._step(reason, step)
            case {"type": "error", "error": {} as error}:
                self._error(error)
            case _:
                self.raw(event)

    def feed_error(self, line: str) -> None:
        if found := ATTEMPT.search(line):
            self.retry(found[1])
        else:
            super().feed_error(line)

    def _tool(self, tool: Json) -> None:
        name, state, id = tool["tool"], part(tool, "state"), tool.get("callID")
        given = part(state, "input")
        failed = state.get("status") == "error" or bool(part(state, "metadata").get("exit"))
        path = given.get("filePath") if name in CHANGES_FILES else None
        self.call(name, given, id, changes=path)
        self.answer(str(state.get("output") or state.get("error") or ""), id=id, failed=failed)

    def _step(self, reason: str, step: Json) -> None:
        self.ended_well = reason == "stop"
        self.cause = f"the model's turn ended with {reason!r}"
        used = part(step, "tokens")
        cache = part(used, "cache")
        cached = cache.get("read") or 0
        self.spend(
            Usage(
                (used.get("input") or 0) + cached + (cache.get("write") or 0),
                (used.get("output") or 0) + (used.get("reasoning") or 0),
                cached,
                float(step.get("cost") or 0),
            )
        )

    def _error(self, error: Json) -> None:
        data = part(error, "data")
        said = f"{error.get('name')}: {data.get('message') or error.get('message') or 'no reason'}"
        if wait := part(data, "responseHeaders").get("retry-after"):
            said += f" (retry-after: {wait})"
        self.fail(said, data.get("statusCode"))
