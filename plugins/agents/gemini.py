"""The `gemini` agent: Google's Gemini CLI, run without a terminal."""

import re
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from holdfast.eventlog import Usage

from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import Ending, Json, Program, arguments_for, no_forks, options_of, part, scratch_folder
from .reading import EventReading, follow
from .structured import prompt_of

PROGRAM = Program(
    "gemini",
    "GEMINI_EXECUTABLE",
    install="npm install -g @google/gemini-cli",
    keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    logins=(".gemini/oauth_creds.json",),
)

PERMISSIONS: Final[dict[Permissions, list[str]]] = {
    "read": ["--approval-mode", "default"],
    "edit": ["--approval-mode", "auto_edit"],
    "full": ["--approval-mode", "yolo"],
}

# For "read": an approval mode alone is softened by rules in the user's settings, this is above them.
ONLY_LOOKING: Final = """\
[[rule]]
toolName = "*"
decision = "deny"
priority = 1

[[rule]]
toolName = ["glob", "grep_search", "list_directory", "read_file", "read_many_files"]
decision = "allow"
priority = 900
"""

ATTEMPT: Final = re.compile(r"^Attempt \d+ failed(?: with status (\d+))?")
# It ends with the status of the server's answer, of which a process can return the lowest byte.
ANSWERS: Final = {status % 256: status for status in (400, 401, 402, 403, 404, 429, 500, 503)}
CHANGES_FILES: Final = {"replace", "write_file"}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `args` goes to the program as it is."""

    args: list[str] = []


class Gemini:
    """Runs `gemini` in the task's folder and reads its stream of events."""

    needs: Final = Needs(
        env=(PROGRAM.variable, "GEMINI_*", "GOOGLE_*"),
        folders=(
            ConfigFolder(
                "~/.gemini",
                read=(
                    *("GEMINI.md", "commands", "extensions", "google_accounts.json"),
                    *("installation_id", "projects.json", "settings.json", "skills"),
                ),
                write=("oauth_creds.json", "tmp/"),
            ),
        ),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        no_forks(task, "gemini")
        options = options_of(task, Options)
        program = PROGRAM.locate(task.env)
        env = {"GEMINI_CLI_NO_RELAUNCH": "true", **task.env}
        with scratch_folder() as folder:
            argv = [program, *arguments(task, options, folder)]
            return await follow(GeminiReading(task, emit), argv, env=env, stdin=prompt_of(task))

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options, scratch: Path) -> list[str]:
    """Return the command line after the program's name; the prompt goes by standard input."""
    argv = ["-p", "", "-o", "stream-json", "--skip-trust"]
    argv += arguments_for(task, "gemini", PERMISSIONS)
    if task.permissions == "read":
        policy = scratch / "policy.toml"
        policy.write_text(ONLY_LOOKING)
        argv += ["--admin-policy", str(policy)]
    if task.model is not None:
        argv += ["--model", task.model.removeprefix("gemini/").removeprefix("google/")]
    if task.session is not None:
        argv += ["--resume", task.session]
    return argv + options.args


class GeminiReading(EventReading):
    """Takes the events of one run. What is said comes in pieces."""

    name: ClassVar[str] = "gemini"
    login: ClassVar[str] = "Log in with: gemini - or set GEMINI_API_KEY."
    attempts: ClassVar[int] = 3  # of its own ten, which take minutes
    no_session: ClassVar[tuple[str, ...]] = ("Error resuming session",)

    def feed(self, event: Json) -> None:
        match event:
            case {"type": "init", "session_id": str(session)}:
                self.open(session, model=event.get("model"))
            case {"type": "message", "role": "user"}:
                pass
            case {"type": "message", "role": "assistant", "content": str(piece)}:
                self.add(piece)
            case {"type": "tool_use", "tool_name": str(name), "parameters": {} as given}:
                path = given.get("file_path") if name in CHANGES_FILES else None
                self.call(name, given, event.get("tool_id"), changes=path)
            case {"type": "tool_result", "tool_id": id}:
                said = event.get("output") or part(event, "error").get("message") or ""
                self.answer(str(said), id=id, failed=event.get("status") != "success")
            case {"type": "result", "status": "success"}:
                self.ended_well = True
                self._count(event)
            case {"type": "result"}:
                self._count(event)
                self.fail(str(part(event, "error").get("message") or "no reason"))
            case _:
                self.raw(event)

    def feed_error(self, line: str) -> None:
        if found := ATTEMPT.match(line):
            self.retry(line, status=int(found[1]) if found[1] else None)
        else:
            super().feed_error(line)

    def result(self, ending: Ending) -> AgentResult:
        self.status = ANSWERS.get(ending.code)
        return super().result(ending)

    def _count(self, event: Json) -> None:
        counts = part(event, "stats")
        self.usage = Usage(
            counts.get("input_tokens") or 0,
            counts.get("output_tokens") or 0,
            counts.get("cached") or 0,
        )
