"""What is worth telling people, and in which words, with the command to type next. Pure."""

import hashlib
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from holdfast.eventlog import (
    ApprovalRequested,
    BudgetReached,
    DoubtRaised,
    EffectHeld,
    Event,
    GateEscalated,
    GateReminded,
    QuestionAsked,
    Record,
    RunCancelled,
    RunFailed,
    RunReleased,
    RunSucceeded,
    UnknownEvent,
    Value,
)
from holdfast.reducer import GATE, Gate, State

Load = Callable[[Value], bytes]

OPENING = (ApprovalRequested, QuestionAsked, DoubtRaised, BudgetReached, EffectHeld)
WANTED = {
    "approval": "approval",
    "question": "an answer",
    "doubt": "a decision: an effect was started and its outcome is unknown",
    "effect": "a decision: a fork holds an effect back",
    "budget": "a decision: its budget is reached",
}
SUBJECT_CHARACTERS = 500


class Message(msgspec.Struct, frozen=True):
    """One notification. `id` is the same whenever and wherever it is sent, so that it can be known again.

    `on` is the word of the settings that asks for it, `type` says more exactly what happened.
    """

    id: str
    on: str
    type: str
    time: int
    text: str
    command: str
    data: dict[str, Any]

    def body(self) -> bytes:
        """Return it as JSON: `type`, `timestamp` and `data`, as Standard Webhooks recommends."""
        moment = datetime.fromtimestamp(self.time // 1_000_000_000, UTC)
        told = {"text": self.text, "command": self.command, **self.data}
        return msgspec.json.encode(
            {"type": self.type, "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "data": told}
        )


def message_of(
    record: Record, state: State, load: Load, program: Sequence[str] = ("holdfast",)
) -> Message | None:
    """Return what people are told of a record, if anything; `program` calls the command line."""
    event = record.event
    if isinstance(event, (*OPENING, GateReminded, GateEscalated)):
        gate = state.gates.get(event.key)
        if gate is None or gate.decision is not None:
            return None  # of a fork, which took a decision over at once
        return _of_gate(record, event, state, gate, load, program)
    return _of_end(record, event, state, program)


def _of_gate(
    record: Record,
    event: Event,
    state: State,
    gate: Gate,
    load: Load,
    program: Sequence[str],
) -> Message:
    name = "budget" if gate.key == GATE else gate.key
    verb = "answer" if gate.kind == "question" else "approve"
    people = [*gate.by, *gate.also]
    wanted = WANTED.get(gate.kind, "a decision")
    still = "still " if isinstance(event, GateReminded | GateEscalated) else ""
    text = (
        f"{state.run} {still}waits for {wanted} ({name!r}), by {' or '.join(people) or 'anybody'}"
    )
    kinds: dict[type, str] = {GateReminded: "run.reminded", GateEscalated: "run.escalated"}
    about = {
        "status": "waiting",
        "gate": gate.key,
        "kind": gate.kind,
        "subject": _shown(load(gate.subject)),
        "by": people,
        "expires": _seconds(gate.expires_at),
    }
    command = shlex.join([*program, verb, state.run, name])
    return _message(
        record, state, "waiting", kinds.get(type(event), "run.waiting"), text, command, about
    )


def _of_end(
    record: Record, event: Event | UnknownEvent, state: State, program: Sequence[str]
) -> Message | None:
    """Tell of the end of a run, or that it cannot go on; the end of a child is its parent's business."""
    if state.parent:
        return None
    why, show = (shlex.join([*program, verb, state.run]) for verb in ("why", "show"))
    match event:
        case RunSucceeded():
            text, about = f"{state.run} succeeded", {"status": "succeeded"}
            return _message(record, state, "done", "run.succeeded", text, show, about)
        case RunCancelled():
            text, about = f"{state.run} was cancelled", {"status": "cancelled"}
            return _message(record, state, "done", "run.cancelled", text, show, about)
        case RunFailed(error=error) | RunReleased(error=error) if error is not None:
            what = "failed" if isinstance(event, RunFailed) else "stopped"
            text = f"{state.run} {what}: {error.message}"
            told = {"status": what, "error": {"code": error.code, "message": error.message}}
            return _message(record, state, "failed", f"run.{what}", text, why, told)
        case _:
            return None


def _message(
    record: Record, state: State, on: str, kind: str, text: str, command: str, about: dict[str, Any]
) -> Message:
    place = f"{state.run}\0{record.branch}\0{record.offset}\0{record.time}"
    mark = hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    data = {
        "run": state.run,
        "workflow": state.workflow,
        "folder": state.folder,
        "offset": record.offset,
        **about,
    }
    return Message(f"msg_{mark}", on, kind, record.time, text, command, data)


def _seconds(moment: int) -> str | None:
    if not moment:
        return None
    return f"{datetime.fromtimestamp(moment // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _shown(raw: bytes) -> str | None:
    """Return a gate's subject as text that fits a notification."""
    value = msgspec.msgpack.decode(raw)
    if value is None:
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= SUBJECT_CHARACTERS else text[: SUBJECT_CHARACTERS - 3] + "..."
