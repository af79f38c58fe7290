"""What an event means to somebody who watches: a sign and a few words. Pure."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from holdfast.eventlog import (
    ApprovalDecided,
    ApprovalRequested,
    AttemptFailed,
    BudgetReached,
    CancelRequested,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    Event,
    FellBack,
    GateEscalated,
    GateExpired,
    GateReminded,
    Journaled,
    LoopExhausted,
    Noted,
    QuestionAnswered,
    QuestionAsked,
    RestoreStarted,
    RunCancelled,
    RunContinued,
    RunFailed,
    RunPaused,
    RunReleased,
    RunStarted,
    RunSucceeded,
    RunUnpaused,
    SignalAwaited,
    SignalReceived,
    SnapshotMissed,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepStarted,
    StepSucceeded,
    TimerFired,
    TimerSet,
    UnknownEvent,
    Usage,
    Value,
    WorkspaceDrifted,
)
from holdfast.reducer import Conflict, Merged, State

from .values import encoded
from .words import duration, moment, money, one_line, printable

GOOD, BAD, GOES_ON, WAITS, PLAIN = "good", "bad", "goes_on", "waits", "plain"


class Telling(NamedTuple):
    """`mood` is one of the constants above; `key` is empty for the run as a whole."""

    mood: str
    key: str
    text: str


RUN_ENDS = (RunSucceeded, RunFailed, RunCancelled, RunReleased)
"""What the command itself tells about its run, in more words."""


class _Exit(msgspec.Struct):
    code: int = 0


Load = Callable[[Value], bytes]
_exit = msgspec.msgpack.Decoder(_Exit)


def telling(event: Event | UnknownEvent, state: State, load: Load) -> Telling | None:
    """Return what to say of an event, or None for one that only programs care about.

    `state` is the run's, with the event taken in; `load` reads recorded values.
    """
    told = _of_step(event, state, load)
    if told is None:
        return None
    return Telling(told.mood, printable(told.key, keep=""), printable(told.text, keep=""))


def _of_step(event: Event | UnknownEvent, state: State, load: Load) -> Telling | None:
    match event:
        case StepStarted(key=key, kind=kind, attempt=attempt):
            again = f", attempt {attempt}" if attempt > 1 else ""
            return Telling(GOES_ON, key, f"started ({kind}{again})")
        case StepSucceeded(key=key, seconds=seconds):
            usage = event.usage or _journaled(state, key)
            if paths := _in_conflict(event, state, load):
                return Telling(BAD, key, _spent(f"conflict in {paths}", seconds, usage))
            if code := _exit_code(event, state, load):
                return Telling(BAD, key, _spent(f"exit status {code}", seconds, usage))
            told = _spent("done", seconds, usage)
            return Telling(GOOD, key, f"{told}{_wanted(event, state, load)}")
        case AttemptFailed(key=key, seconds=seconds, usage=usage, error=error):
            text = _spent("failed, will be tried again", seconds, usage)
            return Telling(BAD, key, f"{text}: {one_line(error.message, 200)}")
        case StepFailed(key=key, seconds=seconds, usage=usage, error=error):
            text = _spent("failed", seconds, usage)
            return Telling(BAD, key, f"{text}: {one_line(error.message, 200)}")
        case StepCancelled(key=key, reason=reason):
            return Telling(PLAIN, key, f"cancelled: {one_line(reason)}" if reason else "cancelled")
        case StepDeferred(key=key, until=until, reason=reason):
            return Telling(WAITS, key, f"put off until {moment(until)}: {one_line(reason)}")
        case Journaled(key=key, text=text) if text:
            return Telling(GOES_ON, key, one_line(text, 200))
        case FellBack():
            return _of_fallback(event)
        case SnapshotMissed(key=key, error=error):
            return Telling(
                BAD, key, f"its files could not be recorded: {one_line(error.message, 300)}"
            )
        case WorkspaceDrifted() | RestoreStarted():
            return _of_files(event)
        case RunStarted() | RunSucceeded() | RunFailed() | RunCancelled() | RunReleased():
            return _of_run(event)
        case _:
            return _of_wait(event)


def _of_fallback(event: FellBack) -> Telling:
    when = f" at {moment(event.not_before)}" if event.not_before else ""
    text = f"goes on with {event.by}{when}, left by {event.left} ({one_line(event.reason, 60)})"
    return Telling(WAITS if event.not_before else GOES_ON, event.key, text)


def _of_run(event: Event) -> Telling | None:
    match event:
        case RunStarted(run=run, parent=parent):
            return Telling(PLAIN, "", f"child run {run}") if parent else None
        case RunSucceeded():
            return Telling(GOOD, "", "succeeded")
        case RunFailed(error=error):
            return Telling(BAD, "", f"failed: {one_line(error.message, 200)}")
        case RunCancelled():
            return Telling(BAD, "", "cancelled")
        case RunReleased(reason=reason):
            return Telling(WAITS, "", reason)
        case _:
            return None


WHY_RESTORED = {
    "left": "to what they were at that frame",
    "interrupted": "to what they were before the step that was interrupted",
    "retried": "to what they were before the step that is tried again",
}


def _of_files(event: WorkspaceDrifted | RestoreStarted) -> Telling:
    if isinstance(event, WorkspaceDrifted):
        text = "the files were edited since the last step: the run goes on with them as they are"
        return Telling(PLAIN, event.workspace, text)
    why = WHY_RESTORED.get(event.reason, "to what they were")
    kept = event.commit.hex()[:12]
    return Telling(
        PLAIN,
        event.workspace,
        f"files are brought back {why}; as they are now they stay in commit {kept}",
    )


def _of_wait(event: Event | UnknownEvent) -> Telling | None:
    match event:
        case ApprovalRequested(key=key):
            return Telling(WAITS, key, "waits for approval")
        case ApprovalDecided(key=key, approved=approved, by=by):
            return Telling(
                GOOD if approved else BAD, key, f"{'approved' if approved else 'denied'} by {by}"
            )
        case QuestionAsked(key=key):
            return Telling(WAITS, key, "waits for an answer")
        case QuestionAnswered(key=key, by=by):
            return Telling(GOOD, key, f"answered by {by}")
        case GateReminded(key=key, until=until):
            return Telling(WAITS, key, f"still waits; called to mind again {moment(until)}")
        case GateEscalated(key=key, to=to, until=until):
            text = f"nobody decided in time: passed on to {' or '.join(to)} until {moment(until)}"
            return Telling(WAITS, key, text)
        case GateExpired(key=key):
            return Telling(BAD, key, "nobody decided in time")
        case BudgetReached(key=key, step=step):
            return Telling(WAITS, key, f"the budget is reached at {step!r}: waits for a decision")
        case DoubtRaised(key=key):
            return Telling(
                WAITS, key, "started before a crash, outcome unknown: waits for approval"
            )
        case SignalAwaited(key=key, signal=signal):
            return Telling(WAITS, key, f"waits for signal {signal!r}")
        case SignalReceived(signal=signal, correlation=correlation):
            key = f" with key {correlation!r}" if correlation else ""
            return Telling(PLAIN, "", f"got signal {signal!r}{key}")
        case TimerSet(key=key, until=until):
            return Telling(WAITS, key, f"waits until {moment(until)}")
        case TimerFired(key=key):
            return Telling(GOOD, key, "time is up")
        case ChildStarted(key=key, run=run):
            return Telling(GOES_ON, key, f"child run {run}")
        case ChildFinished(key=key, status=status):
            return Telling(GOOD if status == "succeeded" else BAD, key, status)
        case LoopExhausted(key=key, max=ceiling):
            return Telling(BAD, key, f"reached its ceiling of {ceiling}")
        case Noted(text=text):
            return Telling(PLAIN, "", one_line(text))
        case RunContinued():
            return Telling(PLAIN, "", "goes on in a fresh history")
        case RunPaused(reason=reason):
            return Telling(PLAIN, "", f"paused: {one_line(reason)}" if reason else "paused")
        case RunUnpaused():
            return Telling(PLAIN, "", "paused no more")
        case CancelRequested():
            return Telling(PLAIN, "", "asked to cancel")
        case _:
            return None


def _exit_code(event: StepSucceeded, state: State, load: Load) -> int:
    step = state.steps.get(event.key)
    if step is None or step.kind != "shell":
        return 0
    return _exit.decode(load(event.result)).code


def _wanted(event: StepSucceeded, state: State, load: Load) -> str:
    """Name the tools that a model wants used, with what."""
    step = state.steps.get(event.key)
    if step is None or step.kind != "model":
        return ""
    match msgspec.msgpack.decode(load(event.result)):
        case {"calls": [*calls], "model": str(), "text": str(), "extra": dict()}:
            named = [f"{call['name']} {encoded(call['arguments']).decode()}" for call in calls]
            return f", wants {one_line(', '.join(named), 200)}" if named else ""
        case _:
            return ""


def _in_conflict(event: StepSucceeded, state: State, load: Load) -> str:
    """Name the files that a merge could not decide."""
    step = state.steps.get(event.key)
    if step is None or step.kind != "merge":
        return ""
    found = msgspec.msgpack.decode(load(event.result), type=Merged | Conflict)
    return one_line(", ".join(f.path for f in found.files)) if isinstance(found, Conflict) else ""


def _journaled(state: State, key: str) -> Usage | None:
    """Return what a step used whose agent wrote down what it paid."""
    step = state.steps.get(key)
    return step.usage if step is not None and step.journal else None


def _spent(word: str, seconds: float, usage: Usage | None) -> str:
    cost = money(usage.cost_usd) if usage else ""
    return f"{word} {duration(seconds)}{' ' if cost else ''}{cost}"
