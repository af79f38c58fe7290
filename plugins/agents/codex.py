"""The `codex` agent: OpenAI's Codex, run without a terminal."""

import json
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import msgspec
import trio

from holdfast.eventlog import Usage

from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import Json, Program, arguments_for, options_of, scratch_folder
from .reading import EventReading, follow
from .strict import strict_schema
from .structured import prompt_of
from .usage import less

PROGRAM = Program(
    "codex",
    "CODEX_EXECUTABLE",
    install="npm install -g @openai/codex",
    keys=("CODEX_API_KEY",),
    logins=(".codex/auth.json",),
)

# It never asks for approval: what the sandbox forbids, fails, and the model is told.
PERMISSIONS: Final[dict[Permissions, list[str]]] = {
    "read": ["-s", "read-only"],
    "edit": ["-s", "workspace-write"],
    "full": ["-s", "danger-full-access"],
}

# As settings, because versions that do not know one then only say so. Without the first it waits for
# ever on a server that is not there; plug-ins look for news in the network at every start.
QUIET: Final = [
    *["-c", "features.unbounded_connection_retries=false"],
    *["-c", "features.plugins=false"],
    *["-c", "check_for_update_on_startup=false"],
]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields: `config` as with `codex -c`, `args` as they are."""

    config: dict[str, Any] = {}
    args: list[str] = []


class Codex:
    """Runs `codex exec` in the task's folder and reads its stream of events."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "CODEX_*", "OPENAI_*"),
        folders=(
            ConfigFolder(
                "~/.codex",
                "CODEX_HOME",
                read=("AGENTS.md", "AGENTS.override.md", "config.toml", "prompts", "skills"),
                write=("auth.json", "sessions/"),
            ),
            ConfigFolder("~/.agents", read=("skills",)),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        options = options_of(task, Options)
        program = PROGRAM.locate(task.env)
        schema = None if task.schema is None else strict_schema(task.schema)
        reading = CodexReading(task, emit, await _used_before(task))
        with scratch_folder() as folder:
            argv = [program, *arguments(task, options)]
            if schema is not None:
                (folder / "schema.json").write_text(json.dumps(schema))
                argv += ["--output-schema", str(folder / "schema.json")]
            prompt = prompt_of(task) if schema is None else task.prompt
            return await follow(reading, [*argv, "-"], env=task.env, stdin=prompt)

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options) -> list[str]:
    """Return the command line after the program's name; the prompt goes by standard input."""
    argv = ["exec", "--json", "--skip-git-repo-check", *QUIET]
    argv += arguments_for(task, "codex", PERMISSIONS)
    if task.model is not None:
        argv += ["-m", task.model.removeprefix("openai/")]
    for name, value in _settings(options.config):
        argv += ["-c", f"{name}={json.dumps(value)}"]
    argv += options.args
    if task.session is not None:
        argv += ["fork" if task.fork else "resume", task.session]
    return argv


def _settings(config: Json, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give every setting its dotted name: a value is TOML, of which JSON's tables are no part."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _settings(cast(Json, value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class CodexReading(EventReading):
    """Takes the events of one run. Its counts are the thread's: `before` is what earlier runs used."""

    name: ClassVar[str] = "codex"
    login: ClassVar[str] = "Log in with: codex login - or set CODEX_API_KEY."
    no_session: ClassVar[tuple[str, ...]] = ("no rollout found", "invalid thread id")

    def __init__(self, task: AgentTask, emit: Emit, before: Usage | None) -> None:
        super().__init__(task, emit)
        self._before = before

    def feed(self, event: Json) -> None:
        match event:
            case {"type": "thread.started", "thread_id": str(session)}:
                self.open(session)
            case {"type": "turn.started"}:
                pass
            case {"type": "item.started", "item": {"type": str()} as item}:
                self._started(item)
            case {"type": "item.completed", "item": {"type": str()} as item}:
                self._completed(item, event)
            case {"type": "error", "message": str(said)} if said.startswith("Reconnecting"):
                self.retry(said)
            case {"type": "error", "message": str(said)} | {
                "type": "turn.failed",
                "error": {"message": str(said)},
            }:
                self.fail(said)
            case {"type": "turn.completed", "usage": {} as usage}:
                self.ended_well = True
                self.recover()
                self.usage = less(_usage(usage), self._before)
            case _:
                self.raw(event)

    def _started(self, item: Json) -> None:
        match item:
            case {"type": "command_execution", "command": str(command), "id": id}:
                self.call("shell", {"command": command}, id)
            case {"type": "file_change", "changes": changes, "id": id}:
                self.call("edit", {"changes": changes}, id)
            case {"type": "mcp_tool_call", "server": server, "tool": tool, "id": id}:
                self.call(f"{server}/{tool}", item.get("arguments"), id)
            case {"type": "web_search", "id": id}:
                self.call("web_search", {"query": item.get("query")}, id)
            case _:
                pass  # what has no beginning worth showing is shown when it is complete

    def _completed(self, item: Json, event: Json) -> None:
        failed = item.get("status") == "failed"
        match item:
            case {"type": "agent_message", "text": str(text)}:
                self.forget()  # the last of them is the answer
                self.say(text)
            case {"type": "reasoning", "text": str(text)}:
                self.think(text)
            case {"type": "command_execution", "aggregated_output": str(text), "id": id}:
                self.answer(text, id=id, failed=failed)
            case {"type": "file_change", "changes": [*changes], "id": id}:
                self.answer("", id=id, failed=failed)
                for change in changes if not failed else ():
                    self.change(str(change["path"]))
            case {"type": "mcp_tool_call", "id": id}:
                self.answer(_mcp_text(item), id=id, failed=failed)
            case _:
                self.raw(event, str(item.get("message", "")))


def _mcp_text(item: Json) -> str:
    match item:
        case {"error": {"message": str(message)}}:
            return message
        case {"result": {"content": [*content]}}:
            return "\n".join(str(part.get("text", "")) for part in content)
        case _:
            return ""


# --- usage: the stream counts the thread, so what it had before this run is subtracted ----------


def _usage(counts: Json) -> Usage:
    return Usage(
        input_tokens=counts.get("input_tokens") or 0,
        output_tokens=counts.get("output_tokens") or 0,
        cached_tokens=counts.get("cached_input_tokens") or 0,
    )


async def _used_before(task: AgentTask) -> Usage | None:
    """Return what the session has used so far, or None where its record cannot be read."""
    if task.session is None:
        return Usage()
    home = task.env.get("CODEX_HOME") or Path(task.env.get("HOME", "~")).expanduser() / ".codex"
    return await trio.to_thread.run_sync(recorded_usage, Path(home), task.session)


def recorded_usage(home: Path, session: str) -> Usage | None:
    """Read the last count from the record that Codex keeps of a session."""
    counts: Json | None = None
    for file in home.glob(f"sessions/*/*/*/rollout-*-{escape(session)}.jsonl"):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if '"total_token_usage"' in line:
                    match json.loads(line):
                        case {"payload": {"info": {"total_token_usage": {} as counts}}}:
                            pass
                        case _:
                            pass
    return None if counts is None else _usage(counts)
