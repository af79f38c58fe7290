"""One run being executed: ask the driver, decide, log, do, and again, until it ends or only waits.

The rule of every line here: an event is durable before anybody acts on it. Events are collected in
`_events`, together with what is to be done once they are on disk (`_after_commit`).
"""

import heapq
import os
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from holdfast.eventlog import (
    NONE,
    ApprovalDecided,
    ApprovalRequested,
    Batch,
    BranchMoved,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    Event,
    Failure,
    LoopExhausted,
    Noted,
    RunCancelled,
    RunClaimed,
    RunFailed,
    RunReleased,
    RunSucceeded,
    SessionOpened,
    SignalAwaited,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepStarted,
    StepSucceeded,
    TimerFired,
    TimerSet,
    Value,
    pack,
    reference,
)
from holdfast.plugins import Progress, RateLimited, RedactionFailed, WorkError, nested
from holdfast.plugins.process import sweep
from holdfast.reducer import (
    ENDED,
    ApprovalRequest,
    CancelRequest,
    CeilingRequest,
    ChildRequest,
    Diverge,
    Driver,
    Fail,
    FunctionCall,
    Hold,
    NoteRequest,
    Request,
    Reuse,
    SignalRequest,
    Start,
    State,
    Step,
    StepRequest,
    TimerRequest,
    Workflow,
    WorkflowError,
    after_failure,
    decide,
    digest,
    diverged,
    fingerprint,
    redrive,
    reduce,
    take,
)

from .effects import Done, Job, failure, perform, retryable
from .errors import RunReplaced, RunTooNew

if TYPE_CHECKING:
    from .engine import Engine


class Outcome(msgspec.Struct, frozen=True):
    """How an execution ended. `waiting` are the keys that a waiting run waits for."""

    run: str
    status: str
    offset: int
    output: Any = None
    error: Failure | None = None
    waiting: tuple[str, ...] = ()


class Attempt:
    """An attempt at a step in this process, or a child run; `launched` once its start is durable."""

    __slots__ = ("emitted", "launched", "number", "request", "scope")

    def __init__(self, request: StepRequest | ChildRequest, number: int) -> None:
        self.request = request
        self.number = number
        self.scope = trio.CancelScope()
        self.emitted: list[Progress] = []
        self.launched = False


class Ended(msgspec.Struct, frozen=True):
    """What an attempt came to: exactly one of the last two is set."""

    attempt: Attempt
    seconds: float
    done: Done | Event | None
    error: Exception | None


