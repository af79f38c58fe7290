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
    """Whether an adapter can work here: shown by `holdfast doctor` and `holdfast agents`."""

    ready: bool
    detail: str  # a version and a path, or what is missing and how to get it
    login: str = ""  # what it may be logged in by, as far as that is seen without a call


@runtime_checkable
class Agent(Protocol):
    """A coding agent. `run` is cancelled by trio and then leaves no process behind."""

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
