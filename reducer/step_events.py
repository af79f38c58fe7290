"""What the events of a step mean for it and for the files that it works on."""

from msgspec.structs import replace

from holdfast.eventlog import (
    AttemptFailed,
    FellBack,
    Journaled,
    StepDeferred,
    StepFailed,
    StepReused,
    StepStarted,
    StepSucceeded,
    Usage,
)

from . import purse
from .files import has_journal
from .folds import after, with_step
from .state import NEVER, Left, State, Step
from .tree import touched, untouched


def started(state: State, event: StepStarted, time: int) -> State:
    """Take in an attempt that begins."""
    old = state.steps.get(event.key)
    if old is None:
        found = state.files_in(event.workspace)
        step = Step(
            event.key,
            event.kind,
            event.fingerprint,
            event.reads,
            event.code,
            state.offset,
            time,
            attempt=event.attempt,
            files=event.files,
            tree=found.tree,
            unseen=found.unseen,
            begun=state.offset,
            workspace=event.workspace,
            by=event.by,
        )
    else:
        tree, unseen = untouched(state, old)
        step = replace(
            old,
            status="running",
            fingerprint=event.fingerprint,
            reads=event.reads,
            code=event.code,
            attempt=event.attempt,
            not_before=0,
            files=event.files,
            tree=tree,
            unseen=unseen,
            begun=state.offset,
            journal=old.journal if has_journal(old) else 0,
            paid=None,
            by=event.by,
        )
    if state.purse.budget is not None:
        state = replace(state, purse=purse.reserved(state, event.key, event.reserved))
    return with_step(state, step, time, ())


def succeeded(state: State, event: StepSucceeded, time: int) -> State:
    """Take in what a step came to, and what it used."""
    old = state.steps.get(event.key)
    if old is None:
        return after(state, time)
    step = replace(
        old,
        status="succeeded",
        result=event.result,
        error=None,
        finished=time,
        ended=time,
        last=state.offset,
        seconds=event.seconds,
        usage=old.usage if event.usage is None else _sum(old.usage, event.usage),
        session=event.session or old.session,
        transcript=event.transcript,
        snapshot=event.snapshot,
        head=event.head,
    )
    if state.purse.budget is not None:
        state = replace(state, purse=purse.settled(state, old, event.usage or old.paid))
    state = touched(state, old, step, event.snapshot, event.head)
    found = with_step(state, step, time, (event.key,))
    return replace(found, usage=_sum(state.usage, event.usage)) if event.usage else found


def reused(state: State, event: StepReused, time: int) -> State:
    """Take in what a step came to elsewhere; it costs this run nothing."""
    step = Step(
        event.key,
        event.kind,
        event.fingerprint,
        event.reads,
        event.code,
        state.offset,
        event.started,
        event.status,  # type: ignore[arg-type]  # an unknown one is nobody's to refuse
        event.attempt,
        result=event.result,
        error=event.error,
        finished=event.finished,
        seconds=event.seconds,
        usage=event.usage,
        session=event.session,
        transcript=event.transcript,
        snapshot=event.snapshot,
        files=event.files,
        tree=event.tree,
        unseen=event.unseen,
        ended=event.finished,
        begun=event.begun or state.offset,
        last=state.offset,
        reused=True,
        origin=event.origin,
        workspace=event.workspace,
        head=event.head,
        by=event.by,
    )
    old = state.steps.get(event.key) or replace(step, ended=0)
    resolved = () if event.status == "cancelled" else (event.key,)
    state = touched(state, old, step, event.snapshot, event.head)
    return with_step(state, step, time, resolved)


def failed(state: State, event: AttemptFailed | StepFailed, time: int) -> State:
    """Take in a try that failed; the last one is what the workflow sees."""
    old = state.steps.get(event.key)
    if old is None:
        return after(state, time)
    final = isinstance(event, StepFailed)
    step = replace(
        old,
        status="failed" if final else "retrying",
        failures=old.failures + 1,
        error=event.error,
        not_before=event.retry_at if isinstance(event, AttemptFailed) else 0,
        finished=time if final else 0,
        ended=time,
        last=state.offset,
        seconds=event.seconds,
        usage=_sum(old.usage, event.usage),
        session=event.session or old.session,
        transcript=event.transcript,
        snapshot=event.snapshot,
        head=event.head,
    )
    return after(
        touched(state, old, step, event.snapshot, event.head),
        time,
        steps=state.steps.set(event.key, step),
        usage=_sum(state.usage, event.usage) or state.usage,
        purse=purse.settled(state, old, event.usage or old.paid, event.error.code),
        resolved=(event.key,) if final else (),
    )


def deferred(state: State, event: StepDeferred, time: int) -> State:
    """Take in that a server asked for patience, which counts as no try."""
    old = state.steps.get(event.key)
    if old is None:
        return after(state, time)
    step = replace(
        old,
        status="deferred",
        not_before=event.until,
        snapshot=event.snapshot,
        usage=_sum(old.usage, event.usage),
    )
    if event.snapshot:
        state = touched(state, old, step, event.snapshot, event.head)
    return after(
        state,
        time,
        steps=state.steps.set(event.key, step),
        usage=_sum(state.usage, event.usage) or state.usage,
        purse=purse.settled(state, old, event.usage or old.paid, "rate_limited"),
    )


def fell_back(state: State, event: FellBack, time: int) -> State:
    """Let another agent or model go on: it begins anew, with tries and a session of its own."""
    old = state.steps.get(event.key)
    if old is None:
        return after(state, time)
    gone = Left(old.place, event.left, event.reason, event.until or NEVER)
    others = [one for one in old.left if one.place not in (old.place, event.place)]
    step = replace(
        old,
        place=event.place,
        left=(*others, gone),
        failures=0,
        session="",
        journal=0,
        error=None,
        not_before=event.not_before,
    )
    return after(state, time, steps=state.steps.set(event.key, step))


def journaled(state: State, event: Journaled, time: int) -> State:
    """Take in that an agent wrote something down, and what it used until then."""
    old = state.steps.get(event.key)
    if old is None:
        return after(state, time)
    step = replace(
        old,
        journal=old.journal + 1,
        journal_at=old.journal_at if old.journal else state.offset,
        usage=_sum(old.usage, event.usage),
        paid=_sum(old.paid, event.usage),
    )
    return after(
        state,
        time,
        steps=state.steps.set(event.key, step),
        usage=_sum(state.usage, event.usage) or state.usage,
        purse=purse.paid(state, event.key, event.usage),
    )


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    if one is None or other is None:
        return one or other
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_tokens + other.cached_tokens,
        one.cost_usd + other.cost_usd,
    )
