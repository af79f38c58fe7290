"""Answering what a workflow asks for: recorded, started, queued, held or refused, in order."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.eventlog import (
    AnyEvent,
    ApprovalRequested,
    BudgetReached,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    EffectHeld,
    Event,
    LoopExhausted,
    Noted,
    QuestionAsked,
    Reserved,
    SignalAwaited,
    StepCancelled,
    StepFailed,
    StepReused,
    StepStarted,
    TimerSet,
    Value,
)
from holdfast.reducer import (
    ApprovalRequest,
    CancelRequest,
    CeilingRequest,
    ChildRequest,
    Diverge,
    Fail,
    FunctionCall,
    Gate,
    Hold,
    Later,
    NoteRequest,
    QuestionRequest,
    Reached,
    Request,
    Reuse,
    SignalRequest,
    Start,
    StepRequest,
    TimerRequest,
    UnknownRole,
    acting,
    afford_child,
    after_expiry,
    decide,
    denied,
    digest,
    diverged,
    doer,
    fingerprint,
    unresolved,
)

from .attempts import Attempt, Attempts
from .children import child_name, origin_of_child
from .history import Alarms, History
from .spaces import Spaces

if TYPE_CHECKING:
    from .engine import Engine


class Answers:
    """Answers the requests of one run. `to_launch` may begin once all that was recorded is on disk.

    `held` are steps and children for which the files are to be seen to first; `begin` begins them.
    `parent_paused` says that nothing may begin because a parent is paused.
    `short` are those for which the budget has to say more, or what is at work to use less.
    """

    def __init__(
        self,
        engine: "Engine",
        history: History,
        attempts: Attempts,
        alarms: Alarms,
        spaces: Spaces,
    ) -> None:
        self.to_launch: list[Attempt] = []
        self.held: dict[str, StepRequest | ChildRequest] = {}
        self.short: dict[str, StepRequest | ChildRequest] = {}
        self._money: tuple[object, object] = (None, None)  # when it was asked last: purse and gates
        self._seen_to: frozenset[str] = frozenset()
        self._spaces = spaces
        self._engine = engine
        self._history = history
        self._attempts = attempts
        self._alarms = alarms
        self._answering = False
        self.parent_paused = False
        self._paused: dict[str, StepRequest | ChildRequest] = {}  # what would begin but for a pause

    @property
    def is_paused(self) -> bool:
        """Whether no new step may begin; the clean-up of what is cancelled may."""
        state = self._history.state
        return state.cancelling is None and (state.paused is not None or self.parent_paused)

    def go_on(self) -> None:
        """Decide anew about what a pause held back."""
        paused, self._paused = self._paused, {}
        self.consider([*paused.values()])

    def record(self, event: AnyEvent) -> None:
        """Take an event in, and see to what is asked for then."""
        self.consider(self._history.record(event))

    def consider_pending(self) -> None:
        driver = self._history.driver
        unwanted = [CancelRequest(key, why) for key, why in driver.abandoned.items()]
        pending = [f.request for f in driver.pending.values() if f.request is not None]
        self.consider([*unwanted, *pending])

    def consider(self, requests: Sequence[Request]) -> None:
        """Answer requests in order; what follows from an answer waits for its turn."""
        history = self._history
        for request in requests:
            history.agenda.put(request)
        if self._answering:
            return
        self._answering = True
        while (found := self._next()) is not None:
            request, events = found
            if events:
                self._take_over(request, events)
            else:
                self._answer(request)
        self._answering = False

    def _next(self) -> tuple[Request, Sequence[Event]] | None:
        """Return the next request; when there is none, those again for which the budget was short."""
        history = self._history
        found = history.agenda.take(history.state, self._is_wanted)
        state = history.state
        money = (state.purse, state.gates)
        news = any(now is not then for now, then in zip(money, self._money, strict=True))
        if found is None and self.short and news:
            self._money = money
            short, self.short = self.short, {}
            for request in short.values():
                history.agenda.put(request)
            found = history.agenda.take(history.state, self._is_wanted)
        return found

    def _take_over(self, request: Request, events: Sequence[Event]) -> None:
        """Record what answers a request; where that is not all of the answer, do the rest."""
        if isinstance(request, CancelRequest):
            self._attempts.drop(request.key)
        for event in events:
            self.record(event)  # type: ignore[arg-type]
        if not isinstance(request, CancelRequest) and self._is_wanted(request):
            self._answer(request)

    def _is_wanted(self, request: Request) -> bool:
        """Tell whether an answer has made superfluous what was asked for together with it."""
        if isinstance(request, CancelRequest):
            return True
        future = self._history.driver.pending.get(request.key)
        wanted = future is not None and future.request is request
        return wanted and request.key not in self._attempts

    def begin(self, keys: Iterable[str]) -> None:
        """Decide anew about held steps whose files have been seen to."""
        held = [self.held.pop(key) for key in keys if key in self.held]
        self._seen_to = frozenset(request.key for request in held)
        self.consider(held)
        self._seen_to = frozenset()

    def forget(self) -> None:
        """Forget what was decided and not recorded."""
        self.to_launch.clear()
        self.held.clear()
        self._paused.clear()
        self.short.clear()
        self._spaces.forget()

    def consider_again(self, key: str) -> None:
        """Decide anew about a step that failed, was put off or was in doubt."""
        future = self._history.driver.pending.get(key)
        if future is not None and isinstance(future.request, StepRequest):
            self.consider([future.request])

    def _answer(self, request: Request) -> None:
        state, key = self._history.state, request.key
        match request:
            case StepRequest():
                self._answer_step(request)
            case CancelRequest(reason=reason):
                self._attempts.drop(key)
                step = state.steps.get(key)
                self.record(StepCancelled(key, reason, step.attempt if step else 1))
            case ApprovalRequest():
                self._answer_approval(request)
            case QuestionRequest():
                self._answer_question(request)
            case SignalRequest(signal=signal, correlation=correlation):
                if key not in state.waits:
                    self.record(SignalAwaited(key, signal, correlation))
            case TimerRequest(until=until):
                timer = state.timers.get(key)
                if timer is None:
                    self.record(TimerSet(key, until))
                self._alarms.set(until if timer is None else timer.until, key)
            case ChildRequest():
                self._answer_child(request)
            case NoteRequest(text=text, data=data):
                raw = fingerprint.encode(data or None, f"the data of note {text!r}")
                said = self._engine.redactor.text(text)
                self.record(Noted(key, said, self._history.pack(raw)))
            case CeilingRequest(max=ceiling):
                self.record(LoopExhausted(key, ceiling))
            case _:
                raise AssertionError(f"nobody answers {request!r}")

    def _answer_step(self, request: StepRequest) -> None:
        history, key = self._history, request.key
        if missing := unresolved(request):
            raise UnknownRole(key, missing, [role.name for role in history.state.roles])
        read = fingerprint.reads(request)
        mark = fingerprint.fingerprint(request, read)
        happened = history.pool is not None and key in history.pool.begun
        match decide(history.state, request, mark, happened=happened):
            case Start(not_before=not_before) as start:
                if not_before > history.now:
                    self._alarms.set(not_before, key)
                elif self.is_paused:
                    self._paused[key] = request
                elif key not in self._seen_to and self._spaces.must_look(request):
                    self.held[key] = request
                elif self._attempts.has_turn(key, doing := self._doing(request)):
                    self._start(request, start, read, mark, doer(doing))
            case Reuse():
                history.state = msgspec.structs.replace(history.state, resolved=(key,))
                self.consider(history.driver.feed(history.state))
            case Later():
                self.short[key] = request
            case Hold(reached=Reached() as reached, open=is_new):
                self._hold_for_budget(request, reached, is_new=is_new)
            case Hold(reason="effect", open=True):
                self.record(EffectHeld(key))
            case Hold(open=True):
                self.record(DoubtRaised(key, history.state.steps[key].attempt))
            case Hold():
                pass  # its gate is open
            case Fail(failure=why) if (step := history.state.steps.get(key)) is not None:
                self.record(StepFailed(key, why, step.attempt))
            case Fail(failure=why):  # it never began: a person's word stands in its place
                reads = history.pack(read)
                denied = StepReused(
                    key,
                    request.kind,
                    mark,
                    "",
                    "failed",
                    reads,
                    error=why,
                    workspace=request.workspace,
                )
                self.record(denied)
            case Diverge(recorded=recorded):
                raise diverged(
                    history.driver,
                    history.state,
                    request,
                    recorded,
                    code=history.code,
                    redact=history.redactor.value,
                )

    def _doing(self, request: StepRequest) -> StepRequest:
        """Return the request as whoever is to do it now gets it."""
        step = self._history.state.steps.get(request.key)
        return request if step is None else acting(request, step.place)

    def _hold_for_budget(
        self, request: StepRequest | ChildRequest, reached: Reached, *, is_new: bool
    ) -> None:
        """Wait at the budget's gate, which may stand open already."""
        self.short[request.key] = request
        if is_new:
            subject = fingerprint.encode(
                {"step": request.key, **reached.told()}, f"the budget of {request.key!r}"
            )
            limit = reached.limit
            self.record(
                BudgetReached(
                    reached.gate, request.key, self._history.pack(subject), limit.usd, limit.tokens
                )
            )

    def waited_for(self) -> list[str]:
        """Return the keys of all that the run waits for: first the gates of budgets."""
        gates = [gate.key for gate in self._history.state.open_gates if gate.kind == "budget"]
        return [*gates, *self._history.driver.pending]

    def _start(self, request: StepRequest, start: Start, read: bytes, mark: bytes, by: str) -> None:
        """Record the intent; the effect begins after the commit, a pure one at once."""
        call, history = request.call, self._history
        code = digest(call.function) if isinstance(call, FunctionCall) else b""
        reads = history.pack(read)
        attempt = self._attempts.reserve(request, start.attempt)
        self.record(
            StepStarted(
                request.key,
                request.kind,
                mark,
                reads,
                code,
                start.attempt,
                request.works_on_files,
                request.workspace,
                by,
                start.reserved,
            )
        )
        if request.policy.pure:
            self._attempts.launch(attempt)
        else:
            self.to_launch.append(attempt)

    def _answer_approval(self, request: ApprovalRequest) -> None:
        history = self._history
        gate = history.state.gates.get(request.key)
        if gate is not None:
            expires_at = gate.expires_at
        else:
            subject = fingerprint.encode(request.subject, f"the subject of {request.key!r}")
            expires_at = request.expires.after(history.now) if request.expires else 0
            event = ApprovalRequested(
                request.key,
                history.pack(subject),
                fingerprint.digest_of_subject(request),
                list(request.by),
                request.count,
                expires_at,
                request.on_deny,
                request.on_expire,
                request.expires.ns,
                list(request.escalate_to),
                self._form(request.edits, request.key),
                request.expires.months,
            )
            self.record(event)
        if expires_at:
            self._alarms.set(expires_at, request.key)

    def _answer_question(self, request: QuestionRequest) -> None:
        history, key = self._history, request.key
        gate = history.state.gates.get(key)
        expires_at = request.expires.after(history.now) if request.expires else 0
        if gate is not None:
            expires_at = gate.expires_at
        else:
            asked = fingerprint.encode(request.question, f"the question {key!r}")
            event = QuestionAsked(
                key,
                history.pack(asked),
                self._form(request.output, key),
                fingerprint.digest_of_question(request),
                list(request.by),
                expires_at,
                request.on_expire,
                request.expires.ns,
                list(request.escalate_to),
                request.expires.months,
            )
            self.record(event)
        if expires_at:
            self._alarms.set(expires_at, key)

    def _form(self, type_: Any, key: str) -> Value:
        return self._history.pack(msgspec.msgpack.encode(fingerprint.form(type_, key)))

    def expire(self, gate: Gate) -> None:
        """Do what was to be done when nobody has decided in time."""
        if gate.expires_at <= self._history.now:
            self.record(after_expiry(gate, self._history.now))
        still = self._history.state.gates.get(gate.key)
        if still is not None and still.decision is None:
            self._alarms.set(still.expires_at, gate.key)

    def _answer_child(self, request: ChildRequest) -> None:
        history, key = self._history, request.key
        if self.is_paused:
            self._paused[key] = request
            return
        if key not in self._seen_to and self._spaces.must_look(request):
            self.held[key] = request
            return
        child = history.state.children.get(key)
        if child is not None and child.run:
            self.to_launch.append(self._attempts.reserve(request, 1))
            return
        match afford_child(history.state, request):
            case Later():
                self.short[key] = request
            case Reached() as reached if (why := denied(history.state, reached.gate)) is not None:
                name = child_name(history.state, key, history.branch)
                mark = fingerprint.child_fingerprint(request)
                self.record(ChildStarted(key, name, mark, workspace=request.workspace))
                self.record(ChildFinished(key, name, "failed", error=why))
            case Reached() as reached:
                gate = history.state.gates.get(reached.gate)
                is_new = gate is None or gate.decision is not None
                self._hold_for_budget(request, reached, is_new=is_new)
            case reserved:
                self._start_child(request, reserved)

    def _start_child(self, request: ChildRequest, reserved: Reserved | None) -> None:
        history, key = self._history, request.key
        self.to_launch.append(self._attempts.reserve(request, 1))
        mark = fingerprint.child_fingerprint(request)
        origin, at = origin_of_child(self._engine.log, history.state, history.pool, request)
        name = child_name(history.state, key, history.branch)
        self.record(ChildStarted(key, name, mark, origin, at, request.workspace, reserved))
