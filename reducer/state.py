"""What a run is after some events: plain frozen data, made by `reduce` and by nothing else."""

from typing import Literal

import msgspec

from holdfast.eventlog import NONE, Budget, Edit, Failure, Reserved, Role, RunForked, Usage, Value

from .amounts import Amount
from .pmap import PMap

RunStatus = Literal["running", "waiting", "succeeded", "failed", "cancelled", "continued"]
GateKind = Literal["approval", "question", "doubt", "effect", "budget"]
StepStatus = Literal["running", "retrying", "deferred", "doubt", "succeeded", "failed", "cancelled"]
ENDED = frozenset({"succeeded", "failed", "cancelled", "continued"})
NEVER = 2**63 - 1
"""The time at which something may be asked again that may not."""


class Left(msgspec.Struct, frozen=True, gc=False):
    """One of those that a step may be given to, who could not do it because of `reason`. `until` is when
    it may be asked again, or NEVER."""

    place: int
    by: str
    reason: str
    until: int


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step, over all of its attempts. Times are in ns since 1970, `seconds` of the last attempt.

    `failures` counts the tries that failed; `attempt` counts all, also those that a crash or a rate
    limit cut short. `usage` is the sum. `offset` is where the step first started, `last` where its
    newest attempt ended. `files` says that it may read and change the workspace's files, `tree` stands
    for those that it found, `unseen` for the same before they were looked at (tree.py). `snapshot` is the
    git tree that its newest attempt left, `head` the commit that this left checked out, where that is
    another than before. It worked in the `workspace` that the step of that key opened; empty: in the run's
    folder. `origin` is the run that did the work, where this one took it over.
    `journal` counts what its agent wrote down to go on after a crash; the first of it is at `journal_at`,
    and `paid` is what the newest attempt used as far as that says.
    `by` is the agent or model of its newest attempt, `place` which of those that may do it is to do it now,
    and `left` who could not.
    """

    key: str
    kind: str
    fingerprint: bytes
    reads: Value
    code: bytes
    offset: int
    started: int
    status: StepStatus = "running"
    attempt: int = 1
    failures: int = 0
    result: Value = NONE
    error: Failure | None = None
    not_before: int = 0
    finished: int = 0
    seconds: float = 0.0
    usage: Usage | None = None
    session: str = ""
    transcript: Value = NONE
    snapshot: bytes = b""
    files: bool = True
    tree: bytes = b""
    unseen: bytes | None = None
    ended: int = 0  # when its newest attempt ended
    begun: int = 0  # where that began
    last: int = 0
    reused: bool = False
    origin: str = ""
    workspace: str = ""
    head: bytes = b""
    journal: int = 0
    journal_at: int = 0
    paid: Usage | None = None
    by: str = ""
    place: int = 0
    left: tuple[Left, ...] = ()


class Vote(msgspec.Struct, frozen=True, gc=False):
    """One person's word on a gate."""

    by: str
    approved: bool
    note: str
    edits: Value
    time: int


class Gate(msgspec.Struct, frozen=True, gc=False):
    """A durable wait for a person: an approval, an effect whose outcome is in doubt, one that a fork
    holds back, or a budget that is reached. `last` is where it was decided; `origin` the run that a
    decision was carried from.

    `also` are the people that it was escalated to, `form` is the JSON Schema of what may come with an
    approval, `expired` says that nobody decided in time and the workflow was to see that. `limit` is the
    budget that was reached. `every` is what it was to wait, in ns, after `months` of the calendar."""

    key: str
    kind: GateKind
    opened: int
    offset: int
    subject: Value = NONE
    digest: bytes = b""
    by: tuple[str, ...] = ()
    count: int = 1
    expires_at: int = 0
    on_deny: str = "raise"
    votes: tuple[Vote, ...] = ()
    decision: Vote | None = None
    last: int = 0
    origin: str = ""
    on_expire: str = "deny"
    every: int = 0
    escalate_to: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    reminded: int = 0
    expired: bool = False
    form: Value = NONE
    limit: Amount = Amount()
    months: int = 0

    def may_decide(self, who: str) -> bool:
        """Tell whether it is for this person to decide."""
        return not self.by or who in self.by or who in self.also


class Timer(msgspec.Struct, frozen=True, gc=False):
    """An open timer; `until` is in ns since 1970."""

    key: str
    until: int


class Wait(msgspec.Struct, frozen=True, gc=False):
    """An open wait for a signal."""

    key: str
    signal: str
    since: int
    correlation: str = ""


class Queued(msgspec.Struct, frozen=True, gc=False):
    """A signal that came before anybody awaited it."""

    payload: Value
    correlation: str = ""


class Child(msgspec.Struct, frozen=True, gc=False):
    """A child run. With an `origin` it is a fork of that run at offset `at`; while `run` is empty it is
    still to be made one, because its parent left the history that `origin` belongs to. In case `origin`
    was never made, `before` is what it was to be a fork of, at `at`."""

    key: str
    run: str
    fingerprint: bytes
    status: RunStatus = "running"
    output: Value = NONE
    error: Failure | None = None
    origin: str = ""
    at: int = 0
    before: str = ""
    offset: int = 0
    last: int = 0
    tree: bytes = b""  # the files that it found
    edits: tuple[Edit, ...] = ()  # of its steps
    workspace: str = ""


class WorkspaceFiles(msgspec.Struct, frozen=True, gc=False):
    """The files of a worktree that the step `key` opened; the fields that State has as well mean the same.

    `outer` is the workspace that it was opened in; empty: the run's folder.
    """

    key: str
    outer: str = ""
    tree: bytes = b""
    unseen: bytes | None = None
    snapshot: bytes = b""
    head: bytes = b""
    looked: int = -1
    restoring: bytes = b""


