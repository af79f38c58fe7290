"""The `qwen` agent: Qwen Code, a descendant of the Gemini CLI with a stream like Claude Code's."""

import json
import re
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import msgspec

from holdfast.eventlog import Usage

from ..errors import OutputInvalid, WorkError
from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import PROVIDER_KEYS, Json, Program, arguments_for, options_of, part, scratch_folder
from .reading import EventReading, follow

PROGRAM = Program(
    "qwen",
    "QWEN_EXECUTABLE",
    install="npm install -g @qwen-code/qwen-code",
    keys=("OPENAI_API_KEY",),
    logins=(".qwen/oauth_creds.json",),
)

PERMISSIONS: Final[dict[Permissions, list[str]]] = {
    "read": ["--approval-mode", "default"],
    "edit": ["--approval-mode", "auto-edit"],
    "full": ["--approval-mode", "yolo"],
}
# For "read": a mode alone is softened by rules in the user's settings, a tool that is not there is not.
ONLY_LOOKING: Final = ["read_file", "list_directory", "glob", "grep_search"]
CHANGES_FILES: Final = {"edit", "write_file", "notebook_edit"}

# What is asked for beneath the user's own settings: after each run it would ask the model once more,
# for what is worth remembering, and that counts.
DEFAULTS: Final = {
    "general": {"enableAutoUpdate": False},
    "memory": {"enableManagedAutoMemory": False},
}
QUIET: Final = {"QWEN_CODE_NO_RELAUNCH": "true", "QWEN_CODE_SUPPRESS_YOLO_WARNING": "1"}
RETRYING: Final = re.compile(r"^Retrying in (\d+)s \(attempt \d+/\d+\)(.*)")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `args` goes to the program as it is."""

    max_turns: int | None = None
    args: list[str] = []


class Qwen:
    """Runs `qwen` in the task's folder and reads its stream of events."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "DASHSCOPE_API_KEY", "QWEN_*", *PROVIDER_KEYS),
        folders=(
            ConfigFolder(
                "~/.qwen",
                read=("AGENTS.md", "QWEN.md", "commands", "extensions", "settings.json", "skills"),
                write=("oauth_creds.json", "projects/", "tmp/"),
            ),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        argv = [PROGRAM.locate(task.env), *arguments(task, options_of(task, Options))]
        with scratch_folder() as folder:
            env = environment(task, folder)
            return await follow(QwenReading(task, emit), argv, env=env, stdin=task.prompt)

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options) -> list[str]:
    """Return the command line after the program's name; the prompt goes by standard input."""
    argv = ["-o", "stream-json", *arguments_for(task, "qwen", PERMISSIONS)]
    if task.permissions == "read":
        for tool in ONLY_LOOKING:
            argv += ["--core-tools", tool]
    if task.model is not None:
        argv += ["--model", task.model]
    if task.session is not None:
        argv += ["--resume", task.session, *(["--fork-session"] if task.fork else [])]
    if task.schema is not None:
        argv += ["--json-schema", json.dumps(task.schema)]
    if options.max_turns is not None:
        argv += ["--max-session-turns", str(options.max_turns)]
    return argv + options.args


def environment(task: AgentTask, scratch: Path) -> dict[str, str]:
    """Return the environment of the program, with a file of defaults unless the task has its own."""
    defaults = scratch / "defaults.json"
    defaults.write_text(json.dumps(DEFAULTS))
    return {**QUIET, "QWEN_CODE_SYSTEM_DEFAULTS_PATH": str(defaults), **task.env}


class QwenReading(EventReading):
    """Takes the events of one run. Its last one counts the session: what messages used is added up."""

    name: ClassVar[str] = "qwen"
    login: ClassVar[str] = "Log in with: qwen, then /auth - or set the provider's key."
    no_session: ClassVar[tuple[str, ...]] = ("No saved session found", "No conversation found")

    def feed(self, event: Json) -> None:
        match event:
            case {"type": "system", "subtype": "init", "session_id": str(session)}:
                self.open(session, model=event.get("model"), version=event.get("qwen_code_version"))
            case {"type": "assistant", "message": {"content": [*blocks]} as message}:
                self._count(part(message, "usage"))
                for block in blocks:
                    self._said(block)
            case {"type": "user", "message": {"content": [*blocks]}}:
                for block in blocks:
                    self._answered(block)
            case {"type": "system", "subtype": "retry"} | {"type": "stream_event"}:
                pass  # a retry is told with its reason on standard error
            case {"type": "result", "is_error": False}:
                self.ended_well = True
                self.output = event.get("structured_result")
                if self.output is not None:
                    self.say(str(event.get("result") or ""))
            case {"type": "result"}:
                self.fail(str(part(event, "error").get("message") or event.get("subtype")))
            case _:
                self.raw(event)

    def feed_error(self, line: str) -> None:
        if found := RETRYING.match(line):
            self.retry(line, delay_s=float(found[1]))
        else:
            super().feed_error(line)

    def failure(self, said: str, status: int | None = None, *, detail: str = "") -> WorkError:
        if self.task.schema is not None and "structured_output" in said:
            return self.error(f"qwen gave no structured output: {said}", OutputInvalid)
        return super().failure(said, status, detail=detail)

    def _said(self, block: Json) -> None:
        match block:
            case {"type": "text", "text": str(text)}:
                self.say(text)
            case {"type": "thinking", "thinking": str(text)}:
                self.think(text)
            case {"type": "tool_use", "name": str(name), "input": {} as given}:
                path = given.get("file_path") if name in CHANGES_FILES else None
                self.call(name, given, block.get("id"), changes=path)
            case _:
                self.raw(block)

    def _answered(self, block: Json) -> None:
        match block:
            case {"type": "tool_result", "tool_use_id": id, "content": content}:
                self.answer(_text(content), id=id, failed=bool(block.get("is_error")))
            case _:
                self.raw(block)

    def _count(self, counts: Json) -> None:
        self.spend(
            Usage(
                counts.get("input_tokens") or 0,
                counts.get("output_tokens") or 0,
                counts.get("cache_read_input_tokens") or 0,
            )
        )


def _text(content: Any) -> str:
    match content:
        case [*parts]:
            return "\n".join(_text(part) for part in parts)
        case {}:
            return str(cast(Json, content).get("text", ""))
        case _:
            return str(content)
