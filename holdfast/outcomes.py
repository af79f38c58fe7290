"""What an attempt or a workflow came to, as the event that records it."""

import msgspec

from holdfast.eventlog import (
    NONE,
    AnyEvent,
    AttemptFailed,
    ChildFinished,
    DoubtRaised,
    Failure,
    RunCancelled,
    RunContinued,
    RunFailed,
    RunSucceeded,
    SnapshotMissed,
    StepDeferred,
    StepFailed,
    StepSucceeded,
    Value,
)
from holdfast.plugins import RateLimited, RedactionFailed, WorkError
from holdfast.reducer import (
    Driver,
    Step,
    StepRequest,
    after_end,
    after_failure,
    after_limit,
    fingerprint,
)

from .attempts import Ended
from .continuing import next_input
from .effects import Done, TimedOut, failure, retryable
from .history import History
from .redact import Redactor
from .traces import trace_of

LONGEST_TRACE = 4000  # characters
SHORTEST_DEFERRAL = 1_000_000_000  # ns: a server that asks for no patience gets some all the same


def events_of(ended: Ended, history: History) -> list[AnyEvent]:
    """Return what an attempt that ended says of its files and of itself, in this order.

    A result that is no data is a failure. Raises what kept a child run from being executed.
    """
    return [*_missed(ended), *_ending(ended, history)]


def _ending(ended: Ended, history: History) -> list[AnyEvent]:
    request = ended.attempt.request
    if isinstance(ended.done, ChildFinished):
        output = history.pack(bytes(ended.done.output))
        return [msgspec.structs.replace(ended.done, output=output)]
    if not isinstance(request, StepRequest):
        assert ended.error is not None, "a child without an end could not be executed"
        raise ended.error
    step = history.state.steps[request.key]
    said = ended.attempt.emitted
    transcript = history.pack(msgspec.msgpack.encode(said)) if said else NONE
    try:
        return [_success(ended, step, history, transcript)]
    except RedactionFailed:
        raise  # the failure could not be written either
    except Exception as error:  # noqa: BLE001 - whatever it was, the failure is recorded
        return _failure(ended, request, step, error, history, transcript)


def _missed(ended: Ended) -> list[AnyEvent]:
    if ended.kept.missed is None:
        return []
    return [SnapshotMissed(ended.attempt.request.key, ended.kept.missed)]


def _success(ended: Ended, step: Step, history: History, transcript: Value) -> StepSucceeded:
    if ended.error is not None:
        raise ended.error
    assert isinstance(ended.done, Done), "without an error it is done"
    result = fingerprint.encode(ended.done.value, f"the result of step {step.key!r}")
    return StepSucceeded(
        step.key,
        history.pack(result),
        step.attempt,
        round(ended.seconds, 6),
        ended.done.usage,
        ended.done.session,
        transcript,
        ended.kept.tree,
        ended.kept.head,
    )


def _failure(
    ended: Ended,
    request: StepRequest,
    step: Step,
    error: Exception,
    history: History,
    transcript: Value,
) -> list[AnyEvent]:
    if isinstance(error, RateLimited):
        return _limited(ended, request, step, error, history)
    policy = request.policy
    if isinstance(error, TimedOut) and policy.effect and policy.on_doubt == "ask":
        return [DoubtRaised(step.key, step.attempt)]  # it was cut short, and may have happened
    known = error if isinstance(error, WorkError) else WorkError("")
    event = after_failure(
        step,
        request.policy,
        failure(error, history.redactor.text),
        now=history.now,
        seconds=round(ended.seconds, 6),
        usage=known.usage,
        session=known.session,
        hopeless=not retryable(error),
    )
    kept = ended.kept
    event = msgspec.structs.replace(
        event, transcript=transcript, snapshot=kept.tree, head=kept.head
    )
    if isinstance(event, AttemptFailed):
        return [event]
    found = after_end(step, request, event, now=history.now)
    return [found] if isinstance(found, StepFailed) else [*found]


def _limited(
    ended: Ended, request: StepRequest, step: Step, error: RateLimited, history: History
) -> list[AnyEvent]:
    """Put a step off until its limit ends, or let another go on with it."""
    patience = request.policy.backoff * 2 ** min(step.attempt - 1, 6)
    until = max(error.until or history.now + patience, history.now + SHORTEST_DEFERRAL)
    why = history.redactor.text(str(error))
    tree, head = ended.kept.tree, ended.kept.head
    deferred = StepDeferred(step.key, until, why, step.attempt, tree, head, error.usage)
    moved = after_limit(step, request, until, now=history.now)
    return [deferred] if moved is None else [deferred, moved]


def end_of_run(driver: Driver, history: History) -> AnyEvent:
    """Return the event for a workflow function that ended. Raises NotRecordable."""
    ended = driver.ended
    assert ended is not None, "asked when it ended"
    if ended.status_of_run(history.state) == "cancelled":
        return RunCancelled(history.state.cancelling or "")
    if ended.error is not None:
        return RunFailed(run_failure(ended.error, history.redactor))
    if ended.status == "continued":
        return RunContinued(next_input(ended.value, history))
    raw = fingerprint.encode(ended.value, f"the output of workflow {history.workflow.name!r}")
    return RunSucceeded(history.pack(raw))


def run_failure(error: BaseException, redactor: Redactor) -> Failure:
    """Return the record of what a workflow function raised."""
    what = failure(error, redactor.text)
    inner = getattr(error, "failure", None)
    if isinstance(inner, Failure):
        return Failure(what.code, what.message, inner.code, inner.detail)
    if what.code == "exception":
        trace = redactor.text(trace_of(error))
        return Failure("workflow_error", what.message, what.type, trace[-LONGEST_TRACE:])
    return what
