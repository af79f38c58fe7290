"""The events that answer a request in a dry run: all goes well, with samples for results. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from holdfast.eventlog import (
    NONE,
    AnyEvent,
    ApprovalDecided,
    ApprovalRequested,
    ChildStarted,
    Failure,
    LoopExhausted,
    Noted,
    QuestionAnswered,
    QuestionAsked,
    SignalAwaited,
    SignalReceived,
    StepFailed,
    StepStarted,
    StepSucceeded,
    TimerFired,
    TimerSet,
    Value,
)
from holdfast.reducer import (
    ApprovalRequest,
    CeilingRequest,
    ChildRequest,
    CloseCall,
    CommitCall,
    MarkersCall,
    MergeCall,
    Merged,
    NoteRequest,
    OpenCall,
    Opened,
    QuestionRequest,
    Request,
    ShellCall,
    ShellResult,
    SignalRequest,
    StepRequest,
    TimerRequest,
    fingerprint,
)

from .errors import CannotSample, SampleInvalid
from .given import NOTHING, fitted
from .nodes import Node
from .sampling import NoSample, Taste, sample

COMMIT = "0" * 40


class Verdict(msgspec.Struct):
    """What a sample for an approval may say."""

    approved: bool = True
    note: str = ""
    edits: Any = None


def asked(request: Request) -> AnyEvent:
    """Return what is recorded as soon as a request is made. Raises NotRecordable."""
    key = request.key
    match request:
        case StepRequest(kind=kind, workspace=where):
            read = fingerprint.reads(request)
            mark = fingerprint.fingerprint(request, read)
            return StepStarted(key, kind, mark, msgspec.Raw(read), workspace=where)
        case ApprovalRequest(subject=subject, by=by, count=count, on_deny=on_deny):
            seen = fingerprint.digest_of_subject(request)
            return ApprovalRequested(
                key, packed(subject, f"the subject of {key!r}"), seen, list(by), count,
                on_deny=on_deny,
            )  # fmt: skip
        case QuestionRequest(question=question, by=by):
            return QuestionAsked(key, packed(question, f"the question {key!r}"), by=list(by))
        case SignalRequest(signal=signal, correlation=correlation):
            return SignalAwaited(key, signal, correlation)
        case TimerRequest(until=until):
            return TimerSet(key, until)
        case ChildRequest(workspace=where):
            mark = fingerprint.child_fingerprint(request)
            return ChildStarted(key, key, mark, workspace=where)
        case NoteRequest(text=text, data=data):
            return Noted(key, text, packed(data or None, f"the data of note {text!r}"))
        case CeilingRequest(max=ceiling):
            return LoopExhausted(key, ceiling)
        case _:
            raise AssertionError(f"nobody records {request!r}")


def answers(request: Request, node: Node, given: Any, taste: Taste) -> Iterator[AnyEvent]:
    """Yield what answers a request, and note the sample. Raises CannotSample and SampleInvalid."""
    key = request.key
    match request:
        case StepRequest():
            yield _of_step(request, node, given, taste)
        case ApprovalRequest():
            yield from _votes(request, node, given)
        case QuestionRequest(output=output, by=by):
            value = _value(key, output, node, given, taste)
            yield QuestionAnswered(key, packed(value, key), by[0] if by else "somebody")
        case SignalRequest(signal=signal, output=output, correlation=correlation):
            value = _value(key, output, node, given, taste)
            yield SignalReceived(signal, packed(value, key), correlation)
        case TimerRequest():
            yield TimerFired(key)
        case _:
            raise AssertionError(f"nobody answers {request!r}")


def packed(value: Any, where: str) -> Value:
    """Return a value as the log would have it. Raises NotRecordable."""
    return msgspec.Raw(fingerprint.encode(value, where))


def _of_step(request: StepRequest, node: Node, given: Any, taste: Taste) -> AnyEvent:
    key, call = request.key, request.call
    own = _of_workspace(request) if given is NOTHING else None
    if own is not None:
        return StepSucceeded(key, packed(own, key))
    if isinstance(call, ShellCall):
        result = _shell_result(
            key, _of_shell(key, node, call, taste) if given is NOTHING else given
        )
        node.sample = msgspec.structs.asdict(result)
        if call.check and not result.ok:
            failure = Failure("exit_status", f"the sample has exit status {result.code}")
            return StepFailed(key, failure)
        return StepSucceeded(key, packed(result, key))
    return StepSucceeded(key, packed(_value(key, request.output, node, given, taste), key))


def _of_workspace(request: StepRequest) -> Any:
    """Return what becomes of a worktree, where all goes well; None for other kinds of steps."""
    match request.call:
        case OpenCall():
            return Opened(COMMIT)
        case CommitCall():
            return COMMIT
        case MergeCall(source=source, into=into):
            return Merged(f"refs/heads/{into or 'main'}", COMMIT, COMMIT, source)
        case MarkersCall() | CloseCall():
            return True
        case _:
            return None


def _of_shell(key: str, node: Node, call: ShellCall, taste: Taste) -> str | int:
    """Return what a command prints, or the exit status of one that fails."""
    if not call.check:
        return 1 if taste.fails and "[1]/" in key else ""
    return f"<{node.name}>" if taste.prints else ""


def _shell_result(key: str, given: Any) -> ShellResult:
    """Return how a command ended; a sample may be its output, its exit status, or both by name."""
    match given:
        case bool():
            return ShellResult(0 if given else 1, "", "", 0.0)
        case int():
            return ShellResult(given, "", "", 0.0)
        case str():
            return ShellResult(0, given, "", 0.0)
        case _:
            pass
    try:
        plain = {"code": 0, "stdout": "", "stderr": "", "seconds": 0.0, **given}
        return msgspec.convert(plain, ShellResult)
    except (msgspec.ValidationError, TypeError) as error:
        reason = f'{error}. A command has a text, an exit status, or {{"code":1,"stdout":""}}'
        raise SampleInvalid(key, reason) from error


def _value(key: str, output: Any, node: Node, given: Any, taste: Taste) -> Any:
    """Return the sample that was given, else one that is made of the type."""
    try:
        value = sample(output, node.name, taste) if given is NOTHING else fitted(given, output)
    except NoSample as error:
        raise CannotSample(repr(key), str(error), f"--sample '{key}=JSON'") from error
    except msgspec.ValidationError as error:
        raise SampleInvalid(key, str(error)) from error
    node.sample = msgspec.to_builtins(value, enc_hook=repr)
    return value


def _votes(request: ApprovalRequest, node: Node, given: Any) -> Iterator[AnyEvent]:
    """Yield as many votes as the gate wants; an approval unless a sample says otherwise."""
    try:
        if given is NOTHING or isinstance(given, bool):
            verdict = Verdict(given is not False)
        else:
            verdict = msgspec.convert(given, Verdict)
    except msgspec.ValidationError as error:
        reason = f'{error}. Give true, false or {{"approved":true,"note":"","edits":null}}'
        raise SampleInvalid(request.key, reason) from error
    node.sample = "approved" if verdict.approved else "denied"
    edits = NONE if verdict.edits is None else packed(verdict.edits, request.key)
    people = request.by or tuple(f"person {place + 1}" for place in range(request.count))
    for who in people[: request.count]:
        yield ApprovalDecided(request.key, verdict.approved, who, verdict.note, edits)
