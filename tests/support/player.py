"""Plays a run without engine, clock and disk: a driver whose requests are answered by the test.

What the engine would write down is written down here, in the same order, so that the records of a
player are a history that `redrive` must accept.
"""

import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from holdfast.eventlog import (
    AnyEvent,
    ApprovalDecided,
    ApprovalRequested,
    CancelRequested,
    ChildFinished,
    ChildStarted,
    Failure,
    LoopExhausted,
    Noted,
    QuestionAnswered,
    QuestionAsked,
    Record,
    RunStarted,
    SignalAwaited,
    SignalReceived,
    StepCancelled,
    StepFailed,
    StepStarted,
    StepSucceeded,
    TimerFired,
    TimerSet,
    Value,
)
from holdfast.reducer import (
    RECORDED_KINDS,
    ApprovalRequest,
    CancelRequest,
    CeilingRequest,
    ChildRequest,
    CloseCall,
    CommitCall,
    Driver,
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
    State,
    StepRequest,
    TimerRequest,
    Workflow,
    digest,
    fingerprint,
    redrive,
    reduce,
    take,
)

START = 1_800_000_000_000_000_000
SECOND = 1_000_000_000


def raw(value: Any) -> Value:
    return msgspec.Raw(msgspec.msgpack.encode(value))


def tree_of(text: str) -> bytes:
    """Return what may be the git tree after a step."""
    return hashlib.sha1(text.encode()).digest()


def _told(request: StepRequest, value: Any) -> Any:
    """Return what a workspace is answered, and a command of which the test has nothing to say."""
    match request.call:
        case OpenCall():
            return Opened("base")
        case CommitCall():
            return f"commit of {request.key}"
        case MergeCall(source=source):
            return Merged("refs/heads/main", "before", f"after {source}", source)
        case CloseCall():
            return True
        case ShellCall() if value is None or isinstance(value, str):
            return ShellResult(0, value or "", "", 0.0)
        case _:
            return value


def work(*args: Any) -> Any:
    """Stand for the function of a step: the player answers, so nobody calls it."""
    raise AssertionError("nobody works here")


