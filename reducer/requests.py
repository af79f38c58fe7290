"""What a workflow asks for, as data. The driver makes requests; `decide` and the engine answer them.

Each request has the key of its place in the workflow. What kind of work it is stands in `call`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from holdfast.eventlog import Budget

from .conversation import Said, ToolSpec
from .durations import Length

Permissions = Literal["read", "edit", "full"]
OnDeny = Literal["raise", "return", "skip"]
OnExpire = Literal["deny", "halt", "escalate", "remind"]
StepKind = Literal[
    "step", "shell", "agent", "model", "workspace", "commit", "markers", "merge", "close"
]


class FunctionCall(msgspec.Struct, frozen=True):
    """A Python function: a sync one runs in a worker thread, an async one under trio."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


class ShellCall(msgspec.Struct, frozen=True):
    """A command for the shell, or a program with its arguments.

    `sandbox` and `network` are what the workflow says; None leaves it to the project's settings.
    """

    command: str | list[str]
    check: bool = True
    env: dict[str, str] = {}
    folder: str = ""
    sandbox: str | None = None
    network: bool | None = None


class AgentCall(msgspec.Struct, frozen=True):
    """A task for an agent. While `agent` is empty it is for the role, see roles.py, to name one."""

    prompt: str
    agent: str
    model: str | None = None
    permissions: Permissions | None = None  # those of the role, or "full"
    folder: str = ""
    options: dict[str, Any] = {}
    sandbox: str | None = None
    network: bool | None = None
    role: str | tuple[str, ...] = ""  # of several, the first that the project has
    fallback: tuple[str, ...] | None = None  # as the workflow has it; None: that of the role


class ModelAsk(msgspec.Struct, frozen=True):
    """A model call: `messages` are (role, content) pairs, and with `tools` also replies and results.

    Without a `model` the role has to name one.
    """

    messages: Sequence[Said]
    model: str
    params: dict[str, Any] = {}
    role: str = ""
    fallback: tuple[str, ...] | None = None
    tools: tuple[ToolSpec, ...] = ()


class OpenCall(msgspec.Struct, frozen=True):
    """Make the worktree of a workspace; `base` is a commit, by default the one that is checked out."""

    base: str = ""


class CommitCall(msgspec.Struct, frozen=True):
    """Commit what is in a workspace. After a conflict it `joins` the target's commit as well, and in the
    `resolved` files no conflict markers may be left."""

    message: str
    joins: str = ""
    resolved: tuple[str, ...] = ()


class MarkersCall(msgspec.Struct, frozen=True):
    """Write a tried merge of the commit `source` into its workspace: `tree`, with conflict markers."""

    source: str
    tree: str


class MergeCall(msgspec.Struct, frozen=True):
    """Merge a commit of a workspace `into` a branch, by default the one checked out around it.

    With a `base`, all since then becomes one commit.
    """

    workspace: str
    source: str
    message: str
    into: str = ""
    base: str = ""


class CloseCall(msgspec.Struct, frozen=True):
    """Remove the worktree of a workspace where all that is in it was merged."""


WorkspaceCall = OpenCall | CommitCall | MarkersCall | MergeCall | CloseCall
Call = FunctionCall | ShellCall | AgentCall | ModelAsk | WorkspaceCall


class Choice(msgspec.Struct, frozen=True):
    """Somebody whom a step may be given to: an agent, maybe with a model, or a model alone."""

    agent: str = ""
    model: str | None = None
    options: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return ":".join(filter(None, (self.agent, self.model)))


class Policy(msgspec.Struct, frozen=True):
    """How hard to try. Times are in nanoseconds; 0 means without limit.

    `retries` are further attempts after a failure, `reasks` further attempts after an output that
    did not fit. The n-th wait between attempts is `backoff * 2 ** (n - 1)`, five minutes at most.
    A `pure` step may begin before its start is durable: to do it twice does no harm. `fallback` are
    those who go on where the first choice cannot, in order.
    """

    retries: int = 0
    reasks: int = 2
    backoff: int = 1_000_000_000
    timeout: int = 0
    idle_timeout: int = 0
    effect: bool = False
    pure: bool = False
    on_doubt: Literal["ask", "retry"] = "ask"
    fallback: tuple[Choice, ...] = ()
    budget: Budget | None = None


class Request(msgspec.Struct, frozen=True):
    key: str


class StepRequest(Request, frozen=True):
    """Do a step, and answer with a result that fits the type `output`.

    It works in the `workspace` that the step with this key opened; empty: in the run's folder.
    """

    kind: StepKind
    call: Call
    policy: Policy
    output: Any
    workspace: str = ""

    @property
    def works_on_files(self) -> bool:
        """Whether it may read and change the workspace's files: all but models and pure functions."""
        return self.kind != "model" and not self.policy.pure


class ApprovalRequest(Request, frozen=True):
    """Ask people to approve `subject`; `edits` is the type of what may come with an approval."""

    subject: Any
    by: tuple[str, ...]
    count: int
    expires: Length  # from now; nothing: never
    on_deny: OnDeny
    on_expire: OnExpire = "deny"
    escalate_to: tuple[str, ...] = ()
    edits: Any = None


class QuestionRequest(Request, frozen=True):
    """Ask a person to fill in a value of type `output`."""

    question: Any
    output: Any
    by: tuple[str, ...] = ()
    expires: Length = Length(0)  # from now; nothing: never
    on_expire: OnExpire = "halt"
    escalate_to: tuple[str, ...] = ()


class SignalRequest(Request, frozen=True):
    signal: str
    output: Any
    correlation: str = ""


class TimerRequest(Request, frozen=True):
    until: int


class ChildRequest(Request, frozen=True):
    workflow: str
    input: dict[str, Any]
    output: Any
    workspace: str = ""
    budget: Budget | None = None


class NoteRequest(Request, frozen=True):
    text: str
    data: dict[str, Any]


class CeilingRequest(Request, frozen=True):
    """A loop reached its ceiling; `last` are the results of its last iteration, by step name."""

    max: int
    last: dict[str, Any]


class CancelRequest(Request, frozen=True):
    """The result for this key is no longer wanted."""

    reason: str
