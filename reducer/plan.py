"""What a fork, a rewind, a retry or a resume with other code would do, told before anything is done.

The workflow is driven on from where it leaves the recorded history, without any effect: first with all that
can be taken over. What then has to run is assumed to come to what it came to before, to see what
depends on it; those items are not certain.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import (
    AnswerCarried,
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    ChildFinished,
    ChildStarted,
    Event,
    LoopExhausted,
    Noted,
    QuestionAsked,
    SignalAwaited,
    StepCancelled,
    StepReused,
    TimerFired,
    TimerSet,
)

from . import fingerprint
from .decide import Fail, Hold, decide
from .differences import differences
from .driver import Driver, Ended
from .pool import Agenda, Pool
from .redrive import CODE_CHANGED, code_changed, take
from .reduce import reduce
from .requests import (
    ApprovalRequest,
    CancelRequest,
    CeilingRequest,
    ChildRequest,
    NoteRequest,
    QuestionRequest,
    Request,
    SignalRequest,
    StepRequest,
    TimerRequest,
)
from .roles import unresolved
from .state import State, Step

Action = Literal["kept", "reused", "runs", "asks", "waits", "dropped"]
Redact = Callable[[bytes], bytes]


class Item(msgspec.Struct, frozen=True):
    """What would happen to one step, gate or child.

    "kept" is before the fork point, "reused" is taken over, "runs" is done (again), "asks" waits for a
    person, "waits" for a signal or a time, "dropped" is asked for no more. An item that is not
    `certain` depends on what a step before it comes to. Cost and seconds are the recorded ones.
    """

    key: str
    kind: str
    action: Action
    because: str = ""
    certain: bool = True
    repeats_effect: bool = False
    lapses: bool = False
    cost_usd: float = 0.0
    seconds: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """All that a fork would do; `base` is the offset at which it leaves the history of `origin`."""

    origin: str
    reason: str
    base: int
    at: int
    items: list[Item]
    difference: str = ""
    ended: str = ""  # how the run would end, as far as that can be told
    roles: list[str] = []  # what is otherwise about the project's roles since the run was executed

    def of(self, *actions: Action) -> list[Item]:
        """Return the items with one of these actions."""
        return [item for item in self.items if item.action in actions]


class Planner:
    """Drives a workflow on from a fork point on paper."""

    def __init__(self, driver: Driver, state: State, pool: Pool, redact: Redact = bytes) -> None:
        self.state = state
        self.items: dict[str, Item] = {}
        self._driver = driver
        self._pool = pool
        self._redact = redact
        self._agenda = Agenda(pool)
        self._certain = True
        self._open: list[Request] = []  # what would have to happen, in order

    def leave(self, events: Sequence[Event], now: int) -> None:
        """Take in the events that a fork begins with, at the time `now`."""
        for event in events:
            self._take(event, now)

    def run(self) -> list[Item]:
        """Drive on to the end, or to what nobody can foresee, and return all items in order."""
        for key, why in self._driver.abandoned.items():
            self._agenda.put(CancelRequest(key, why))
        for future in list(self._driver.pending.values()):
            if future.request is not None:
                self._agenda.put(future.request)
        self._answer_all()
        while self._driver.ended is None and self._assume():
            self._answer_all()
        return [*self._kept(), *self.items.values(), *self._dropped()]

    @property
    def ended(self) -> Ended | None:
        """How the workflow ended on paper, if it did."""
        return self._driver.ended

    # --- one request after the other -------------------------------------------------------------

    def _answer_all(self) -> None:
        while (found := self._agenda.take(self.state, self._is_wanted)) is not None:
            request, events = found
            for event in events:
                self._record(event)
            over = bool(events) and isinstance(request, CancelRequest)
            if over or not self._is_wanted(request):
                self._note_reused(request, events)
            else:
                self._answer(request)

    def _is_wanted(self, request: Request) -> bool:
        if isinstance(request, CancelRequest):
            return True
        future = self._driver.pending.get(request.key)
        return future is not None and future.request is request

    def _record(self, event: Event) -> None:
        self._take(event, self.state.now)

    def _take(self, event: Event, now: int) -> None:
        self.state = reduce(self.state, event, now)  # type: ignore[arg-type]
        for request in take(self._driver, self.state, event):  # type: ignore[arg-type]
            self._agenda.put(request)

    def _answer(self, request: Request) -> None:
        match request:
            case CancelRequest(key=key, reason=reason):
                self._record(StepCancelled(key, reason))
                self._forget(key)
            case NoteRequest(key=key, text=text):
                self._record(Noted(key, text))
            case CeilingRequest(key=key, max=ceiling):
                self._record(LoopExhausted(key, ceiling))
            case StepRequest():
                self._answer_step(request)
            case ApprovalRequest() | QuestionRequest():
                self._answer_gate(request)
            case _:
                self._answer_other(request)

    def _answer_step(self, request: StepRequest) -> None:
        key = request.key
        mark = fingerprint.fingerprint(request, fingerprint.reads(request))
        before = self._pool.begun.get(key) or self.state.steps.get(key)
        happened = key in self._pool.begun
        decision = decide(self.state, request, mark, happened=happened)
        action: Action = "asks" if isinstance(decision, Hold | Fail) else "runs"
        self._put(
            Item(
                key,
                request.kind,
                action,
                self._why(request, before),
                self._certain,
                request.policy.effect and before is not None,
                cost_usd=_cost(before),
                seconds=before.seconds if before else 0.0,
            )
        )
        self._open.append(request)

    def _why(self, request: StepRequest, before: Step | None) -> str:
        if missing := unresolved(request):
            return f"and stops: {missing} in holdfast.toml"
        if before is None:
            return "it is new"
        found = self._pool.steps.get(request.key)
        if found is None:
            how = {
                "failed": "it failed",
                "succeeded": "what came after the fork point is done afresh",
            }
            return how.get(before.status, "it had not ended")
        difference = self._agenda.difference(self.state, request, found)
        if difference == "reads":
            read = self._redact(fingerprint.reads(request))
            return differences(found.kind, self._driver.load(found.reads), request.kind, read)
        if difference == "code":
            return CODE_CHANGED
        if difference == "files":
            return "the files that it works on may be others by then"
        return "it had not ended"

    def _answer_gate(self, request: ApprovalRequest | QuestionRequest) -> None:
        key, old = request.key, self._pool.gates.get(request.key)
        is_question = isinstance(request, QuestionRequest)
        if old is not None:
            because = (
                "what was asked has changed" if is_question else "what was approved has changed"
            )
        else:
            because = "nobody has answered it" if is_question else "nobody has decided it"
        if key not in self.state.gates:
            asked = QuestionAsked if is_question else ApprovalRequested
            self._record(asked(key, by=list(request.by)))
        kind = "question" if is_question else "approval"
        self._put(Item(key, kind, "asks", because, self._certain, lapses=old is not None))
        self._open.append(request)

    def _answer_other(self, request: Request) -> None:
        key = request.key
        match request:
            case TimerRequest(until=until):
                if key not in self.state.timers:
                    self._record(TimerSet(key, until))
                self._put(Item(key, "timer", "waits", "its time has to come", self._certain))
            case SignalRequest(signal=signal, correlation=correlation):
                if key not in self.state.waits:
                    self._record(SignalAwaited(key, signal, correlation))
                    if not self._is_wanted(request):
                        return  # it had come already
                why = f"signal {signal!r} has to come"
                self._put(Item(key, "signal", "waits", why, self._certain))
            case ChildRequest():
                self._answer_child(request)
            case _:
                raise AssertionError(f"nobody plans {request!r}")
        self._open.append(request)

    def _answer_child(self, request: ChildRequest) -> None:
        key = request.key
        old = self._pool.children.get(key)
        mark = fingerprint.child_fingerprint(request)
        if old is None and key not in self.state.children:
            because = "it is new"
        elif old is not None and old.fingerprint != mark:
            because = "its input has changed"
        else:
            because = "it goes on within"
        if key not in self.state.children:
            run, where = f"{self.state.run}/{key}", request.workspace
            self._record(ChildStarted(key, run, mark, workspace=where))
        self._put(Item(key, "child", "runs", because, self._certain))

    # --- the rest --------------------------------------------------------------------------------

    def _put(self, item: Item) -> None:
        self.items.setdefault(item.key, item)

    def _forget(self, key: str) -> None:
        """A step that was cancelled before it began would not run."""
        item = self.items.get(key)
        if item is not None and item.action != "reused":
            self.items[key] = replace(item, certain=False)

    def _note_reused(self, request: Request, events: Sequence[Event]) -> None:
        step = self.state.steps.get(request.key)
        cost, seconds = (0.0, 0.0) if step is None else (_cost(step), step.seconds)
        for event in events:
            kind = _kind_of(event)
            if kind:
                because = self._why_reused(request, event)
                self._put(
                    Item(
                        request.key, kind, "reused", because, self._certain, cost_usd=cost,
                        seconds=seconds,
                    )
                )  # fmt: skip

    @staticmethod
    def _why_reused(request: Request, event: Event) -> str:
        if isinstance(request, CancelRequest):
            return "it was cut short there as well"
        if not isinstance(event, StepReused):
            return ""
        if not event.origin:
            return "its result was given"
        changed = isinstance(request, StepRequest) and code_changed(request, event.code)
        return f"{CODE_CHANGED}, which by itself undoes nothing" if changed else ""

    def _assume(self) -> bool:
        """Assume that the first thing that has to happen comes to what it came to before."""
        self._certain = False
        while self._open:
            request = self._open.pop(0)
            if self._is_wanted(request) and (events := self._assumed(request)):
                for event in events:
                    self._record(event)
                return True
        return False

    def _assumed(self, request: Request) -> list[Event]:
        key = request.key
        match request:
            case StepRequest():
                old = self._pool.begun.get(key)
                if old is None or old.status != "succeeded":
                    return []
                mark = fingerprint.fingerprint(request, fingerprint.reads(request))
                now, there = self.state.now, self.state.files_in(request.workspace)
                return [
                    StepReused(
                        key, request.kind, mark, "", result=old.result, tree=there.tree, unseen=there.unseen,
                        files=request.works_on_files, finished=now + len(self.items) + 1,
                        workspace=request.workspace,
                    )
                ]  # fmt: skip
            case ApprovalRequest(by=by, count=count):
                people = [*by, *(f"person {n}" for n in range(count))][:count]
                return [ApprovalDecided(key, True, person) for person in people]
            case TimerRequest():
                return [TimerFired(key)]
            case ChildRequest():
                child = self._pool.children.get(key)
                if child is None or child.status != "succeeded":
                    return []
                run = self.state.children[key].run
                return [ChildFinished(key, run, "succeeded", child.output)]
            case _:
                return []

    def _kept(self) -> list[Item]:
        """What lies before the fork point and stays as it is."""
        return [
            Item(step.key, step.kind, "kept", cost_usd=_cost(step), seconds=step.seconds)
            for step in self.state.steps.values()
            if step.offset < self.state.base and step.key not in self.items
        ]

    def _dropped(self) -> list[Item]:
        certain = self._certain and self._driver.ended is not None
        return [
            Item(
                step.key, step.kind, "dropped", "the workflow asks for it no more", certain,
                cost_usd=_cost(step), seconds=step.seconds,
            )
            for step in self._pool.begun.values()
            if step.key not in self.items and step.key not in self.state.steps
        ]  # fmt: skip


def _kind_of(event: Event) -> str:
    """Return what was taken over; nothing for an event that only leads to it."""
    match event:
        case StepReused(kind=kind):
            return kind
        case ApprovalCarried():
            return "approval"
        case AnswerCarried():
            return "question"
        case ChildFinished():
            return "child"
        case _:
            return ""


def _cost(step: Step | None) -> float:
    return step.usage.cost_usd if step is not None and step.usage is not None else 0.0