class Player:
    """One run. `asked` are the requests in order; `pending[n]` what was unanswered after record n.

    Where it is not `answered`, the test writes down what is asked for.
    """

    def __init__(
        self,
        workflow: Workflow,
        input: dict[str, Any] | None = None,
        *,
        seed: bytes = b"seed",
        answered: bool = True,
    ) -> None:
        self.workflow = workflow
        self.driver = Driver(workflow, bytes)
        self.state = State()
        self.records: list[Record] = []
        self.asked: list[Request] = []
        self.pending: list[list[str]] = []
        self.abandoned: list[list[str]] = []
        self._queue: deque[Request] = deque()
        self._recording = not answered
        given = raw(workflow.check(input or {}))
        code = digest(workflow.function)
        self.record(RunStarted("r", workflow.name, code=code, input=given, seed=seed))

    # --- what a test does ----------------------------------------------------------------------

    @property
    def keys(self) -> list[str]:
        """The keys of all that was asked for, in order; a cancelled one again with a minus."""
        return [f"-{r.key}" if isinstance(r, CancelRequest) else r.key for r in self.asked]

    @property
    def open(self) -> list[str]:
        return list(self.driver.pending)

    @property
    def output(self) -> Any:
        ended = self.driver.ended
        assert ended is not None, f"it still waits for {self.open}"
        if ended.error is not None:
            raise ended.error
        return ended.value

    @property
    def status(self) -> str:
        return self.driver.ended.status if self.driver.ended else "running"

    def request(self, key: str) -> Any:
        return self.driver.pending[key].request

    def answer(self, key: str, value: Any = None) -> "Player":
        """Answer the open request of this key well: with a result, a vote, a payload, an output."""
        request = self.request(key)
        match request:
            case StepRequest(kind=kind):
                tree = tree_of(key) if kind in RECORDED_KINDS else b""
                self.record(StepSucceeded(key, raw(_told(request, value)), snapshot=tree))
            case ApprovalRequest():
                self.record(ApprovalDecided(key, value is not False, "anna", "", raw(value)))
            case QuestionRequest():
                self.record(QuestionAnswered(key, raw(value), "anna"))
            case SignalRequest(signal=signal):
                self.record(SignalReceived(signal, raw(value)))
            case TimerRequest(until=until):
                self.record(TimerFired(key), until=until)
            case ChildRequest():
                self.record(ChildFinished(key, f"r/{key}", "succeeded", raw(value)))
            case _:
                raise AssertionError(f"{key!r} is answered by itself")
        return self

    def fail(self, key: str, message: str = "no luck") -> "Player":
        """Answer the open request of this key badly."""
        failure = Failure("test", message)
        match self.request(key):
            case StepRequest():
                self.record(StepFailed(key, failure))
            case ApprovalRequest():
                self.record(ApprovalDecided(key, False, "anna", message))
            case ChildRequest():
                self.record(ChildFinished(key, f"r/{key}", "failed", error=failure))
            case _:
                raise AssertionError(f"{key!r} cannot fail")
        return self

    def answer_all(self, answers: dict[str, Any] | None = None) -> "Player":
        """Answer the oldest open request until there is none, None where `answers` has nothing."""
        while self.open:
            self.answer(self.open[0], (answers or {}).get(self.open[0]))
        return self

    def cancel(self, reason: str = "enough") -> "Player":
        self.record(CancelRequested(reason))
        return self

    def redriven(
        self, workflow: Workflow | None = None, records: Sequence[Record] | None = None
    ) -> tuple[Driver, State]:
        """Drive anew through the records, with other code where a workflow is given."""
        code = workflow or self.workflow
        driver = Driver(code, bytes)
        recorded = self.records if records is None else records
        return driver, redrive(driver, recorded, code=digest(code.function))

    # --- what the engine does ------------------------------------------------------------------

    def record(self, event: AnyEvent, *, until: int = 0) -> None:
        """Take in an event one second after the last, then all that follows from it."""
        place = len(self.records)
        time = max(self.state.now + SECOND, until, START)
        self.records.append(Record(place + 1, 1, place, time, "test", 1, event))
        self.state = reduce(self.state, event, time)
        requests = take(self.driver, self.state, event)
        self.pending.append(self.open)
        self.abandoned.append(list(self.driver.abandoned))
        self.asked.extend(requests)
        self._queue.extend(requests)
        if self._recording:
            return
        self._recording = True
        while self._queue:
            self._write_down(self._queue.popleft())
        self._recording = False

    @staticmethod
    def written(request: Request) -> AnyEvent:
        """Return what is written down when a request is made."""
        return _recorded(request)

    def _write_down(self, request: Request) -> None:
        if isinstance(request, CancelRequest):
            self.record(StepCancelled(request.key, request.reason))
        elif request.key in self.driver.pending:
            self.record(_recorded(request))


def _recorded(request: Request) -> AnyEvent:
    key = request.key
    match request:
        case StepRequest(kind=kind):
            read = fingerprint.reads(request)
            mark = fingerprint.fingerprint(request, read)
            files, where = request.works_on_files, request.workspace
            return StepStarted(key, kind, mark, msgspec.Raw(read), files=files, workspace=where)
        case ApprovalRequest(subject=subject, by=by, count=count, on_deny=on_deny):
            seen = fingerprint.digest_of_subject(request)
            return ApprovalRequested(key, raw(subject), seen, list(by), count, on_deny=on_deny)
        case QuestionRequest(question=question):
            return QuestionAsked(key, raw(question), digest=fingerprint.digest_of_question(request))
        case SignalRequest(signal=signal):
            return SignalAwaited(key, signal)
        case TimerRequest(until=until):
            return TimerSet(key, until)
        case ChildRequest():
            return ChildStarted(key, f"r/{key}", fingerprint.child_fingerprint(request))
        case NoteRequest(text=text, data=data):
            return Noted(key, text, raw(data))
        case CeilingRequest(max=ceiling):
            return LoopExhausted(key, ceiling)
        case _:
            raise AssertionError(f"nobody writes down {request!r}")
