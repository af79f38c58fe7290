"""What an agent, a model and a sandbox are to Holdfast: the data that goes in and comes out, and protocols.

An adapter is one object with a few attributes and one coroutine under trio. It raises the errors of
errors.py, which tell the engine whether to wait, to try again, to fall back or to give up.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from holdfast.eventlog import Usage

Permissions = Literal["read", "edit", "full"]
Stop = Literal["end", "calls", "length"]


class Entry(msgspec.Struct, frozen=True):
    """One thing that an agent wrote down: `data` is plain, `kind` and `text` are for people.

    `usage` is what was paid to get there since the entry before; the result does not tell it again.
    """

    kind: str
    data: Any = None
    text: str = ""
    usage: Usage | None = None


class Journal:
    """What an agent writes down while it does a task, and finds again when the task goes on.

    The engine's is kept in the log: what was appended is on disk when `append` returns, and after a
    crash, a rate limit or an answer that did not fit, `entries` has all of it, without the secrets that
    are not written to the log. `is_rejected`: the last entry led to an answer that did not fit. This one
    here lives as long as the process.
    """

    def __init__(self, entries: Sequence[Entry] = (), *, is_rejected: bool = False) -> None:
        self.entries = [*entries]
        self.is_rejected = is_rejected

    async def append(self, entry: Entry) -> None:
        """Return when the entry is durable: then, and not before, act on it."""
        self.entries.append(entry)
        self.is_rejected = False


class Offers(Protocol):
    """What plugins offer to an agent that asks models and calls tools itself."""

    def model(self, name: str) -> "Model": ...

    def tools(self) -> Mapping[str, "Tool"]: ...


class AgentTask(msgspec.Struct, frozen=True, kw_only=True):
    """One task for a coding agent, in a folder.

    `schema` is the JSON Schema of the wanted result, or None for free text. `session` continues a
    session of the same agent; with `fork` in a copy, which leaves the original as it is. `env` is the
    whole environment of the agent's process; it carries the mark by which everything that the process
    starts is found again. `model` is in the agent's own words. `permissions` say what it may do by
    itself: read; change files ("edit"); also run commands ("full"). What it cannot be held to it
    refuses with BadOptions, as it does options that it does not know.
    `journal` is for an agent that can go on after a crash by itself, `offers` has the models and tools
    of all plugins.
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
    journal: Journal = msgspec.field(default_factory=Journal)
    offers: Offers | None = None


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
    """What came of a task. `output` is set when a schema was asked for: plain data, not yet checked.

    `usage` is that of this task alone (tokens are counts, money US dollars), or None where nobody
    knows; `session` is what continues this conversation, empty where nothing does.
    """

    text: str
    output: Any = None
    usage: Usage | None = None
    session: str = ""


