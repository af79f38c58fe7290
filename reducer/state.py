"""What a run is after some events: plain frozen data, made by `reduce` and by nothing else."""

from typing import Literal

import msgspec

from holdfast.eventlog import NONE, Failure, Usage, Value

from .pmap import PMap

RunStatus = Literal["running", "waiting", "succeeded", "failed", "cancelled"]
StepStatus = Literal["running", "retrying", "deferred", "doubt", "succeeded", "failed", "cancelled"]
ENDED = frozenset({"succeeded", "failed", "cancelled"})


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step, over all of its attempts. Times are in ns since 1970, `seconds` of the last attempt.

    `failures` counts the tries that failed; `attempt` counts all, also those that a crash or a rate
    limit cut short. `usage` is the sum. `offset` is where the step first started.
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


class Vote(msgspec.Struct, frozen=True, gc=False):
    """One person's word on a gate."""

    by: str
    approved: bool
    note: str
    edits: Value
    time: int


class Gate(msgspec.Struct, frozen=True, gc=False):
    """A durable wait for a person: an approval, or an effect whose outcome is in doubt."""

    key: str
    kind: Literal["approval", "doubt"]
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


class Timer(msgspec.Struct, frozen=True, gc=False):
    """An open timer; `until` is in ns since 1970."""

    key: str
    until: int


class Wait(msgspec.Struct, frozen=True, gc=False):
    """An open wait for a signal."""

    key: str
    signal: str
    since: int


class Child(msgspec.Struct, frozen=True, gc=False):
    key: str
    run: str
    fingerprint: bytes
    status: RunStatus = "running"
    output: Value = NONE
    error: Failure | None = None


class State(msgspec.Struct, frozen=True, gc=False):
    """A run after `offset` events.

    `resolved` names the keys whose wait was ended by the last event: what the driver feeds to the
    workflow. `waits` and `timers` are the open ones; `received` has the payloads of waits that ended,
    by key; `signals` those that came before anybody awaited them, by name, in order. `cancelling` is why
    somebody asked to cancel the run.
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
    status: RunStatus = "running"
    output: Value = NONE
    error: Failure | None = None
    owner: str = ""
    waiting: tuple[str, ...] = ()
    cancelling: str | None = None
    steps: PMap[Step] = msgspec.field(default_factory=PMap[Step])
    gates: PMap[Gate] = msgspec.field(default_factory=PMap[Gate])
    timers: PMap[Timer] = msgspec.field(default_factory=PMap[Timer])
    waits: PMap[Wait] = msgspec.field(default_factory=PMap[Wait])
    received: PMap[Value] = msgspec.field(default_factory=PMap[Value])
    signals: PMap[tuple[Value, ...]] = msgspec.field(default_factory=PMap[tuple[Value, ...]])
    children: PMap[Child] = msgspec.field(default_factory=PMap[Child])
    # notes taken and ceilings reached, with their offset
    passed: PMap[int] = msgspec.field(default_factory=PMap[int])
    usage: Usage = Usage()
    unknown: int = 0
    started: int = 0
    now: int = 0
    offset: int = 0
    resolved: tuple[str, ...] = ()

    @property
    def open_gates(self) -> list[Gate]:
        """The gates that wait for somebody, oldest first."""
        return [gate for gate in self.gates.values() if gate.decision is None]
