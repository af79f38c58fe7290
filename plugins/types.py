"""What an agent, a model and a sandbox are to Holdfast: the data that goes in and comes out, and protocols.

An adapter is one object with a few attributes and one coroutine under trio. It raises the errors of
errors.py, which tell the engine whether to wait, to try again, to fall back or to give up.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from holdfast.eventlog import Usage

Permissions = Literal["read", "edit", "full"]


class AgentTask(msgspec.Struct, frozen=True, kw_only=True):
    """One task for a coding agent, in a folder.

    `schema` is the JSON Schema of the wanted result, or None for free text. `session` continues a
    session of the same agent; with `fork` in a copy, which leaves the original as it is. `env` is the whole environment of the agent's process; it carries the
    mark by which everything that the process starts is found again.
    """

    prompt: str
    folder: Path
    env: dict[str, str]
    model: str | None = None
    schema: dict[str, Any] | None = None
    session: str | None = None
    fork: bool = False
    permissions: Permissions = "full"
    options: dict[str, Any] = {}


class Progress(msgspec.Struct, frozen=True):
    """One thing that an agent or a model did, shown live and kept in the transcript.

    `kind` is "text" (said), "thinking", "tool" (a call; `data` has name and input), "tool_result",
    "file" (a change; `data` has path), "session" (`text` is its id), "retry" (the harness retries by
    itself) or "raw" (a line of output that is nothing of these).
    """

    kind: Literal["text", "thinking", "tool", "tool_result", "file", "session", "retry", "raw"]
    text: str = ""
    data: dict[str, Any] = {}


Emit = Callable[[Progress], None]


class AgentResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a task. `output` is set when a schema was asked for: plain data, not yet checked."""

    text: str
    output: Any = None
    usage: Usage | None = None
    session: str = ""


class Readiness(msgspec.Struct, frozen=True):
    """Whether an adapter can work here: shown by `holdfast doctor` and `holdfast plugins`."""

    ready: bool
    detail: str  # a version and a path, or what is missing and how to get it


class ConfigFolder(msgspec.Struct, frozen=True):
    """A folder of the home in which an agent keeps things, which a sandbox would hide from it.

    It is `path`, or what the environment variable says. In a sandbox it begins with what `read` and
    `write` name, "." for all of it; only what is written to the latter stays. A folder in `write`
    ends with "/" and is made where it is missing. What the agent runs by itself at its next start
    (settings, hooks, plug-ins) does not belong there: it would lead out of the sandbox.
    """

    path: str
    variable: str = ""
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent cannot do without in a sandbox. In `env`, "*" stands for any text."""

    env: tuple[str, ...] = ()
    folders: tuple[ConfigFolder, ...] = ()
    network: bool = True


@runtime_checkable
class Agent(Protocol):
    """A coding agent. `run` is cancelled by trio and then leaves no process behind.

    One that starts all its programs with `holdfast.plugins.process.run_process`, and does nothing to
    files or the network by itself, says so with an attribute `needs: Needs`. Only such an agent is
    let into a sandbox.
    """

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult: ...

    def readiness(self) -> Readiness: ...


class Message(msgspec.Struct, frozen=True):
    role: str
    content: str


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model. `params` (temperature, max_tokens, api_base, ...) go to the provider."""

    model: str
    messages: list[Message]
    schema: dict[str, Any] | None = None
    params: dict[str, Any] = {}


class ModelResult(msgspec.Struct, frozen=True, kw_only=True):
    """`output` is set when a schema was asked for and the text was JSON: not yet checked."""

    text: str
    output: Any = None
    usage: Usage | None = None


@runtime_checkable
class Model(Protocol):
    """A model back end. `call` is cancelled by trio and then really stops the request."""

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult: ...

    def readiness(self) -> Readiness: ...


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """What a step's programs may reach; all else is hidden or read-only, as the sandbox can.

    They work in `folder`, and `hidden` stays hidden even within it; `keep` are paths within it that
    nothing may change. `read` and `write` are allowed besides, `private` folders begin empty and
    vanish. Where there is no such path, nothing is missed.
    """

    folder: Path
    hidden: tuple[Path, ...] = ()
    keep: tuple[Path, ...] = ()
    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    private: tuple[Path, ...] = ()
    network: bool = False
    processes: int = 4096


class Wrapped(msgspec.Struct, frozen=True):
    """A command line that runs another one in a sandbox.

    Its own process must end with what it was given, pass on the exit code, and end all when it is
    killed or the thread that started it ends; it gets no SIGTERM. `complaint` is how its first words
    on standard error begin when it could not do its work.
    """

    argv: list[str]
    complaint: str


@runtime_checkable
class Sandbox(Protocol):
    """Something that holds a program to a confinement. `wrap` and `readiness` may block a little.

    `readiness` really tries it. The environment needs no care: it is what the program may see.
    """

    def wrap(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, within: Confinement
    ) -> Wrapped: ...

    def readiness(self) -> Readiness: ...
