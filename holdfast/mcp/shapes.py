"""What the tools answer, for the schemas that clients check answers against.

The objects themselves are those of the command line's `--json`; here stands what is always in them.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Time = Annotated[str | None, Meta(description="RFC 3339, in UTC")]


class Call(msgspec.Struct):
    """What to do next: a tool and its arguments; those in `fill_in` are still to be added.

    Without a tool it is a command line for a shell.
    """

    tool: str | None
    arguments: dict[str, Any] = {}
    fill_in: list[str] = []
    command: str = ""


class Answer(msgspec.Struct):
    """What every answer has: `cut` are the places whose value was shortened."""

    cut: list[str]


class Items(Answer):
    """A page: `next` is the `start` of the one after it, null when this is the last."""

    items: list[dict[str, Any]]
    next: int | None


class Counted(Items):
    """A page of a list whose length is known."""

    total: int


class Text(Answer):
    """A piece of a text: `next` is the `start` of the one after it, `total` its characters."""

    text: str
    next: int | None
    total: int


class Reason(msgspec.Struct):
    """Why a run is where it is, since when, and the call that goes on from there."""

    kind: str
    reason: str
    since: Time
    next: Call


class RunAnswer(Answer):
    """How a run stands, and the call that goes on from there."""

    run: str
    workflow: str
    status: str
    output: Any
    error: dict[str, Any] | None
    offset: int
    owner_alive: bool
    reasons: list[Reason]
    next: Call


class Waited(RunAnswer):
    """How a run stands after waiting; `timed_out` where nothing that was waited for came."""

    timed_out: bool


class Why(Answer):
    """Why a run is where it is, what matters most first."""

    run: str
    status: str
    reasons: list[Reason]
    next: Call


class Workflow(Answer):
    """A workflow, its inputs, and the budget of a run that is started without one."""

    name: str
    description: str
    documentation: str
    source: str
    budget: dict[str, Any] | None
    inputs: list[dict[str, Any]]
    output: str


class DryRun(Answer):
    """What a workflow would do with samples for results: `tree` has its lines.

    `ok` is false where it fails with these samples (`error`, at the line `where`), or where `problems` say
    that a run would.
    """

    ok: bool
    workflow: str
    status: str
    tree: list[str]
    input: dict[str, Any]
    sampled: list[str]
    samples: str
    output: Any
    error: dict[str, Any] | None
    where: str | None
    problems: list[dict[str, Any]]
    next: Call


class Created(Answer):
    """A workflow that was stored, or why it was not: places in its source, with what to write instead."""

    stored: bool
    path: str
    problems: list[dict[str, Any]]
    dry_run: dict[str, Any] | None
    next: Call


class Schedule(Answer):
    """What a schedule starts and when it is `due` next; `served_by` is the process that starts it, if any."""

    schedule: str
    status: str
    cron: str
    zone: str
    workflow: str
    due: Time
    last_run: str | None
    served_by: int | None
    next: Call


class Done(Answer, kw_only=True):
    """What was written to a run, whether a process executes it or is about to, and what to do next.

    `problem` is why no process could be started for it; what was written stands.
    """

    run: str
    offset: int
    owner_alive: bool
    next: Call
    problem: dict[str, Any] | None = None


class Decided(Done, kw_only=True):
    """A decision: `missing` is how many more people have to approve."""

    gate: str
    decision: str
    by: str
    missing: int


class Left(Done, kw_only=True):
    """A run that leaves the history of `parent` at `left_at`."""

    parent: str
    left_at: int


class Plan(Counted):
    """What a fork would do, step by step, and the sums of it."""

    run: str
    reason: str
    offset: int
    at: int
    totals: dict[str, Any]


class Diff(Counted):
    """What differs between two runs, key by key."""

    a: dict[str, Any]
    b: dict[str, Any]
    equal: bool
    shared: int
    first: dict[str, Any] | None
    run: list[dict[str, Any]]


class Step(Answer):
    """One step: its `parts` that can be read as text, with their sizes, and the files it changed."""

    key: str
    kind: str
    status: str
    parts: dict[str, int]
    files: list[dict[str, Any]]
    part: str = ""
    text: str = ""
    next: int | None = None
    total: int = 0


class Files(Answer):
    """The files of a frame, or what is in one of them."""

    run: str
    at: int
    items: list[dict[str, Any]]
    next: int | None
    total: int
    path: str = ""
    text: str = ""


class Cost(Counted):
    """What a run has used: in all, against its budget, and step by step, the dearest first."""

    run: str
    status: str
    usage: dict[str, Any]
    budget: dict[str, Any] | None
    children: list[dict[str, Any]]
