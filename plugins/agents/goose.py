"""The `goose` agent, run without a terminal."""

import json
import re
import uuid
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final, cast

import msgspec

from holdfast.eventlog import Usage

from ..errors import WorkError
from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import PROVIDER_KEYS, Json, Program, arguments_for, no_forks, options_of, part, run_lines
from .reading import EventReading, follow
from .structured import prompt_of
from .usage import less

PROGRAM = Program(
    "goose", "GOOSE_EXECUTABLE", install="what https://github.com/aaif-goose/goose says"
)

# Asked for less it would ask back, and end at the first tool.
PERMISSIONS: Final[dict[Permissions, list[str]]] = {"full": []}
QUIET: Final = {"GOOSE_MODE": "auto", "GOOSE_TELEMETRY_ENABLED": "false"}
FAILED: Final = re.compile(r"^(?:Ran into this error|Network error|.{0,40} error): ?", re.DOTALL)
CHANGES_FILES: Final = {"edit", "write"}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `args` goes to the program as it is."""

    max_turns: int | None = None
    args: list[str] = []


class Goose:
    """Runs `goose run` in the task's folder and reads its stream of events."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "GOOSE_*", *PROVIDER_KEYS),
        folders=(
            ConfigFolder(
                "~/.config/goose",
                read=(
                    ".goosehints",
                    "AGENTS.md",
                    "config.yaml",
                    "recipes",
                    "secrets.yaml",
                    "skills",
                ),
            ),
            ConfigFolder("~/.local/share/goose", write=(".",)),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        no_forks(task, "goose")
        options = options_of(task, Options)
        program = PROGRAM.locate(task.env)
        session = task.session or str(uuid.uuid4())  # a name of ours: the stream has none
        # Before the first run, this also makes the database, which runs at once would do all at once.
        before = await _used(program, task, session)
        reading = GooseReading(task, emit)
        reading.open(session)
        argv = [program, *arguments(task, options, session)]
        try:
            result = await follow(reading, argv, env={**QUIET, **task.env}, stdin=prompt_of(task))
        except WorkError as error:
            error.usage = less(await _used(program, task, session), before)
            raise
        return msgspec.structs.replace(
            result, usage=less(await _used(program, task, session), before)
        )

    def permissions_with(self, options: Mapping[str, Any]) -> Collection[Permissions]:
        return PERMISSIONS

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options, session: str) -> list[str]:
    """Return the command line after the program's name; the prompt goes by standard input."""
    argv = ["run", "-q", "--output-format", "stream-json", "--with-builtin", "developer"]
    argv += arguments_for(task, "goose", PERMISSIONS)
    argv += ["--resume"] if task.session is not None else []
    argv += ["--name", session]
    if task.model is not None:
        provider, slash, model = task.model.partition("/")
        argv += ["--provider", provider, "--model", model] if slash else ["--model", provider]
    if options.max_turns is not None:
        argv += ["--max-turns", str(options.max_turns)]
    return [*argv, *options.args, "-i", "-"]


class GooseReading(EventReading):
    """Takes the events of one run. Its exit code is 0 after a failure, which is told as if said."""

    name: ClassVar[str] = "goose"
    login: ClassVar[str] = "Log in with: goose configure - or set the provider's key."
    no_session: ClassVar[tuple[str, ...]] = ("No session found",)

    def feed(self, event: Json) -> None:
        match event:
            case {"type": "message", "message": {"content": [*parts]} as message}:
                for each in parts:
                    self._part(each, message)
            case {"type": "complete"}:
                self.ended_well = True
            case {"type": "error", "error": said}:
                self.fail(str(said))
            case _:
                self.raw(event)

    def _part(self, said: Json, message: Json) -> None:
        match said:
            case {"type": "text", "text": str(text)} if message.get("role") == "assistant":
                if message.get("id") is None and (found := FAILED.match(text)):
                    self.fail(text[found.end() :].partition("\n\n")[0])
                else:
                    self.add(text)
            case {"type": "thinking", "thinking": str(text)}:
                self.think(text)
            case {"type": "toolRequest", "id": id}:
                value = part(part(said, "toolCall"), "value")
                given = part(value, "arguments")
                name = str(value.get("name"))
                path = given.get("path") if name in CHANGES_FILES else None
                self.call(name, given, id, changes=path)
            case {"type": "toolResponse", "id": id}:
                value = part(part(said, "toolResult"), "value")
                self.answer(_text(value), id=id, failed=bool(value.get("isError")))
            case _:
                self.raw(said)


def _text(value: Json) -> str:
    parts: list[Json] = value.get("content") or []
    return "\n".join(str(each.get("text", "")) for each in parts)


async def _used(program: str, task: AgentTask, session: str) -> Usage:
    """Return what a session has used so far: the stream counts it too, but has no cost."""
    lines: list[str] = []
    argv = [program, "session", "list", "--format", "json"]
    await run_lines(argv, task, lambda _: None, env=task.env, stdin="", on_line=lines.append)
    try:
        rows = cast(list[dict[str, Any]], json.loads("\n".join(lines) or "[]"))
    except ValueError:
        rows = []  # it has no sessions yet, or says so in words
    used = next((row for row in rows if row.get("name") == session), cast(Json, {}))
    return Usage(
        input_tokens=used.get("accumulated_input_tokens") or 0,
        output_tokens=used.get("accumulated_output_tokens") or 0,
        cost_usd=float(used.get("accumulated_cost") or 0),
    )
