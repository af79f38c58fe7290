"""The `pi` agent, run without a terminal."""

import json
from glob import escape
from pathlib import Path
from typing import ClassVar, Final

import msgspec
import trio

from holdfast.eventlog import Usage

from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import PROVIDER_KEYS, Json, Program, arguments_for, options_of, part
from .reading import EventReading, follow
from .structured import prompt_of

PROGRAM = Program(
    "pi",
    "PI_EXECUTABLE",
    install="npm install -g @earendil-works/pi-coding-agent",
    logins=(".pi/agent/auth.json",),
)

# It asks for nothing; what it cannot do is what it has no tool for.
PERMISSIONS: Final[dict[Permissions, list[str]]] = {
    "read": ["--tools", "read,grep,find,ls"],
    "edit": ["--tools", "read,grep,find,ls,edit,write"],
    "full": [],
}
CHANGES_FILES: Final = {"edit", "write"}
DULL: Final = {"agent_start", "agent_settled", "turn_start", "tool_execution_update"}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `args` goes to the program as it is."""

    thinking: str | None = None
    args: list[str] = []


class Pi:
    """Runs `pi --mode json` in the task's folder and reads its stream of events."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "PI_*", *PROVIDER_KEYS),
        folders=(
            ConfigFolder(
                "~/.pi/agent",
                "PI_CODING_AGENT_DIR",
                read=(
                    *("AGENTS.md", "SYSTEM.md", "extensions", "models.json", "prompts"),
                    *("settings.json", "skills"),
                ),
                write=("auth.json", "sessions/"),
            ),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        argv = [PROGRAM.locate(task.env), *arguments(task, options_of(task, Options))]
        if task.session is not None:
            home = task.env.get("PI_CODING_AGENT_DIR") or Path(
                task.env.get("HOME", "~"), ".pi", "agent"
            )
            argv += await trio.to_thread.run_sync(
                session_arguments, Path(home).expanduser(), task, task.session
            )
        env = {"PI_TELEMETRY": "0", **task.env}
        return await follow(PiReading(task, emit), argv, env=env, stdin=prompt_of(task))

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options) -> list[str]:
    """Return the command line after the program's name; the prompt goes by standard input."""
    argv = ["--mode", "json", "-p", *arguments_for(task, "pi", PERMISSIONS)]
    if task.model is not None:
        argv += ["--model", task.model]
    if options.thinking is not None:
        argv += ["--thinking", options.thinking]
    return argv + options.args


def session_arguments(home: Path, task: AgentTask, session: str) -> list[str]:
    """Return how to go on: a session of another folder has to be copied into this one.

    By its id alone pi would ask whether to do that, and take silence for a no.
    """
    if task.fork:
        return ["--fork", session]
    for file in home.glob(f"sessions/*/*_{escape(session)}.jsonl"):
        with file.open(encoding="utf-8") as lines:
            began_in = json.loads(lines.readline()).get("cwd", "")
        if Path(began_in).resolve() != task.folder.resolve():
            return ["--fork", str(file)]
    return ["--session", session]


class PiReading(EventReading):
    """Takes the events of one run. Its exit code is 0 whatever happens: the last message tells."""

    name: ClassVar[str] = "pi"
    login: ClassVar[str] = "Log in with: pi, then /login - or set the provider's key."
    no_session: ClassVar[tuple[str, ...]] = ("No session found", "Session found in different")

    def feed(self, event: Json) -> None:
        match event:
            case {"type": "session", "id": str(session)}:
                self.open(session)
            case {"type": "message_start", "message": {"role": "assistant"}}:
                self.forget()
                self.recover()
            case {"type": "message_update", "assistantMessageEvent": {} as said}:
                self._update(said)
            case {"type": "tool_execution_start", "toolName": str(name), "args": {} as given}:
                path = given.get("path") if name in CHANGES_FILES else None
                self.call(name, given, event.get("toolCallId"), changes=path)
            case {"type": "tool_execution_end", "toolCallId": id}:
                failed = bool(event.get("isError"))
                self.answer(_text(part(event, "result")), id=id, failed=failed)
            case {"type": "turn_end", "message": {"role": "assistant"} as message}:
                self._ended(message)
            case {"type": "auto_retry_start", "errorMessage": str(said), "delayMs": delay_ms}:
                self.retry(said, delay_s=delay_ms / 1000)
            case {"type": "message_start" | "message_end" | "agent_end" | "auto_retry_end"}:
                pass  # what they say has been said
            case {"type": str(kind)} if kind in DULL:
                pass
            case _:
                self.raw(event)

    def _update(self, said: Json) -> None:
        match said:
            case {"type": "text_delta", "delta": str(piece)}:
                self.add(piece)
            case {"type": "thinking_end", "content": str(text)}:
                self.think(text)
            case _:
                pass  # a piece of something that comes whole

    def _ended(self, message: Json) -> None:
        self.flush()
        used = part(message, "usage")
        cost = part(used, "cost")
        reason = message.get("stopReason")
        cached = used.get("cacheRead") or 0
        self.spend(
            Usage(
                (used.get("input") or 0) + cached + (used.get("cacheWrite") or 0),
                used.get("output") or 0,
                cached,
                float(cost.get("total") or 0),
            )
        )
        self.ended_well = reason == "stop"
        self.cause = f"the model's turn ended with {reason!r}"
        if reason == "error":
            self.fail(str(message.get("errorMessage") or "no reason"))


def _text(result: Json) -> str:
    return "\n".join(str(part.get("text", "")) for part in result.get("content") or ())
