"""The `copilot` agent: GitHub's Copilot CLI, run without a terminal."""

import json
import uuid
from pathlib import Path
from typing import ClassVar, Final, cast

import msgspec
import trio

from holdfast.eventlog import Usage

from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import Ending, Json, Program, arguments_for, no_forks, options_of, part, scratch_folder
from .reading import EventReading, follow
from .structured import prompt_of
from .usage import less

PROGRAM = Program(
    "copilot",
    "COPILOT_EXECUTABLE",
    install="npm install -g @github/copilot",
    keys=("COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"),
)

# For "read" it is the set of tools that keeps the promise, whatever the user once allowed for good.
PERMISSIONS: Final[dict[Permissions, list[str]]] = {
    "read": ["--available-tools=view,grep,glob"],
    "edit": ["--allow-tool=write"],
    "full": ["--allow-all-tools", "--allow-all-paths"],
}
QUIET: Final = ["--no-ask-user", "--no-auto-update", "--no-color"]
ENDED: Final = '"session.shutdown"'


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `args` goes to the program as it is."""

    agent: str | None = None
    args: list[str] = []


class Copilot:
    """Runs `copilot` in the task's folder and reads its stream of events."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "COPILOT_*", "GH_TOKEN", "GITHUB_TOKEN"),
        folders=(
            ConfigFolder(
                "~/.copilot",
                "COPILOT_HOME",
                read=(
                    "agents",
                    "config.json",
                    "copilot-instructions.md",
                    "mcp-config.json",
                    "skills",
                ),
                write=("session-state/",),
            ),
            ConfigFolder("~/.cache/copilot", read=(".",)),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        no_forks(task, "copilot")
        options = options_of(task, Options)
        program = PROGRAM.locate(task.env)
        before = await _used_before(task)
        with scratch_folder() as folder:
            counts = folder / "usage.json"
            argv = [program, *arguments(task, options), "--usage-output-file", str(counts)]
            reading = CopilotReading(task, emit, counts, before)
            if task.session is None:
                # Chosen here, because in the stream it comes last: a run that is cut short has one too.
                reading.open(str(uuid.uuid4()))
                argv += ["--session-id", reading.session]
            return await follow(reading, argv, env=task.env, stdin=prompt_of(task))

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options) -> list[str]:
    """Return the command line after the program's name; the prompt goes by standard input."""
    argv = ["--output-format", "json", *QUIET, *arguments_for(task, "copilot", PERMISSIONS)]
    if task.model is not None:
        argv += ["--model", task.model.removeprefix("github/")]
    if task.session is not None:
        argv += [f"--resume={task.session}"]
    if options.agent is not None:
        argv += ["--agent", options.agent]
    return argv + options.args


class CopilotReading(EventReading):
    """Takes the events of one run. What it used is in a file, counted for the session."""

    name: ClassVar[str] = "copilot"
    login: ClassVar[str] = "Log in with: copilot, then /login - or set COPILOT_GITHUB_TOKEN."
    no_session: ClassVar[tuple[str, ...]] = ("No session, task, or name matched",)

    def __init__(self, task: AgentTask, emit: Emit, counts: Path, before: Usage | None) -> None:
        super().__init__(task, emit)
        self._counts, self._before = counts, before

    def feed(self, event: Json) -> None:
        data = part(event, "data")
        match event.get("type"):
            case "assistant.message":
                self.say(str(data.get("content") or ""))
            case "assistant.reasoning":
                self.think(str(data.get("content") or ""))
            case "tool.execution_start":
                self.call(str(data.get("toolName")), data.get("arguments"), data.get("toolCallId"))
            case "tool.execution_complete":
                self._answered(data)
            case "model.call_failure":
                self.retry(str(data.get("errorMessage") or "no reason"), status=_status(data))
            case "session.error":
                self.fail(str(data.get("message") or "no reason"), _status(data))
            case "result":
                self.open(str(event.get("sessionId")))
                self.ended_well = event.get("exitCode") == 0
            case "session.warning":
                self.raw(event, str(data.get("message") or ""))
            case _:
                pass  # there are dozens of kinds, about itself and not about the work

    def result(self, ending: Ending) -> AgentResult:
        if self._counts.is_file():
            totals = cast(Json, json.loads(self._counts.read_text() or "{}"))
            self.usage = less(_usage(totals), self._before)
        return super().result(ending)

    def _answered(self, data: Json) -> None:
        said = part(data, "result").get("content") or part(data, "error").get("message") or ""
        failed = not data.get("success") or bool(part(data, "shellExecution").get("exitCode"))
        self.answer(str(said), id=data.get("toolCallId"), failed=failed)
        for edit in cast(list[Json], data.get("fileEdits") or []):
            self.change(str(edit.get("path")))


def _status(data: Json) -> int | None:
    status = data.get("statusCode")
    return status if isinstance(status, int) else None


def _usage(totals: Json) -> Usage:
    models = [
        part(model, "usage")
        for model in cast(dict[str, Json], part(totals, "modelMetrics")).values()
    ]
    cached = sum(used.get("cacheReadTokens") or 0 for used in models)
    return Usage(
        input_tokens=sum(used.get("inputTokens") or 0 for used in models),
        output_tokens=sum(used.get("outputTokens") or 0 for used in models),
        cached_tokens=cached,
    )


async def _used_before(task: AgentTask) -> Usage | None:
    """Return what the session has used so far, or None where its record cannot be read."""
    if task.session is None:
        return Usage()
    home = task.env.get("COPILOT_HOME") or Path(task.env.get("HOME", "~"), ".copilot")
    return await trio.to_thread.run_sync(recorded_usage, Path(home).expanduser(), task.session)


def recorded_usage(home: Path, session: str) -> Usage | None:
    """Read the last total from the record that Copilot keeps of a session."""
    record = home / "session-state" / session / "events.jsonl"
    if not record.is_file():
        return None
    with record.open(encoding="utf-8", errors="replace") as lines:
        ends = [line for line in lines if ENDED in line]
    return _usage(part(json.loads(ends[-1]), "data")) if ends else None