class Pause(msgspec.Struct, frozen=True, gc=False):
    """That a run begins no new step, since the event at `offset`."""

    reason: str
    since: int
    offset: int


class Purse(msgspec.Struct, frozen=True, gc=False):
    """What a run may use and has used, as far as its budget is concerned (purse.py).

    `base` is what it had used where it left another run's history, `below` what its children used.
    `reserved` is set aside for attempts and children at work, by key. `lost` was set aside for attempts
    that never told what they used; where that was a guess, `untold` counts them, by who made them.
    `highest` is the most that one attempt used, by who made it. `raised` is what people added, by gate.
    """

    budget: Budget | None = None
    base: Amount = Amount()
    below: Amount = Amount()
    lost: Amount = Amount()
    untold: PMap[int] = msgspec.field(default_factory=PMap[int])
    reserved: PMap[Reserved] = msgspec.field(default_factory=PMap[Reserved])
    highest: PMap[Amount] = msgspec.field(default_factory=PMap[Amount])
    raised: PMap[Amount] = msgspec.field(default_factory=PMap[Amount])


class State(msgspec.Struct, frozen=True, gc=False):
    """A run after `offset` events.

    `continues` is the branch whose history ended for this one to begin; `output` that of a run which has
    continued is the input of its next history. `resolved` names the keys whose wait was ended by the last event: what the driver feeds to the
    workflow. `waits` and `timers` are the open ones, `listeners` the keys of the former by
    what they wait for (waits.py); `received` has the payloads of waits that ended,
    by key; `signals` those that came before anybody awaited them, by name, in order. `cancelling` is why
    somebody asked to cancel the run, at offset `cancelled_at`; `paused`
    that it is to begin no new step. `forked` says which history a fork left and how, `base` is the
    offset of that event; `edits` are those of all forks on the way here, the newest first. `effects` says
    which effects need a person's word: "hold" (all), "repeat" (those that happened before).

    `tree` stands for the workspace's files, and `unseen` for the same before they were looked at; None: that
    is `tree` as well (tree.py). `snapshot` is the newest git tree of them, `head` the commit that was checked
    out when they were looked at last, at offset `looked`. `restoring` is the git tree that they are being
    brought back to. `checkout` is the user's folder, where `folder` is a worktree of the run's own.

    `roles` are the project's, as they were when the run was claimed last; `purse` is what its budget knows.
    """

    run: str = ""
    workflow: str = ""
    source: str = ""
    code: bytes = b""
    input: Value = NONE
    seed: bytes = b""
    folder: str = ""
    parent: str = ""
    parent_key: str = ""
    effects: str = ""
    continues: int = 0
    forked: RunForked | None = None
    base: int = 0
    edits: tuple[Edit, ...] = ()
    roles: tuple[Role, ...] = ()
    tree: bytes = b""
    unseen: bytes | None = None
    snapshot: bytes = b""
    head: bytes = b""
    looked: int = -1
    restoring: bytes = b""
    checkout: str = ""
    status: RunStatus = "running"
    output: Value = NONE
    error: Failure | None = None
    owner: str = ""
    waiting: tuple[str, ...] = ()
    cancelling: str | None = None
    cancelled_at: int = -1
    paused: Pause | None = None
    steps: PMap[Step] = msgspec.field(default_factory=PMap[Step])
    gates: PMap[Gate] = msgspec.field(default_factory=PMap[Gate])
    timers: PMap[Timer] = msgspec.field(default_factory=PMap[Timer])
    waits: PMap[Wait] = msgspec.field(default_factory=PMap[Wait])
    listeners: PMap[tuple[str, ...]] = msgspec.field(default_factory=PMap[tuple[str, ...]])
    received: PMap[Value] = msgspec.field(default_factory=PMap[Value])
    signals: PMap[tuple[Queued, ...]] = msgspec.field(default_factory=PMap[tuple[Queued, ...]])
    children: PMap[Child] = msgspec.field(default_factory=PMap[Child])
    workspaces: PMap[WorkspaceFiles] = msgspec.field(default_factory=PMap[WorkspaceFiles])
    # notes taken, ceilings reached and timers fired, with their offset
    passed: PMap[int] = msgspec.field(default_factory=PMap[int])
    usage: Usage = Usage()
    purse: Purse = msgspec.field(default_factory=Purse)
    unknown: int = 0
    started: int = 0
    now: int = 0
    offset: int = 0
    resolved: tuple[str, ...] = ()

    @property
    def is_astray(self) -> bool:
        """Whether the files may still be those of the history that it left: nobody has looked since."""
        return self.is_astray_in("")

    def is_astray_in(self, workspace: str) -> bool:
        """Whether that may be so with the files of a workspace."""
        return self.forked is not None and self.files_in(workspace).looked < self.base

    def files_in(self, workspace: str) -> "State | WorkspaceFiles":
        """Return what is known of the files of a workspace; of the run's folder that is the state itself."""
        return (self.workspaces.get(workspace) or WorkspaceFiles(workspace)) if workspace else self

    @property
    def open_gates(self) -> list[Gate]:
        """The gates that wait for somebody, oldest first; nobody waits any more where a cancel came after."""
        return [
            gate
            for gate in self.gates.values()
            if gate.decision is None and gate.offset > self.cancelled_at
        ]


def leaves_open(state: State, key: str) -> bool:
    """Tell whether it may change who does a step: it has not begun, or is tried anew on purpose."""
    step = state.steps.get(key)
    if step is None:
        return True
    forked = state.forked
    return forked is not None and key in forked.retried and step.begun < state.base
