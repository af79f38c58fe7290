"""What an agent and a model are to Holdfast: the data that goes in and comes out, and two protocols.

An adapter is one object with a few attributes and one coroutine under trio. It raises the errors of
errors.py, which tell the engine whether to wait, to try again, to fall back or to give up.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from holdfast.eventlog import Usage

Permissions = Literal["read", "edit", "full"]


class AgentTask(msgspec.Struct, frozen=True, kw_only=True):
    """One task for a coding agent, in a folder.

    `schema` is the JSON Schema of the wanted result, or None for free text. `session` continues a
    session of the same agent; with `fork` in a copy, which leaves the original as it is. `env` is the
    whole environment of the agent's process; it carries the mark by which everything that the process
    starts is found again. `model` is in the agent's own words. `permissions` say what it may do by
    itself: read; change files ("edit"); also run commands ("full"). What it cannot be held to it
    refuses with BadOptions, as it does options that it does not know.
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
    """What came of a task. `output` is set when a schema was asked for: plain data, not yet checked.

    `usage` is that of this task alone (tokens are counts, money US dollars), or None where nobody
    knows; `session` is what continues this conversation, empty where nothing does.
    """

    text: str
    output: Any = None
    usage: Usage | None = None
    session: str = ""


class Readiness(msgspec.Struct, frozen=True):
    """Whether an adapter can work here: shown by `holdfast doctor` and `holdfast plugins`."""

    ready: bool
    detail: str  # a version and a path, or what is missing and how to get it


@runtime_checkable
class Agent(Protocol):
    """A coding agent. `run` is cancelled by trio and then leaves no process behind."""

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


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation; `role` is "system", "user" or "assistant"."""

    role: str
    content: str


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model. `params` (temperature, max_tokens, api_base, ...) go to the provider.

    `model` is the whole name, with the prefix that this back end answers for. `schema` is the JSON Schema
    of the wanted answer, or None for free text.
    """

    model: str
    messages: list[Message]
    schema: dict[str, Any] | None = None
    params: dict[str, Any] = {}


class ModelResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said. `output` is set when a schema was asked for: plain data, not yet checked.

    `usage` is that of this call (tokens are counts, money US dollars), or None where nobody knows.
    """

    text: str
    output: Any = None
    usage: Usage | None = None


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
