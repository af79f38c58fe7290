"""From a resolved key to what the workflow sees: a value or an exception."""

from collections.abc import Callable
from typing import Any

import msgspec

from holdfast.eventlog import NONE, Failure, Value

from .errors import (
    ApprovalDenied,
    ChildFailed,
    GateExpired,
    LoopExhausted,
    Skipped,
    StepFailed,
)
from .requests import (
    ApprovalRequest,
    CeilingRequest,
    ChildRequest,
    QuestionRequest,
    Request,
    SignalRequest,
    StepRequest,
)
from .results import Decision
from .state import State

Load = Callable[[Value], bytes]
Outcome = tuple[Any, BaseException | None]


def outcome(state: State, request: Request, load: Load) -> Outcome:
    """Return (value, None) or (None, exception) for a request whose key is resolved in `state`."""
    match request:
        case StepRequest():
            return _of_step(state, request, load)
        case ApprovalRequest():
            return _of_gate(state, request, load)
        case QuestionRequest():
            return _of_question(state, request, load)
        case SignalRequest(key=key, output=output):
            return _decoded(state.received[key], output, key, load)
        case ChildRequest():
            return _of_child(state, request, load)
        case CeilingRequest(key=key, max=max, last=last):
            return None, LoopExhausted(key, max, last)
        case _:
            return None, None


def _of_step(state: State, request: StepRequest, load: Load) -> Outcome:
    step = state.steps[request.key]
    if step.status == "succeeded":
        return _decoded(step.result, request.output, request.key, load)
    assert step.error is not None, "a failed step has an error"
    return None, StepFailed(request.key, step.error)


def _of_gate(state: State, request: ApprovalRequest, load: Load) -> Outcome:
    gate = state.gates[request.key]
    vote = gate.decision
    assert vote is not None, "a resolved gate is decided"
    if gate.expired:
        return None, GateExpired(request.key)
    if not vote.approved and request.on_deny != "return":
        denied = Skipped if request.on_deny == "skip" else ApprovalDenied
        return None, denied(request.key, vote.by, vote.note)
    given = [each.edits for each in gate.votes if bytes(each.edits) != bytes(NONE)]
    edits, error = (
        _filled_in(given[-1], request.edits, request.key, load) if given else (None, None)
    )
    return Decision(vote.approved, vote.by, vote.note, edits), error


def _of_child(state: State, request: ChildRequest, load: Load) -> Outcome:
    child = state.children[request.key]
    if child.status == "succeeded":
        return _decoded(child.output, request.output, request.key, load)
    return None, ChildFailed(request.key, child.run, child.status, child.error)


def _of_question(state: State, request: QuestionRequest, load: Load) -> Outcome:
    answer = state.gates[request.key].decision
    assert answer is not None, "a resolved question is decided"
    if state.gates[request.key].expired:
        return None, GateExpired(request.key)
    return _filled_in(answer.edits, request.output, request.key, load)


def _filled_in(value: Value, type_: Any, key: str, load: Load) -> Outcome:
    """Return what a person filled in: JSON, so that a date or bytes may be a text."""
    plain = msgspec.msgpack.decode(load(value))
    if type_ is None:
        return plain, None
    try:
        return msgspec.json.decode(msgspec.json.encode(plain), type=type_), None
    except msgspec.ValidationError as error:
        return None, StepFailed(key, Failure("output_invalid", str(error)))


def _decoded(value: Value, output: Any, key: str, load: Load) -> Outcome:
    try:
        return decode(load(value), output), None
    except msgspec.ValidationError as error:
        return None, StepFailed(key, Failure("output_invalid", str(error)))


def decode(raw: bytes, output: Any) -> Any:
    """Decode a recorded value as type `output`; a type that msgspec does not know is taken as Any."""
    if output is Any:
        return msgspec.msgpack.decode(raw)
    try:
        return msgspec.msgpack.decode(raw, type=output)
    except TypeError:
        return msgspec.msgpack.decode(raw)
