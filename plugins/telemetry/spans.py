"""From records to spans, as data: which there are, and what is in them. Knows no OpenTelemetry.

Ids come from the run's seed, the branch and the step's key, so that whoever resumes a run, on whatever
machine, goes on with the same trace. A span is made when what it tells of has ended, and has its times
from the log. Prompts, answers and files are left out: they may be secret, and are in the log.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, cast

import msgspec

from holdfast.eventlog import (
    ApprovalDecided,
    AttemptFailed,
    Failure,
    HoldfastError,
    Record,
    RunCancelled,
    RunFailed,
    RunForked,
    RunSucceeded,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepSucceeded,
    Usage,
    Value,
)
from holdfast.reducer import State, Step

Load = Callable[[Value], bytes]
Attributes = dict[str, str | int | float | bool]
Ids = tuple[int, int]
_STATUS = {StepSucceeded: "succeeded", StepFailed: "failed", StepCancelled: "cancelled"}
_RUN_STATUS = {RunSucceeded: "succeeded", RunFailed: "failed", RunCancelled: "cancelled"}


class Moment(msgspec.Struct, frozen=True):
    """Something within a span; `time` in ns since 1970."""

    name: str
    time: int
    attributes: Attributes = {}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One span. Times are in ns since 1970; `parent` is 0 for a run's, which is the root of its trace.

    `link` is the span of the run that this one was forked from; `error` is empty where all went well.
    """

    name: str
    trace: int
    id: int
    parent: int = 0
    is_client: bool = False
    start: int
    end: int
    attributes: Attributes
    moments: list[Moment] = []
    link: Ids | None = None
    error: str = ""


def run_ids(seed: bytes, branch: int) -> Ids:
    """Return the ids of a run's trace and of its span."""
    digest = sha256(seed + branch.to_bytes(8, "big")).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")


def step_id(seed: bytes, branch: int, key: str) -> int:
    """Return the id of a step's span."""
    digest = sha256(seed + branch.to_bytes(8, "big") + key.encode()).digest()
    return int.from_bytes(digest[:8], "big")


class Spans:
    """Makes the spans of all runs of a process; remembers the failed attempts until a step ends."""

    def __init__(self) -> None:
        self._moments: dict[tuple[int, str], list[Moment]] = {}

    def of(self, record: Record, state: State, load: Load) -> Iterator[Span]:
        """Yield the spans of what ended with this record."""
        match record.event:
            case AttemptFailed(key=key, error=error, attempt=attempt):
                self._note(record, key, "attempt.failed", {"attempt": attempt, **_told(error)})
            case StepDeferred(key=key, reason=reason, attempt=attempt):
                self._note(record, key, "attempt.deferred", {"attempt": attempt, "reason": reason})
            case StepSucceeded(key=key) | StepFailed(key=key) | StepCancelled(key=key):
                if (step := state.steps.get(key)) is not None:
                    yield self._step(record, state, step, load)
            case ApprovalDecided(key=key):
                yield from _decision(record, state, key)
            case RunSucceeded() | RunFailed() | RunCancelled():
                self._forget(record.branch)
                yield _run(record, state)
            case _:
                pass

    def _note(self, record: Record, key: str, name: str, attributes: Attributes) -> None:
        moments = self._moments.setdefault((record.branch, key), [])
        moments.append(Moment(name, record.time, attributes))

    def _forget(self, branch: int) -> None:
        for place in [place for place in self._moments if place[0] == branch]:
            del self._moments[place]

    def _step(self, record: Record, state: State, step: Step, load: Load) -> Span:
        trace, root = run_ids(state.seed, record.branch)
        name, about = _work(step, load)
        error = record.event.error if isinstance(record.event, StepFailed) else None
        return Span(
            name=name,
            trace=trace,
            id=step_id(state.seed, record.branch, step.key),
            parent=root,
            is_client=step.kind in ("agent", "model"),
            start=step.started,
            end=record.time,
            attributes={
                "holdfast.run": state.run,
                "holdfast.step.key": step.key,
                "holdfast.step.kind": step.kind,
                "holdfast.step.status": _STATUS[cast(Any, type(record.event))],
                "holdfast.step.attempts": step.attempt,
                **about,
                **_used("gen_ai.usage", step.usage),
                **_told(error),
            },
            moments=self._moments.pop((record.branch, step.key), []),
            error=error.message if error else "",
        )


def _work(step: Step, load: Load) -> tuple[str, Attributes]:
    """Return a span's name and what it says about who did the work."""
    if step.kind not in ("agent", "model"):
        return f"{step.kind} {step.key}", {}
    reads = _reads(step, load)
    model = str(reads.get("model") or "")
    about: Attributes = {"gen_ai.request.model": model} if model else {}
    if step.session:
        about["gen_ai.conversation.id"] = step.session
    if step.kind == "agent":
        agent = str(reads.get("agent") or "agent")
        names: Attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}
        return f"invoke_agent {agent}", {**names, "gen_ai.provider.name": agent, **about}
    provider = model.partition("/")[0]
    names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider}
    return f"chat {model}", {**names, **about}


def _reads(step: Step, load: Load) -> dict[str, Any]:
    try:
        found = msgspec.msgpack.decode(load(step.reads))
    except (HoldfastError, msgspec.DecodeError):  # a blob that is gone: the span tells the rest
        return {}
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def _used(prefix: str, usage: Usage | None) -> Attributes:
    if usage is None:
        return {}
    counts: Attributes = {
        f"{prefix}.input_tokens": usage.input_tokens,
        f"{prefix}.output_tokens": usage.output_tokens,
        f"{prefix}.cache_read.input_tokens": usage.cached_tokens,
        "holdfast.usage.cost_usd": usage.cost_usd,  # there is no convention for money
    }
    return counts


def _told(error: Failure | None) -> Attributes:
    return {"error.type": error.code, "holdfast.error.message": error.message} if error else {}


def _decision(record: Record, state: State, key: str) -> Iterator[Span]:
    gate = state.gates.get(key)
    if gate is None or gate.decision is None or gate.last != record.offset:
        return
    trace, root = run_ids(state.seed, record.branch)
    yield Span(
        name=f"approval {key}",
        trace=trace,
        id=step_id(state.seed, record.branch, key),
        parent=root,
        start=gate.opened,
        end=record.time,
        attributes={
            "holdfast.run": state.run,
            "holdfast.step.key": key,
            "holdfast.step.kind": gate.kind,
            "holdfast.approval.approved": gate.decision.approved,
            "holdfast.approval.by": gate.decision.by,
        },
    )


def _run(record: Record, state: State) -> Span:
    trace, span = run_ids(state.seed, record.branch)
    error = record.event.error if isinstance(record.event, RunFailed) else None
    attributes: Attributes = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": state.workflow,
        "holdfast.run": state.run,
        "holdfast.run.status": _RUN_STATUS[cast(Any, type(record.event))],
        # Not as gen_ai.usage: whoever adds up a trace would count the steps twice.
        **_used("holdfast.usage", state.usage),
        **_told(error),
    }
    if state.parent:
        attributes |= {"holdfast.parent.run": state.parent, "holdfast.parent.key": state.parent_key}
    return Span(
        name=f"invoke_workflow {state.workflow}",
        trace=trace,
        id=span,
        start=state.started,
        end=record.time,
        attributes=attributes,
        link=_origin(state.seed, state.forked),
        error=error.message if error else "",
    )


def _origin(seed: bytes, forked: RunForked | None) -> Ids | None:
    return None if forked is None else run_ids(seed, forked.branch)
