"""Bring a driver to where its run is, from the recorded events alone, and prove on the way that the
code still asks for what was recorded."""

from collections.abc import Callable, Iterable

import msgspec

from holdfast.eventlog import (
    AnyEvent,
    ApprovalRequested,
    CancelRequested,
    ChildStarted,
    LoopExhausted,
    Noted,
    QuestionAsked,
    Record,
    RunClaimed,
    RunForked,
    RunStarted,
    SignalAwaited,
    StepCancelled,
    StepReused,
    StepStarted,
    TimerSet,
)

from . import fingerprint
from .code import digest
from .differences import differences
from .driver import Driver
from .errors import WorkflowDiverged
from .reduce import reduce
from .requests import (
    ApprovalRequest,
    CeilingRequest,
    ChildRequest,
    FunctionCall,
    NoteRequest,
    QuestionRequest,
    Request,
    SignalRequest,
    StepRequest,
    TimerRequest,
)
from .state import State, Step

Redact = Callable[[bytes], bytes]
Observe = Callable[[Record, State], None]

CODE_CHANGED = "the code of its function changed"

_ASKED_BY: dict[type, type[Request]] = {
    StepStarted: StepRequest,
    StepReused: StepRequest,
    ApprovalRequested: ApprovalRequest,
    QuestionAsked: QuestionRequest,
    SignalAwaited: SignalRequest,
    TimerSet: TimerRequest,
    ChildStarted: ChildRequest,
    LoopExhausted: CeilingRequest,
    Noted: NoteRequest,
}


class Mismatch(msgspec.Struct, frozen=True):
    """Where a workflow asks for something else than what is recorded next."""

    key: str
    difference: str


def redrive(
    driver: Driver,
    records: Iterable[Record],
    *,
    code: bytes,
    redact: Redact = bytes,
    observe: Observe | None = None,
) -> State:
    """Feed a new driver all records of a run, and return the state after them.

    `code` is the digest of the workflow as it is now; `redact` takes secrets out of what a step reads,
    as was done with what is recorded. `observe` is told of each record that the driver has taken in,
    with the state after it. Raises WorkflowDiverged at the first record
    that the workflow does not ask for in the same way.
    """
    state, mismatch = follow(driver, records, redact=redact, observe=observe)
    if mismatch is not None:
        edited = code != state.code
        raise WorkflowDiverged(state.run, mismatch.key, mismatch.difference, edited=edited)
    return state


def follow(
    driver: Driver,
    records: Iterable[Record],
    *,
    redact: Redact = bytes,
    changed_code: str = "keep",
    observe: Observe | None = None,
) -> tuple[State, Mismatch | None]:
    """Feed a new driver a run's records for as long as the workflow asks for them in the same way.

    Returns the state before the first that it does not ask for, and why; or the last state. With
    `changed_code` "rerun" a function whose own source changed is not the same any more.
    """
    state = State()
    for record in records:
        event = record.event
        wanted = _ASKED_BY.get(type(event))
        if wanted is not None:
            mismatch = _check(driver, event, wanted, redact)
            if changed_code == "rerun" and mismatch is None and isinstance(event, StepStarted):
                mismatch = _check_code(driver, event)
            if mismatch is not None:
                return state, mismatch
        state = reduce(state, event, record.time)
        take(driver, state, event)
        if observe is not None:
            observe(record, state)
    return state, None


def take(driver: Driver, state: State, event: AnyEvent) -> list[Request]:
    """Tell the driver of an event that `state` has taken in; return what the workflow asks for."""
    if type(event) is StepCancelled or (type(event) is StepReused and event.status == "cancelled"):
        driver.abandoned.pop(event.key, None)
    if state.resolved:
        return driver.feed(state)
    if type(event) is RunStarted:
        return driver.start(state)
    if type(event) is RunClaimed:
        driver.assign(state)
    if type(event) is RunForked:
        driver.fork(state)
    if type(event) is CancelRequested and driver.ended is None:
        return driver.cancel(state)
    return []


def _check(driver: Driver, event: object, wanted: type[Request], redact: Redact) -> Mismatch | None:
    key = str(event.key)  # type: ignore[attr-defined]
    future = driver.pending.get(key)
    request = None if future is None else future.request
    if type(request) is not wanted:
        if isinstance(event, StepReused) and event.status == "cancelled":
            return None  # taken over as it was cancelled
        found = "nothing" if request is None else type(request).__name__
        there = f"the log has {type(event).__name__}, the workflow asks for {found} there"
        return Mismatch(key, there)
    if isinstance(event, StepStarted | StepReused) and isinstance(request, StepRequest):
        read = fingerprint.reads(request)
        if fingerprint.fingerprint(request, read) == event.fingerprint:
            return None
        recorded = driver.load(event.reads)
        return Mismatch(key, differences(event.kind, recorded, request.kind, redact(read)))
    if _same(event, request):
        return None
    return Mismatch(key, f"the log has {event!r}, the workflow now asks for {request!r}")


def _check_code(driver: Driver, event: StepStarted) -> Mismatch | None:
    future = driver.pending[event.key]
    if isinstance(future.request, StepRequest) and code_changed(future.request, event.code):
        return Mismatch(event.key, CODE_CHANGED)
    return None


def code_changed(request: StepRequest, recorded: bytes) -> bool:
    """Tell whether the source of a step's function is another than it was."""
    call = request.call
    return isinstance(call, FunctionCall) and recorded != b"" and digest(call.function) != recorded


def _same(event: object, request: Request | None) -> bool:
    match event, request:
        case ApprovalRequested(digest=digest), ApprovalRequest():
            return digest == fingerprint.digest_of_subject(request)
        case QuestionAsked(digest=digest), QuestionRequest():
            return digest == fingerprint.digest_of_question(request)
        case ChildStarted(fingerprint=recorded), ChildRequest():
            return recorded == fingerprint.child_fingerprint(request)
        case SignalAwaited(signal=signal, correlation=correlation), SignalRequest():
            return (signal, correlation) == (request.signal, request.correlation)
        case _:
            return True


def diverged(
    driver: Driver,
    state: State,
    request: StepRequest,
    recorded: Step,
    *,
    code: bytes,
    redact: Redact = bytes,
) -> WorkflowDiverged:
    """Return the error for a live request whose record was made of something else."""
    read = redact(fingerprint.reads(request))
    difference = differences(recorded.kind, driver.load(recorded.reads), request.kind, read)
    return WorkflowDiverged(state.run, request.key, difference, edited=code != state.code)