class Execution:
    """Executes one run in this process, which has claimed it."""

    def __init__(self, engine: "Engine", branch: int, workflow: Workflow) -> None:
        self.engine = engine
        self.branch = branch
        self.workflow = workflow
        self.state = State()
        self._code = digest(workflow.function)
        self._committed = 0  # offset up to which the log and `state` agree
        self._events: list[Event] = []
        self._blobs: dict[bytes, bytes] = {}
        self._after_commit: list[Callable[[], None]] = []
        self._absorbed: list[Ended | SessionOpened] = []  # what `_events` was made of
        self._inbox: deque[Ended | SessionOpened] = deque()
        self._asked: deque[Request] = deque()
        self._answering = False
        self._at_work: dict[str, Attempt] = {}
        self._queued: dict[str, deque[StepRequest]] = {}  # by the slot that they wait for
        self._resting: dict[str, tuple[int, int]] = {}  # children that wait: branch and head
        self._alarms: list[tuple[int, str]] = []
        self._wake = trio.Event()
        self._news = False
        self._now = 0
        self._working = 0

    @property
    def idle(self) -> bool:
        """Whether no attempt is at work: then a commit keeps nobody waiting."""
        return self._working == 0

    @property
    def mark_prefix(self) -> str:
        """What the marks of all processes of this run's steps begin with."""
        return f"{self.engine.log_id}/{self.branch}/"

    # --- the loop ------------------------------------------------------------------------------

    async def go(self) -> Outcome:
        """Execute until the run ends or all that is left is waiting."""
        problem: Exception | None = None
        interrupted = False
        try:
            async with trio.open_nursery() as self._nursery:
                try:
                    await self._loop()
                except trio.Cancelled:  # seen here, because the nursery wraps it in a group
                    interrupted = True
                    raise
                except Exception as error:
                    problem = error
                self._nursery.cancel_scope.cancel()
        finally:
            if interrupted:
                with trio.CancelScope(shield=True):
                    await self._release("interrupted", None)
            self._free_slots()
            self.driver.close()
        if isinstance(problem, WorkflowError | RedactionFailed):
            built_in = self.engine.redactor.built_in()  # the plugins may be what is broken
            await self._release("stopped", failure(problem, built_in.text))
        if problem is not None:
            raise problem
        return self._outcome()

    async def _loop(self) -> None:
        self._rebuild()
        await self._end_orphans()
        self._consider_pending()
        while True:
            await self._commit()
            if self.state.status in ENDED:
                return
            if not self._inbox and not await self._sleep():
                return
            self._intake()
            self._absorb()

    def wake(self) -> None:
        """Look again: something may have been appended by another process."""
        self._news = True
        self._wake.set()

    async def _sleep(self) -> bool:
        """Wait for something to do. Return False when only waiting is left, and the run released."""
        next_alarm = self._alarms[0][0] if self._alarms else None
        now = self.engine.now()
        if not self._at_work and not any(self._queued.values()):
            if self.engine.log.head(self.branch) != self._committed:
                self._news = True
                return True
            if next_alarm is None or next_alarm - now > self.engine.linger_ns:
                waiting = list(self.driver.pending)
                self._record(RunReleased(self.engine.owner.token, "waiting", waiting))
                await self._commit()
                return self.state.owner != ""
        if next_alarm is None:
            await self._wake.wait()
        else:
            with trio.move_on_after(max(0.0, (next_alarm - now) / 1e9)):
                await self._wake.wait()
        self._wake = trio.Event()
        return True

    # --- the log -------------------------------------------------------------------------------

    def _record(self, event: Event) -> None:
        """Take an event in: it will be in the next commit, and its consequences after that."""
        self._events.append(event)
        self.state = reduce(self.state, event, self._now)
        self._consider(take(self.driver, self.state, event))

    def _pack(self, raw: bytes) -> Value:
        return pack(self.engine.redactor.value(raw), self._blobs)

    def _redact(self, text: str) -> str:
        return self.engine.redactor.text(text)

    def _load(self, value: Value) -> bytes:
        """Return a value's bytes; a blob that is not committed yet is still at hand."""
        if self._blobs and (place := reference(value)) is not None:
            pending = self._blobs.get(place.digest)
            if pending is not None:
                return pending
        return self.engine.log.load(value)

    async def _commit(self) -> None:
        """Make all that was recorded durable, then do what waited for it."""
        while self._events:
            batch = Batch(
                self.branch,
                self._events,
                self._committed,
                self.engine.actor,
                self._now,
                self._blobs,
            )
            try:
                head = await self.engine.commit(batch)
            except BranchMoved:
                self._start_over()
                continue
            self._committed = head
            self._events, self._blobs, self._absorbed = [], {}, []
            self._observe(batch)
        consequences, self._after_commit = self._after_commit, []
        for consequence in consequences:
            consequence()

    def _observe(self, batch: Batch) -> None:
        if self.engine.watcher is not None:
            self.engine.watcher.events(self.state, batch.events)

    def _intake(self) -> None:
        """Take in what other processes appended: approvals, signals, a cancel, a newer claim."""
        self._now = self.engine.now()
        if not self._news:
            return
        self._news = False
        if self.engine.log.head(self.branch) == self._committed:
            return
        for record in self.engine.log.records(self.branch, self._committed):
            self._check_claim(record.event)
            self._committed = record.offset + 1
            self.state = reduce(self.state, record.event, record.time)
            self._consider(take(self.driver, self.state, record.event))
            if isinstance(record.event, ApprovalDecided):
                self._consider_again(record.event.key)

    def _check_claim(self, event: object) -> None:
        if isinstance(event, RunClaimed) and event.owner != self.engine.owner.token:
            self._events, self._blobs = [], {}
            raise RunReplaced(self.state.run, f"process {event.pid} on {event.host!r}")

    def _rebuild(self) -> None:
        """Bring state and a new driver to where the log is."""
        self.driver = Driver(self.workflow, self._load)
        self._committed = self.engine.log.head(self.branch)
        self.state = redrive(
            self.driver,
            self.engine.log.records(self.branch),
            code=self._code,
            redact=self.engine.redactor.value,
        )
        self._committed = self.state.offset
        self._folder = Path(self.state.folder)
        self._now = max(self.engine.now(), self.state.now)
        if self.state.unknown:
            raise RunTooNew(self.state.run, self.state.unknown)

    def _start_over(self) -> None:
        """Another process appended while we had events of our own at hand.

        The log's order is the one that every replay will see, so the driver is brought there anew and
        told again of the attempts that ended meanwhile. Nothing of the lost batch was acted upon.
        """
        absorbed = self._absorbed
        self._at_work = {key: work for key, work in self._at_work.items() if work.launched}
        self._events, self._blobs, self._after_commit, self._absorbed = [], {}, [], []
        for record in self.engine.log.records(self.branch, self._committed):
            self._check_claim(record.event)
        self.driver.close()
        self._queued.clear()
        self._alarms.clear()
        self._rebuild()
        for item in absorbed:
            if isinstance(item, Ended):
                self._at_work[item.attempt.request.key] = item.attempt
        for key in [key for key in self._at_work if key not in self.driver.pending]:
            self._drop(key)
        self._inbox.extendleft(reversed(absorbed))
        self._consider_pending()
        self._absorb()

    async def _end_orphans(self) -> None:
        """End what a killed owner's attempts left running, before they are tried again."""
        for step in self.state.steps.values():
            if step.status == "running" and step.kind in ("agent", "shell"):
                await sweep(self._mark(step))

    def _mark(self, step: Step) -> str:
        return nested(f"{self.mark_prefix}{step.key}/{step.attempt}", os.environ)

    # --- deciding ------------------------------------------------------------------------------

    def _consider_pending(self) -> None:
        unwanted = [CancelRequest(key, why) for key, why in self.driver.abandoned.items()]
        pending = [f.request for f in self.driver.pending.values() if f.request is not None]
        self._consider([*unwanted, *pending])
        self._finish_if_ended()

    def _consider(self, requests: Sequence[Request]) -> None:
        """Answer requests in order; what follows from an answer waits for its turn."""
        self._asked.extend(requests)
        if self._answering:
            return
        self._answering = True
        while self._asked:
            request = self._asked.popleft()
            if self._is_wanted(request):
                self._answer(request)
        self._answering = False

    def _is_wanted(self, request: Request) -> bool:
        """An answer may have made what was asked for together with it superfluous."""
        if isinstance(request, CancelRequest):
            return True
        future = self.driver.pending.get(request.key)
        return future is not None and future.request is request and request.key not in self._at_work

    def _consider_again(self, key: str) -> None:
        """Decide anew about a step that failed, was put off or was in doubt."""
        future = self.driver.pending.get(key)
        if future is not None and isinstance(future.request, StepRequest):
            self._consider([future.request])

    def _answer(self, request: Request) -> None:
        state, key = self.state, request.key
        match request:
            case StepRequest():
                self._answer_step(request)
            case CancelRequest(reason=reason):
                self._drop(key)
                step = state.steps.get(key)
                self._record(StepCancelled(key, reason, step.attempt if step else 1))
            case ApprovalRequest():
                self._answer_approval(request)
            case SignalRequest(signal=signal):
                if key not in state.waits:
                    self._record(SignalAwaited(key, signal))
            case TimerRequest(until=until):
                if key not in state.timers:
                    self._record(TimerSet(key, until))
                heapq.heappush(self._alarms, (until, key))
            case ChildRequest():
                self._answer_child(request)
            case NoteRequest(text=text, data=data):
                raw = fingerprint.encode(data, f"the data of note {text!r}") if data else b"\xc0"
                self._record(Noted(key, self._redact(text), self._pack(raw)))
            case CeilingRequest(max=ceiling):
                self._record(LoopExhausted(key, ceiling))
            case _:
                raise AssertionError(f"nobody answers {request!r}")

    def _answer_step(self, request: StepRequest) -> None:
        key = request.key
        read = fingerprint.reads(request)
        mark = fingerprint.fingerprint(request, read)
        match decide(self.state, request, mark):
            case Start(attempt=attempt, not_before=not_before):
                if not_before > self._now:
                    heapq.heappush(self._alarms, (not_before, key))
                elif self.engine.limits.acquire(request):
                    self._start(request, attempt, read, mark)
                else:
                    slot = self.engine.limits.slot(request)
                    self._queued.setdefault(slot, deque()).append(request)
            case Reuse():
                self.state = msgspec.structs.replace(self.state, resolved=(key,))
                self._consider(self.driver.feed(self.state))
            case Hold(open=True):
                self._record(DoubtRaised(key, self.state.steps[key].attempt))
            case Hold():
                pass
            case Fail(failure=why):
                self._record(StepFailed(key, why, self.state.steps[key].attempt))
            case Diverge(recorded=recorded):
                raise diverged(
                    self.driver,
                    self.state,
                    request,
                    recorded,
                    code=self._code,
                    redact=self.engine.redactor.value,
                )

    def _start(self, request: StepRequest, number: int, read: bytes, mark: bytes) -> None:
        """Record the intent; the effect begins after the commit."""
        call = request.call
        code = digest(call.function) if isinstance(call, FunctionCall) else b""
        reads = self._pack(read)
        attempt = Attempt(request, number)
        self._at_work[request.key] = attempt
        self._events.append(StepStarted(request.key, request.kind, mark, reads, code, number))
        self.state = reduce(self.state, self._events[-1], self._now)
        self._after_commit.append(partial(self._launch, attempt))

    def _answer_approval(self, request: ApprovalRequest) -> None:
        gate = self.state.gates.get(request.key)
        if gate is None:
            subject = fingerprint.encode(request.subject, f"the subject of {request.key!r}")
            event = ApprovalRequested(
                request.key,
                self._pack(subject),
                fingerprint.digest_of_subject(request),
                list(request.by),
                request.count,
                self._now + request.expires if request.expires else 0,
                request.on_deny,
            )
            self._record(event)
            expires_at = event.expires_at
        else:
            expires_at = gate.expires_at
        if expires_at:
            heapq.heappush(self._alarms, (expires_at, request.key))

    def _answer_child(self, request: ChildRequest) -> None:
        child = self.state.children.get(request.key)
        run = child.run if child else f"{self.state.run}/{request.key}"
        if child is None:
            self._record(ChildStarted(request.key, run, fingerprint.child_fingerprint(request)))
        attempt = Attempt(request, 1)
        self._at_work[request.key] = attempt
        self._after_commit.append(partial(self._launch_child, attempt, run))

    # --- working -------------------------------------------------------------------------------

    def _launch(self, attempt: Attempt) -> None:
        attempt.launched = True
        self._nursery.start_soon(self._work, attempt)

    def _launch_child(self, attempt: Attempt, run: str) -> None:
        attempt.launched = True
        self._nursery.start_soon(self._work_on_child, attempt, run)

    async def _work(self, attempt: Attempt) -> None:
        request = attempt.request
        assert isinstance(request, StepRequest), "children have their own door"
        step = self.state.steps[request.key]
        job = Job(request, step, self._folder, self._mark(step), self._redact)
        self._working += 1
        began = trio.current_time()
        done: Done | None = None
        error: Exception | None = None
        with attempt.scope:
            try:
                done = await perform(job, self.engine.plugins, partial(self._emit, attempt))
            except Exception as raised:
                error = raised
            finally:
                self._working -= 1
        if done is not None or error is not None:
            self._arrive(Ended(attempt, trio.current_time() - began, done, error))

    async def _work_on_child(self, attempt: Attempt, run: str) -> None:
        request = attempt.request
        assert isinstance(request, ChildRequest), "steps have their own door"
        try:
            outcome = await self.engine.execute_child(run, request, self.state)
        except Exception as raised:
            self._arrive(Ended(attempt, 0, None, raised))
            return
        if outcome.status in ENDED:
            raw = fingerprint.encode(outcome.output, f"the output of {run!r}")
            output = msgspec.Raw(raw)
            event = ChildFinished(request.key, run, outcome.status, output, outcome.error)
            self._arrive(Ended(attempt, 0, event, None))
        elif self._at_work.get(request.key) is attempt:
            del self._at_work[request.key]  # it waits, and so does its parent
            self._resting[request.key] = (self.engine.log.branch_of(run), outcome.offset)
            self.wake()

    def _rouse_children(self) -> None:
        """Go on with children that waited and to whom something happened since."""
        for key, (branch, head) in list(self._resting.items()):
            future = self.driver.pending.get(key)
            if future is None or self.engine.log.head(branch) != head:
                del self._resting[key]
                if future is not None and isinstance(future.request, ChildRequest):
                    self._consider([future.request])

    def _arrive(self, ended: Ended) -> None:
        self._inbox.append(ended)
        self._wake.set()

    def _emit(self, attempt: Attempt, progress: Progress) -> None:
        if attempt.request.kind != "shell":  # type: ignore[union-attr]
            attempt.emitted.append(progress)
        if progress.kind == "session" and progress.text:
            self._inbox.append(SessionOpened(attempt.request.key, progress.text, attempt.number))
            self._wake.set()
        if self.engine.watcher is not None:
            self.engine.watcher.progress(self.state.run, attempt.request.key, progress)

    def _drop(self, key: str) -> None:
        """Stop what is at work for a key; a child run is asked to cancel itself."""
        attempt, child = self._at_work.pop(key, None), self.state.children.get(key)
        if attempt is not None and isinstance(attempt.request, StepRequest):
            self.engine.limits.release(attempt.request)
            attempt.scope.cancel()
        elif child is not None and child.status not in ENDED:
            self.engine.cancel_child(child.run)

    def _free_slots(self) -> None:
        for attempt in self._at_work.values():
            if isinstance(attempt.request, StepRequest):
                self.engine.limits.release(attempt.request)

    # --- taking results in -----------------------------------------------------------------------

    def _absorb(self) -> None:
        """Turn all that arrived since the last commit, and all that fell due, into events."""
        while self._inbox:
            arrived = self._inbox.popleft()
            if isinstance(arrived, SessionOpened):
                if arrived.key in self._at_work:
                    self._absorbed.append(arrived)
                    self._record(arrived)
            elif self._at_work.get(arrived.attempt.request.key) is arrived.attempt:
                self._absorb_end(arrived)
        self._fire_alarms()
        self._rouse_children()
        self._start_queued()
        self._finish_if_ended()

    def _absorb_end(self, ended: Ended) -> None:
        request = ended.attempt.request
        del self._at_work[request.key]
        if isinstance(request, StepRequest):
            self.engine.limits.release(request)
        self._absorbed.append(ended)
        self._record(self._event_of(ended))
        self._consider_again(request.key)

    def _event_of(self, ended: Ended) -> Event:
        request, step = ended.attempt.request, self.state.steps.get(ended.attempt.request.key)
        if isinstance(ended.done, Event):
            return ended.done
        if step is None or not isinstance(request, StepRequest):
            assert ended.error is not None, "a child without an end failed to be executed"
            raise ended.error
        transcript = self._transcript(ended.attempt)
        seconds = round(ended.seconds, 6)
        try:
            if ended.error is not None:
                raise ended.error
            assert ended.done is not None, "no error, so it is done"
            result = fingerprint.encode(ended.done.value, f"the result of step {step.key!r}")
            return StepSucceeded(
                step.key,
                self._pack(result),
                step.attempt,
                seconds,
                ended.done.usage,
                ended.done.session,
                transcript,
            )
        except Exception as error:
            event = self._failure_event(request, step, error, seconds)
            if isinstance(event, StepDeferred) or transcript is NONE:
                return event
            return msgspec.structs.replace(event, transcript=transcript)

    def _failure_event(
        self, request: StepRequest, step: Step, error: Exception, seconds: float
    ) -> Any:
        if isinstance(error, RateLimited):
            patience = request.policy.backoff * 2 ** min(step.attempt - 1, 6)
            until = error.until or self._now + patience
            return StepDeferred(step.key, until, self._redact(str(error)), step.attempt)
        return after_failure(
            step,
            request.policy,
            failure(error, self._redact),
            now=self._now,
            seconds=seconds,
            usage=error.usage if isinstance(error, WorkError) else None,
            session=error.session if isinstance(error, WorkError) else "",
            hopeless=not retryable(error),
        )

    def _transcript(self, attempt: Attempt) -> Value:
        if not attempt.emitted:
            return NONE
        return self._pack(msgspec.msgpack.encode(attempt.emitted))

    def _fire_alarms(self) -> None:
        while self._alarms and self._alarms[0][0] <= self._now:
            _, key = heapq.heappop(self._alarms)
            future = self.driver.pending.get(key)
            if future is None or future.request is None:
                continue
            gate = self.state.gates.get(key)
            if isinstance(future.request, TimerRequest) and key in self.state.timers:
                self._record(TimerFired(key))
            elif isinstance(future.request, StepRequest):
                self._consider([future.request])
            elif gate is not None and gate.decision is None:
                self._record(ApprovalDecided(key, False, "engine", "nobody decided in time"))

    def _start_queued(self) -> None:
        for queue in self._queued.values():
            while queue and self.engine.limits.has_room(queue[0]):
                request = queue.popleft()
                future = self.driver.pending.get(request.key)
                if future is not None and future.request is request:
                    self._consider([request])

    # --- the end -------------------------------------------------------------------------------

    def _finish_if_ended(self) -> None:
        ended = self.driver.ended
        if ended is None or self.state.status in ENDED:
            return
        if ended.status == "cancelled":
            self._record(RunCancelled(self.state.cancelling or ""))
        elif ended.error is not None:
            self._record(RunFailed(_run_failure(ended.error, self._redact)))
        else:
            output = fingerprint.encode(ended.value, f"the output of workflow {self.workflow.name!r}")
            self._record(RunSucceeded(self._pack(output)))

    async def _release(self, reason: str, why: Failure | None) -> None:
        """Let go of the run in good order, with all that was recorded, so that it can be resumed."""
        if self.state.status in ENDED and not self._events:
            return
        events = [*self._events, RunReleased(self.engine.owner.token, reason, [], why)]
        batch = Batch(
            self.branch, events, self._committed, self.engine.actor, self._now, self._blobs
        )
        try:
            await self.engine.commit(batch)
        except BranchMoved:
            return  # what came in between stands; ours is done again on resume

    def _outcome(self) -> Outcome:
        state = self.state
        output = msgspec.msgpack.decode(self._load(state.output))
        return Outcome(state.run, state.status, state.offset, output, state.error, state.waiting)


def _run_failure(error: BaseException, redact: Callable[[str], str]) -> Failure:
    what = failure(error, redact)
    inner = getattr(error, "failure", None)
    if isinstance(inner, Failure):
        return Failure(what.code, what.message, inner.code, inner.detail)
    if what.code == "exception":
        trace = redact("".join(traceback.format_exception(error)))
        return Failure("workflow_error", what.message, what.type, trace[-4000:])
    return what
