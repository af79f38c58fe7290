"""The `aider` agent, run for one message without a terminal."""

import re
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from holdfast.eventlog import Usage

from ..errors import SessionLost
from ..types import AgentResult, AgentTask, ConfigFolder, Emit, Needs, Permissions, Readiness
from .cli import PROVIDER_KEYS, Program, arguments_for, options_of, run_lines, scratch_folder
from .reading import Reading
from .structured import prompt_of

PROGRAM = Program(
    "aider",
    "AIDER_EXECUTABLE",
    install="pipx install aider-chat",
    keys=("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY"),
)

# It edits by what it says and runs no commands, so that "full" is no more than "edit".
PERMISSIONS: Final[dict[Permissions, list[str]]] = {
    "read": ["--chat-mode", "ask"],
    "edit": [],
    "full": [],
}
QUIET: Final = [
    *["--yes-always", "--no-pretty", "--no-fancy-input", "--no-check-update", "--no-gitignore"],
    *["--no-show-release-notes", "--no-show-model-warnings", "--no-suggest-shell-commands"],
    # The history of the repository is not the agent's to write.
    *["--no-detect-urls", "--no-auto-commits", "--no-dirty-commits", "--no-analytics"],
]
INDEX: Final = ".aider.tags.cache.v*"
HEADER_ENDS: Final = re.compile(r"^Repo-map: ")
TOKENS: Final = re.compile(r"^Tokens: ([\d.,]+[kM]?) sent(.*), ([\d.,]+[kM]?) received\.(.*)")
CACHED: Final = re.compile(r"([\d.,]+[kM]?) cache hit")
COST: Final = re.compile(r"Cost: \$([\d.]+) message")
FAILED: Final = re.compile(r"^litellm\.(?:\w+\.)*(\w+: .*)")
RETRYING: Final = re.compile(r"^Retrying in ([\d.]+) seconds")
EDITED: Final = re.compile(r"^Applied edit to (.*)")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may set beside the common fields; `args` goes to the program as it is."""

    edit_format: str | None = None
    args: list[str] = []


class Aider:
    """Runs `aider --message-file` in the task's folder and reads its text.

    A session is a chat history in the user's home. It is a summary of what was said that goes on.
    """

    needs: Final = Needs(
        env=(PROGRAM.variable, "AIDER_*", *PROVIDER_KEYS),
        folders=(ConfigFolder("~/.aider", read=("caches",), write=("holdfast/",)),),
    )

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        options = options_of(task, Options)
        program = PROGRAM.locate(task.env)
        session = _session(task)
        reading = AiderReading(task, emit)
        reading.open(session)
        with scratch_folder() as folder, _without_traces(task.folder):
            argv = [program, *arguments(task, options, session, folder)]
            ending = await run_lines(
                argv,
                task,
                emit,
                env=task.env,
                stdin="",
                on_line=reading.feed_line,
                on_error=reading.feed_error,
            )
        return reading.result(ending)

    def readiness(self) -> Readiness:
        return PROGRAM.readiness()


def arguments(task: AgentTask, options: Options, session: str, scratch: Path) -> list[str]:
    """Return the command line after the program's name; the prompt is in a file."""
    prompt = scratch / "prompt.md"
    prompt.write_text(prompt_of(task))
    argv = [*QUIET, *arguments_for(task, "aider", PERMISSIONS), "--message-file", str(prompt)]
    argv += ["--input-history-file", str(scratch / "input")]
    argv += ["--chat-history-file", str(_history(task, session))]
    argv += ["--no-git"] if _repository(task.folder) is None else []  # or it would make one
    argv += ["--restore-chat-history"] if task.session is not None else []
    argv += ["--model", task.model] if task.model is not None else []
    argv += ["--edit-format", options.edit_format] if options.edit_format is not None else []
    return argv + options.args


def _session(task: AgentTask) -> str:
    """Return the session to go on with, or a new one."""
    if task.session is None:
        return str(uuid.uuid4())
    if not _history(task, task.session).is_file():
        raise SessionLost(
            f"aider does not know the session {task.session!r}: there is no "
            f"{str(_history(task, task.session))!r}"
        )
    if not task.fork:
        return task.session
    copy = str(uuid.uuid4())
    shutil.copyfile(_history(task, task.session), _history(task, copy))
    return copy


def _history(task: AgentTask, session: str) -> Path:
    folder = Path(task.env.get("HOME", "~")).expanduser() / ".aider" / "holdfast"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{Path(session).name}.md"


def _repository(folder: Path) -> Path | None:
    parents = [folder.absolute(), *folder.absolute().parents]
    links = (each / ".git" for each in parents)  # an empty one is a sandbox's, and means nothing
    return next((link.parent for link in links if link.is_file() or (link / "HEAD").exists()), None)


@contextmanager
def _without_traces(folder: Path) -> Generator[None]:
    """Take away the index that it leaves in the repository, unless it was there before."""
    root = _repository(folder)
    before = set(root.glob(INDEX)) if root is not None else set[Path]()
    try:
        yield
    finally:
        for made in set(root.glob(INDEX)) - before if root is not None else ():
            shutil.rmtree(made, ignore_errors=True)


class AiderReading(Reading):
    """Takes the lines of one run. Its exit code is 0 after a failure; tokens are told after an answer."""

    name: ClassVar[str] = "aider"
    login: ClassVar[str] = "Set the provider's key, for example OPENAI_API_KEY."

    def __init__(self, task: AgentTask, emit: Emit) -> None:
        super().__init__(task, emit)
        self._begun = False
        self._lines: list[str] = []
        self._said = "no reason"

    def feed_line(self, line: str) -> None:
        """Take one line and show what it says."""
        if not self._begun:
            self._begun = HEADER_ENDS.match(line) is not None
        elif found := TOKENS.match(line):
            self._answered(found)
        elif found := FAILED.match(line):
            self._said = found[1]
            self.fail(self._said)
        elif found := RETRYING.match(line):
            self._lines.clear()
            self.retry(self._said, delay_s=float(found[1]))
        elif found := EDITED.match(line):
            self.change(found[1])
        else:
            self._lines.append(line)

    def _answered(self, found: re.Match[str]) -> None:
        self.forget()
        self.say("\n".join(self._lines).strip())
        self._lines.clear()
        self.recover()
        self.ended_well = True
        cached, cost = CACHED.search(found[2]), COST.search(found[4])
        self.spend(
            Usage(
                _count(found[1]),
                _count(found[3]),
                _count(cached[1]) if cached else 0,
                float(cost[1]) if cost else 0.0,
            )
        )


def _count(text: str) -> int:
    factor = {"k": 1000, "M": 1_000_000}.get(text[-1], 1)
    return int(float(text.rstrip("kM").replace(",", "")) * factor)
