"""One run being executed: ask the driver, decide, log, do, and again, until it ends or only waits.

The rule of every line here: an event is durable before anybody acts on it. What is to be done once the
recorded events are on disk waits in `_after_commit`.
"""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from holdfast.eventlog import (
    AnyEvent,
    ApprovalDecided,
    ApprovalRequested,
    BranchMoved,
    ChildStarted,
    DoubtRaised,
    Failure,
    LoopExhausted,
    Noted,
    RunReleased,
    SignalAwaited,
    StepCancelled,
    StepFailed,
    StepStarted,
    TimerFired,
    TimerSet,
)
from holdfast.plugins import RedactionFailed
from holdfast.plugins.process import sweep
from holdfast.reducer import (
    ENDED,
    ApprovalRequest,
    CancelRequest,
    CeilingRequest,
    ChildRequest,
    Diverge,
    Fail,
    FunctionCall,
    Hold,
    NoteRequest,
    Request,
    Reuse,
    SignalRequest,
    Start,
    StepRequest,
    TimerRequest,
    Workflow,
    WorkflowError,
    decide,
    digest,
    diverged,
    fingerprint,
)

from .attempts import Arrival, Attempt, Attempts, Ended, child_run
from .effects import failure
from .history import Alarms, History
from .outcomes import end_of_run, event_of

if TYPE_CHECKING:
    from .engine import Engine

MOST_UNCOMMITTED = 1000  # events of pure steps


class Outcome(msgspec.Struct, frozen=True):
    """How an execution ended. `waiting` are the keys that a waiting run waits for.

    `until` is the next moment, in ns since 1970, at which it goes on by itself; 0: only news help.
    """

    run: str
    status: str
    offset: int
    output: Any = None
    error: Failure | None = None
    waiting: tuple[str, ...] = ()
    until: int = 0


