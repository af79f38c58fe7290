"""What adapters of command-line agents share: finding the program, its options, its lines of JSON."""

import json
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from .. import confining
from ..errors import BadOptions, MissingBinary
from ..process import Lines, Talk, run_process
from ..types import AgentTask, Emit, Permissions, Progress, Readiness

Json = dict[str, Any]
OptionsType = TypeVar("OptionsType", bound=msgspec.Struct)

# Variables with the keys of models' providers, for agents that talk to any of them.
PROVIDER_KEYS = (
    "ANTHROPIC_API_KEY",
    "DEEPSEEK_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "OPENAI_*",
    "OPENROUTER_API_KEY",
    "XAI_API_KEY",
)

VERSION_TIMEOUT_S = 20
TAIL_LINES = 20


def part(event: Json, name: str) -> Json:
    """Return an object inside an event, empty where there is none."""
    found = event.get(name)
    return cast(Json, found) if isinstance(found, dict) else {}


def parts(event: Json, name: str) -> list[Json]:
    """Return the objects of a list inside an event, none where there is no list."""
    found = event.get(name)
    if not isinstance(found, list):
        return []
    return [cast(Json, each) for each in cast(Any, found) if isinstance(each, dict)]


class Program(NamedTuple):
    """A program that has to be installed; the environment variable may say where it is.

    Of the variables `keys` and the files `logins` (below the home folder) each may log it in.
    """

    name: str
    variable: str
    install: str
    keys: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()

    def locate(self, env: Mapping[str, str]) -> str:
        """Return its path, or raise MissingBinary."""
        wanted = env.get(self.variable) or self.name
        path = shutil.which(wanted, path=env.get("PATH", os.defpath))
        if path is None:
            raise MissingBinary(
                f"cannot find the program {wanted!r} in the PATH. Install it with: {self.install} - "
                f"or set {self.variable} to its path."
            )
        return path

    def readiness(self) -> Readiness:
        """Say where it is and which version, without letting it do anything."""
        try:
            path = self.locate(os.environ)
            # Its own way of reporting: nothing that it prints may fail this.
            done = subprocess.run(
                [path, "--version"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=VERSION_TIMEOUT_S,
                check=False,
            )
        except (MissingBinary, OSError, subprocess.TimeoutExpired) as error:
            return Readiness(False, str(error))
        said = (done.stdout or done.stderr).decode(errors="replace").strip()
        if done.returncode:
            return Readiness(False, f"{path} --version ended with {done.returncode}: {said}")
        return Readiness(True, f"{said} ({path})", self.login())

    def login(self) -> str:
        """Say what may log it in: a key or a file that is there. Nothing proves that it is not."""
        found = [name for name in self.keys if os.environ.get(name)]
        home = Path(os.environ.get("HOME", "~")).expanduser()
        found += [f"~/{name}" for name in self.logins if (home / name).is_file()]
        return ", ".join(found)


class Ending(NamedTuple):
    """How the program ended, and the last lines that it wrote to standard error."""

    code: int
    stderr: str

    def __str__(self) -> str:
        how = f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        return f"{how}: {self.stderr}" if self.stderr else how


def options_of(task: AgentTask, kind: type[OptionsType]) -> OptionsType:
    """Check the task's options against their type, or raise BadOptions."""
    try:
        return msgspec.convert(task.options, kind)
    except msgspec.ValidationError as error:
        known = kind.__struct_fields__
        raise BadOptions(
            f"the agent's options are wrong: {error}. It knows: {', '.join(known)}. Write for "
            f'example: options={{"{known[0]}": ...}}'
        ) from error


def arguments_for(task: AgentTask, agent: str, ways: Mapping[Permissions, list[str]]) -> list[str]:
    """Return the arguments that hold the agent to the task's permissions, or raise BadOptions."""
    if task.permissions in ways:
        return ways[task.permissions]
    raise BadOptions(
        f"{agent} cannot be held to permissions={task.permissions!r}: it knows "
        f"{', '.join(map(repr, ways))}. Give the step one of these, or another agent."
    )


def no_forks(task: AgentTask, agent: str) -> None:
    """Raise BadOptions when a copy of a session is asked for."""
    if task.session is not None and task.fork:
        raise BadOptions(
            f"{agent} cannot go on in a copy of a session. Go on in the session itself, or begin anew."
        )


@contextmanager
def scratch_folder() -> Generator[Path]:
    """Give a folder for the files that one run of a program wants; it is gone afterwards."""
    with TemporaryDirectory(prefix="holdfast-") as name:
        if confined := confining.current():
            confined.share(Path(name))
        yield Path(name)


async def run_lines(
    argv: Sequence[str],
    task: AgentTask,
    emit: Emit,
    *,
    env: Mapping[str, str],
    stdin: str | Talk,
    on_line: Callable[[str], None],
    on_error: Callable[[str], None] | None = None,
) -> Ending:
    """Run a program in the task's folder and hand over its standard output line by line.

    Lines of standard error go to `on_error`, or are shown as they come; the last ones are kept.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)

    def on_error_line(line: str) -> None:
        tail.append(line)
        if on_error is None:
            emit(Progress("raw", line, {"stream": "stderr"}))
        else:
            on_error(line)

    out, err = Lines(on_line), Lines(on_error_line)
    code = await run_process(
        argv,
        folder=task.folder,
        # Some believe this variable before the folder that they are started in.
        env={**env, "PWD": str(task.folder.absolute())},
        stdin=stdin.encode() if isinstance(stdin, str) else stdin,
        on_stdout=out,
        on_stderr=err,
    )
    out.close()
    err.close()
    return Ending(code, "\n".join(tail).strip())


async def run_jsonl(
    argv: Sequence[str],
    task: AgentTask,
    emit: Emit,
    *,
    env: Mapping[str, str],
    stdin: str,
    on_event: Callable[[Json], None],
    on_error: Callable[[str], None] | None = None,
) -> Ending:
    """Run a program that prints JSON objects, one a line; any other line is only shown."""

    def on_line(line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict):
            on_event(cast(Json, event))
        elif line.strip():
            emit(Progress("raw", line))

    return await run_lines(
        argv, task, emit, env=env, stdin=stdin, on_line=on_line, on_error=on_error
    )
