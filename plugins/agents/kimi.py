"""The `kimi` agent: Moonshot's Kimi Code, run without a terminal."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from glob import escape
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import msgspec
import trio

from holdfast.eventlog import Usage

from ..errors import Crashed, SessionLost, WorkError
from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import Ending, Json, Program, arguments_for, options_of, part, run_lines
from .reading import EventReading, follow
from .structured import prompt_of
from .usage import less

PROGRAM = Program(
    "kimi",
    "KIMI_EXECUTABLE",
    install="npm install -g @moonshot-ai/kimi-code",
    keys=("KIMI_MODEL_API_KEY",),
)

# Without a terminal it does whatever it likes, and its modes cannot be had then.
PERMISSIONS: Final[dict[Permissions, list[str]]] = {"full": []}
QUIET: Final = {
    "KIMI_DISABLE_TELEMETRY": "1",
    "KIMI_CODE_NO_AUTO_UPDATE": "1",
    "KIMI_LOOP_MAX_ATTEMPTS_PER_STEP": "4",  # of its own ten, which take minutes
}
FORKED: Final = re.compile(r"Forked to (\S+)")
FAILED: Final = re.compile(r"^error: (?:failed to run prompt: )?(.*)", re.MULTILINE)
ELSEWHERE: Final = "created under a different directory"
CHANGES_FILES: Final = {"Edit", "Write"}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `args` goes to the program as it is."""

    max_steps: int | None = None
    args: list[str] = []


class Kimi:
    """Runs `kimi` in the task's folder and reads its stream of messages."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "KIMI_*"),
        folders=(
            ConfigFolder(
                "~/.kimi-code",
                "KIMI_CODE_HOME",
                read=("AGENTS.md", "config.toml", "mcp.json", "skills"),
                write=("credentials/", "sessions/"),
            ),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        options = options_of(task, Options)
        program = PROGRAM.locate(task.env)
        session = await _session(program, task)
        argv = [program, *arguments(task, options, session)]
        env = {**QUIET, **task.env}
        if options.max_steps is not None:
            env["KIMI_LOOP_MAX_STEPS_PER_TURN"] = str(options.max_steps)
        before = await _used(task, session)
        reading = KimiReading(task, emit)
        if session:
            reading.open(session)
        result = await follow(reading, argv, env=env, stdin="")
        usage = less(await _used(task, result.session), before)
        return msgspec.structs.replace(result, usage=usage)

    def permissions_with(self, options: Mapping[str, Any]) -> Collection[Permissions]:
        return PERMISSIONS

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options, session: str) -> list[str]:
    """Return the command line after the program's name; it takes no prompt by standard input."""
    argv = ["--output-format", "stream-json", *arguments_for(task, "kimi", PERMISSIONS)]
    argv += ["--model", task.model] if task.model is not None else []
    argv += ["--session", session] if session else []
    return [*argv, *options.args, "-p", prompt_of(task)]


class KimiReading(EventReading):
    """Takes the messages of one run. Its session comes last, and only when all went well."""

    name: ClassVar[str] = "kimi"
    login: ClassVar[str] = "Log in with: kimi login - or set KIMI_MODEL_API_KEY."
    no_session: ClassVar[tuple[str, ...]] = (ELSEWHERE, 'Session "')

    def feed(self, event: Json) -> None:
        match event:
            case {"role": "assistant"}:
                self.say(str(event.get("content") or ""))
                for call in cast(list[Json], event.get("tool_calls") or []):
                    self._called(call)
            case {"role": "tool", "tool_call_id": id}:
                self.answer(str(event.get("content") or ""), id=id)
            case {"role": "meta", "type": "session.resume_hint", "session_id": str(session)}:
                self.open(session)
                self.ended_well = True
            case {"role": "meta", "type": "turn.step.retrying", "delay_ms": delay_ms}:
                said = str(event.get("error_message") or event.get("error_name"))
                self.retry(said, status=event.get("status_code"), delay_s=delay_ms / 1000)
            case {"role": "meta", "type": "system.version"}:
                pass
            case _:
                self.raw(event)

    def result(self, ending: Ending) -> AgentResult:
        if not self.ended_well and (found := FAILED.search(ending.stderr)):
            self.fail(found[1])
        return super().result(ending)

    def _called(self, call: Json) -> None:
        function = part(call, "function")
        name, text = str(function.get("name")), str(function.get("arguments") or "")
        try:
            given: Any = json.loads(text or "{}")
        except ValueError:
            given = text  # the model has written no JSON
        path = cast(Json, given).get("path") if isinstance(given, dict) else None
        changes = path if name in CHANGES_FILES else None
        self.call(name, given, call.get("id"), changes=changes)


async def _session(program: str, task: AgentTask) -> str:
    """Return the session to go on with: a copy, where that is asked for."""
    if task.session is None or not task.fork:
        return task.session or ""
    lines: list[str] = []
    argv = [program, "fork", task.session, "-y"]
    ending = await run_lines(
        argv, task, lambda _: None, env={**QUIET, **task.env}, stdin="", on_line=lines.append
    )
    said = "\n".join([*lines, ending.stderr])
    found = FORKED.search(said)
    if found is None:
        kind: type[WorkError] = SessionLost if ending.code else Crashed
        raise kind(f"kimi has made no copy of session {task.session!r}: {said.strip()}")
    return found[1]


# --- usage: it is only in the record that Kimi keeps of a session -------------------------------


async def _used(task: AgentTask, session: str) -> Usage | None:
    if not session:
        return Usage()
    home = task.env.get("KIMI_CODE_HOME") or Path(task.env.get("HOME", "~"), ".kimi-code")
    return await trio.to_thread.run_sync(recorded_usage, Path(home).expanduser(), session)


def recorded_usage(home: Path, session: str) -> Usage | None:
    """Add up the steps of a session, or return None where it has no record."""
    files = list(home.glob(f"sessions/*/{escape(session)}/agents/*/wire.jsonl"))
    steps = [used for file in files for used in _steps(file)]
    cached = sum(used.get("inputCacheRead") or 0 for used in steps)
    fresh = sum(
        (used.get("inputOther") or 0) + (used.get("inputCacheCreation") or 0) for used in steps
    )
    output = sum(used.get("output") or 0 for used in steps)
    return Usage(fresh + cached, output, cached) if files else None


def _steps(file: Path) -> Iterator[Json]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if '"usage.record"' in line:
                yield part(json.loads(line), "usage")