class Execution:
    """Executes one run in this process, which has claimed it."""

    def __init__(self, engine: "Engine", branch: int, workflow: Workflow) -> None:
        self._engine = engine
        self._history = History(engine, branch, workflow)
        self._alarms = Alarms()
        self._attempts = Attempts(engine, self._history, self._alarms)
        self._after_commit: list[Attempt] = []  # to be launched
        self._absorbed: list[Arrival] = []  # what the uncommitted events were made of
        self._asked: deque[Request] = deque()
        self._answering = False
        self._news = False

    @property
    def is_idle(self) -> bool:
        """Whether no attempt is at work: then a commit keeps nobody waiting."""
        return self._attempts.running == 0

    @property
    def mark(self) -> str:
        """What the marks of all processes of this run's steps have in them."""
        return self._attempts.mark

    def wake(self) -> None:
        """Look again: something may have been appended by another process."""
        self._news = True
        self._attempts.arrived.set()

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
                except Exception as error:  # noqa: BLE001 - raised below, outside of the nursery
                    problem = error
                self._nursery.cancel_scope.cancel()
        finally:
            try:
                if interrupted:
                    with trio.CancelScope(shield=True):
                        self._keep_last_results()
                        await self._release("interrupted", None)
            finally:
                self._attempts.close()
                self._history.driver.close()
        if isinstance(problem, WorkflowError | RedactionFailed):
            built_in = self._engine.redactor.built_in()  # the plugins may be what is broken
            await self._release("stopped", failure(problem, built_in.text))
        if problem is not None:
            raise problem
        return self._outcome()

    async def _release(self, reason: str, why: Failure | None) -> None:
        never_begun = {attempt.request.key for attempt in self._after_commit}
        await self._history.release(reason, why, never_begun=never_begun)

    def _keep_last_results(self) -> None:
        """Record what ended while everything was being stopped: it is finished work."""
        inbox = self._attempts.inbox
        while inbox:
            arrival = inbox.popleft()
            if isinstance(arrival, Ended) and arrival.done and self._attempts.take(arrival):
                self._history.keep(event_of(arrival, self._history))

    async def _loop(self) -> None:
        self._history.rebuild()
        self._attempts.remind_children(self._nursery)
        await self._end_orphans()
        self._consider_pending()
        while True:
            if not await self._overlaps():
                await self._commit()
                if self._history.state.status in ENDED:
                    return
                if not self._attempts.inbox and not await self._sleep():
                    return
            self._intake()
            self._absorb()

    async def _overlaps(self) -> bool:
        """Whether the commit may wait: all that began is pure, and some of it has ended already."""
        if self._after_commit or self._attempts.has_unwanted or not self._attempts.is_busy:
            return False
        if not 0 < len(self._history.uncommitted) < MOST_UNCOMMITTED:
            return False
        for _ in range(2):  # the first lets new tasks begin, the second lets quick ones end
            await trio.lowlevel.checkpoint()
        return bool(self._attempts.inbox)

    async def _commit(self) -> None:
        """Make all that was recorded durable, then launch what waited for it."""
        self._act_upon_commits()
        while self._history.uncommitted:
            try:
                await self._history.commit()
            except BranchMoved:
                self._start_over()
            else:
                self._absorbed.clear()
            self._act_upon_commits()

    def _act_upon_commits(self) -> None:
        """Do what waited for the events that were recorded, once all of them are on disk."""
        if self._history.uncommitted:
            return
        attempts, self._after_commit = self._after_commit, []
        for attempt in attempts:
            self._attempts.launch(attempt, self._nursery)
        self._attempts.stop_unwanted(self._nursery)
        self._finish_if_ended()

    async def _sleep(self) -> bool:
        """Wait for something to do. Return False when only waiting is left, and the run released."""
        alarm = self._alarms.next
        if not self._attempts.is_busy and self.is_idle:
            if self._history.driver.ended is not None:
                return True  # what was cancelled has gone while we committed: record the end now
            if self._history.is_behind:
                self._news = True
                return True
            if alarm is None or alarm - self._engine.now() > self._engine.linger_ns:
                waiting = list(self._history.driver.pending)
                self._record(RunReleased(self._engine.owner.token, "waiting", waiting))
                await self._commit()
                return self._history.state.owner != ""
        arrived = self._attempts.arrived
        if alarm is None:
            await arrived.wait()
        else:
            with trio.move_on_after(max(0.0, (alarm - self._engine.now()) / 1e9)):
                await arrived.wait()
        self._attempts.arrived = trio.Event()
        return True

    def _intake(self) -> None:
        """Take in what other processes appended: approvals, signals, a cancel, a newer claim."""
        if self._history.uncommitted:
            return  # they share one time; and their commit tells whether the branch moved
        self._history.tick()
        if not self._news:
            return
        self._news = False
        if not self._history.is_behind:
            return
        # All of it first: what we record stands behind it in the log, so it does here as well.
        news = list(self._history.news())
        for event, requests in news:
            self._consider(requests)
            if isinstance(event, ApprovalDecided):
                self._consider_again(event.key)

    def _start_over(self) -> None:
        """Another process appended while we had events of our own at hand.

        The log's order is the one that every replay will see, so the driver is brought there anew and
        told again of the attempts that ended meanwhile. Nothing of the lost batch was acted upon, but
        for pure steps, which are stopped and done again.
        """
        self._history.check_claims()
        self._history.driver.close()
        self._history.rebuild()
        self._after_commit.clear()
        self._alarms.clear()
        absorbed, self._absorbed = self._absorbed, []
        self._after_commit.extend(self._attempts.keep_only_recorded(absorbed))
        self._consider_pending()
        self._absorb()

    async def _end_orphans(self) -> None:
        """End what a killed owner left running, before any of it is tried again.

        That is more than the steps in flight: a step that lost a race may outlive its cancellation.
        """
        if any(step.kind in ("agent", "shell") for step in self._history.state.steps.values()):
            await sweep(self.mark)

    # --- deciding ------------------------------------------------------------------------------

    def _record(self, event: AnyEvent) -> None:
        """Take an event in, and see to what is asked for then."""
        self._consider(self._history.record(event))

    def _consider_pending(self) -> None:
        driver = self._history.driver
        unwanted = [CancelRequest(key, why) for key, why in driver.abandoned.items()]
        pending = [f.request for f in driver.pending.values() if f.request is not None]
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
        """Tell whether an answer has made superfluous what was asked for together with it."""
        if isinstance(request, CancelRequest):
            return True
        future = self._history.driver.pending.get(request.key)
        wanted = future is not None and future.request is request
        return wanted and request.key not in self._attempts

    def _consider_again(self, key: str) -> None:
        """Decide anew about a step that failed, was put off or was in doubt."""
        future = self._history.driver.pending.get(key)
        if future is not None and isinstance(future.request, StepRequest):
            self._consider([future.request])

    def _answer(self, request: Request) -> None:
        state, key = self._history.state, request.key
        match request:
            case StepRequest():
                self._answer_step(request)
            case CancelRequest(reason=reason):
                self._attempts.drop(key)
                step = state.steps.get(key)
                self._record(StepCancelled(key, reason, step.attempt if step else 1))
            case ApprovalRequest():
                self._answer_approval(request)
            case SignalRequest(signal=signal):
                if key not in state.waits:
                    self._record(SignalAwaited(key, signal))
            case TimerRequest(until=until):
                timer = state.timers.get(key)
                if timer is None:
                    self._record(TimerSet(key, until))
                self._alarms.set(until if timer is None else timer.until, key)
            case ChildRequest():
                self._answer_child(request)
            case NoteRequest(text=text, data=data):
                raw = fingerprint.encode(data or None, f"the data of note {text!r}")
                said = self._engine.redactor.text(text)
                self._record(Noted(key, said, self._history.pack(raw)))
            case CeilingRequest(max=ceiling):
                self._record(LoopExhausted(key, ceiling))
            case _:
                raise AssertionError(f"nobody answers {request!r}")

    def _answer_step(self, request: StepRequest) -> None:
        history, key = self._history, request.key
        read = fingerprint.reads(request)
        mark = fingerprint.fingerprint(request, read)
        match decide(history.state, request, mark):
            case Start(attempt=attempt, not_before=not_before):
                if not_before > history.now:
                    self._alarms.set(not_before, key)
                elif self._engine.limits.acquire(request):
                    self._start(request, attempt, read, mark)
                else:
                    self._attempts.queue(request)
            case Reuse():
                history.state = msgspec.structs.replace(history.state, resolved=(key,))
                self._consider(history.driver.feed(history.state))
            case Hold(open=True):
                self._record(DoubtRaised(key, history.state.steps[key].attempt))
            case Hold():
                pass  # its gate is open
            case Fail(failure=why):
                self._record(StepFailed(key, why, history.state.steps[key].attempt))
            case Diverge(recorded=recorded):
                raise diverged(
                    history.driver,
                    history.state,
                    request,
                    recorded,
                    code=history.code,
                    redact=history.redactor.value,
                )

    def _start(self, request: StepRequest, number: int, read: bytes, mark: bytes) -> None:
        """Record the intent; the effect begins after the commit, a pure one at once."""
        call, history = request.call, self._history
        code = digest(call.function) if isinstance(call, FunctionCall) else b""
        reads = history.pack(read)
        attempt = self._attempts.reserve(request, number)
        self._record(StepStarted(request.key, request.kind, mark, reads, code, number))
        if request.policy.pure:
            self._attempts.launch(attempt, self._nursery)
        else:
            self._after_commit.append(attempt)

    def _answer_approval(self, request: ApprovalRequest) -> None:
        history = self._history
        gate = history.state.gates.get(request.key)
        if gate is not None:
            expires_at = gate.expires_at
        else:
            subject = fingerprint.encode(request.subject, f"the subject of {request.key!r}")
            expires_at = history.now + request.expires if request.expires else 0
            event = ApprovalRequested(
                request.key,
                history.pack(subject),
                fingerprint.digest_of_subject(request),
                list(request.by),
                request.count,
                expires_at,
                request.on_deny,
            )
            self._record(event)
        if expires_at:
            self._alarms.set(expires_at, request.key)

    def _answer_child(self, request: ChildRequest) -> None:
        state, key = self._history.state, request.key
        self._after_commit.append(self._attempts.reserve(request, 1))
        if key not in state.children:
            mark = fingerprint.child_fingerprint(request)
            self._record(ChildStarted(key, child_run(state.run, key), mark))

    # --- taking results in -----------------------------------------------------------------------

    def _absorb(self) -> None:
        """Turn all that arrived since the last commit, and all that fell due, into events."""
        inbox = self._attempts.inbox
        while inbox:
            arrival = inbox.popleft()
            if self._attempts.is_unwanted(arrival):  # it counts if the commit meets a moved branch
                self._absorbed.append(arrival)
            elif self._attempts.take(arrival):
                self._absorbed.append(arrival)
                self._absorb_one(arrival)
        for key in self._alarms.due(self._history.now):
            self._fire(key)
        self._consider(self._attempts.roused())
        while (request := self._attempts.next_in_line()) is not None:
            self._consider([request])
        self._finish_if_ended()

    def _absorb_one(self, arrival: Arrival) -> None:
        if isinstance(arrival, Ended):
            self._record(event_of(arrival, self._history))
            self._consider_again(arrival.attempt.request.key)
        else:
            self._record(arrival)

    def _fire(self, key: str) -> None:
        """Do what an alarm was set for, if it is still wanted."""
        state, future = self._history.state, self._history.driver.pending.get(key)
        if future is None or key in self._attempts:
            return
        gate = state.gates.get(key)
        if isinstance(future.request, TimerRequest) and key in state.timers:
            self._record(TimerFired(key))
        elif isinstance(future.request, StepRequest | ChildRequest):
            self._consider([future.request])
        elif gate is not None and gate.decision is None:
            self._record(ApprovalDecided(key, False, "engine", "nobody decided in time"))

    # --- the end -------------------------------------------------------------------------------

    def _finish_if_ended(self) -> None:
        """Record the end once nothing is at work: nobody would look for orphans of an ended run."""
        history = self._history
        over = history.driver.ended is not None and self.is_idle and not self._attempts.has_unwanted
        if over and history.state.status not in ENDED:
            self._record(end_of_run(history.driver, history))

    def _outcome(self) -> Outcome:
        state = self._history.state
        output = msgspec.msgpack.decode(self._history.load(state.output))
        until = self._alarms.next or 0
        return Outcome(
            state.run, state.status, state.offset, output, state.error, state.waiting, until
        )