class Readiness(msgspec.Struct, frozen=True):
    """Whether an adapter can work here: shown by `holdfast doctor` and `holdfast agents`."""

    ready: bool
    detail: str  # a version and a path, or what is missing and how to get it
    login: str = ""  # what it may be logged in by, as far as that is seen without a call


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
    files or the network by itself that `holdfast.plugins.confining.current().within` does not allow, says
    so with an attribute `needs: Needs`. Only such an agent is let into a sandbox.

    One that cannot be held to every permission tells which ones with a method `permissions_with(options:
    Mapping[str, Any]) -> Collection[Permissions]`, for a step's options, of which it raises nothing. A dry
    run then says beforehand what `run` would refuse. Without it, that is seen when the step begins.
    """

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        """Do the task once, and show with `emit`, in trio's thread, what is done meanwhile.

        Raises WorkError: BadOptions, MissingBinary, MissingFolder, NotLoggedIn and Refused end the
        step; RateLimited waits until its time; SessionLost is tried again without the session,
        OutputInvalid with the reason, NoOutput and Crashed as they were. Anything else is taken for a
        defect, recorded with its traceback, and tried again.
        """
        ...

    def readiness(self) -> Readiness:
        """Tell whether it can work here, within seconds, with no call of a model; raise nothing."""
        ...


class ToolOffer(msgspec.Struct, frozen=True):
    """A tool that a model may call: `schema` is the JSON Schema of its arguments, an object."""

    name: str
    description: str
    schema: dict[str, Any]


class ToolCall(msgspec.Struct, frozen=True):
    """A model wants a tool called. `arguments` is JSON as the model wrote it, so perhaps none.

    `extra` is the provider's own, which it wants back as it was.
    """

    id: str
    name: str
    arguments: str
    extra: dict[str, Any] = {}


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation; `role` is "system", "user", "assistant", which may have made
    `calls`, or "tool": the result of call `call_id`. `extra` is the provider's own, which it wants back
    as it was (signed thoughts)."""

    role: str
    content: str
    calls: list[ToolCall] = []
    call_id: str = ""
    extra: dict[str, Any] = {}


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model. `params` (temperature, max_tokens, api_base, ...) go to the provider.

    `model` is the whole name, with the prefix that this back end answers for. `schema` is the JSON Schema
    of the wanted answer, or None for free text. A back end that knows no `tools` raises BadOptions where
    there are any; with both, the answer has to fit the schema when it calls none.
    """

    model: str
    messages: list[Message]
    schema: dict[str, Any] | None = None
    params: dict[str, Any] = {}
    tools: list[ToolOffer] = []


class ModelResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said. `output` is set when a schema was asked for: plain data, not yet checked.

    With tools there may be `calls`, and then the text may be empty. `stop` is "length" where the answer
    was cut off at a limit of tokens. `extra` belongs into the Message that goes back to the model.
    `usage` is that of this call (tokens are counts, money US dollars), or None where nobody knows.
    """

    text: str
    output: Any = None
    usage: Usage | None = None
    calls: list[ToolCall] = []
    stop: Stop = "end"
    extra: dict[str, Any] = {}


@runtime_checkable
class Model(Protocol):
    """A model back end. `call` is cancelled by trio and then really stops the request."""

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        """Ask once, and show what is said with `emit`, in trio's thread.

        Raises WorkError: NotLoggedIn, Refused and BadOptions end the step; RateLimited waits until its
        time; OutputInvalid is asked again with the reason, and `detail` as what was said; NoOutput and
        Crashed are tried again.
        """
        ...

    def readiness(self) -> Readiness:
        """Tell whether it can be called here, within seconds, without calling; raise nothing."""
        ...


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
    on standard error begin when it could not do its work. `after` is called when all of it has ended,
    however that was; it may block a little, and raises a WorkError for what has to fail the step.
    """

    argv: list[str]
    complaint: str
    after: Callable[[], None] | None = None


@runtime_checkable
class Sandbox(Protocol):
    """Something that holds a program to a confinement. `wrap` and `readiness` may block a little.

    `readiness` really tries it. The environment needs no care: it is what the program may see.
    """

    def wrap(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, within: Confinement
    ) -> Wrapped:
        """Return what runs `argv` in `folder`, held to `within`.

        Raises SandboxUnavailable where it cannot work on this machine, SandboxFailed where it cannot
        do this; both end the step, and nothing was started.
        """
        ...

    def readiness(self) -> Readiness:
        """Make a sandbox, within seconds, and tell what came of it; raise nothing."""
        ...


class ToolSetting(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tool is called: the task's folder and environment, and what it may do there."""

    folder: Path
    env: dict[str, str]
    permissions: Permissions


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool for agents that call tools themselves (`builtin`).

    `schema` is the JSON Schema of its arguments; `run` gets them as a mapping that the model wrote, and
    returns what the model reads. What it raises is told to the model, which may mend its call. `needs`
    is the least permission of a task that is offered the tool. An `effect` is not called again where a
    crash left its outcome unknown: the model is told. Only a `confinable` tool is offered in a sandbox:
    one that starts its programs with `holdfast.plugins.process.run_process`, and does nothing to files
    or the network by itself.
    """

    description: str
    schema: dict[str, Any]
    run: Callable[[dict[str, Any], ToolSetting], Awaitable[str]]
    needs: Permissions = "full"
    effect: bool = True
    confinable: bool = False
