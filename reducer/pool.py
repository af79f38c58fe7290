"""What the history that a fork left has to offer it, and the order in which the fork takes it over.

A result is taken over where key, fingerprint and the files that the step saw are the same. It is taken in
the order of the history that it comes from, so that races end and files change as they did there.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from holdfast.eventlog import (
    AnswerCarried,
    ApprovalCarried,
    ApprovalRequested,
    Ballot,
    ChildFinished,
    ChildStarted,
    Event,
    GateExpired,
    QuestionAsked,
    StepReused,
    TimerFired,
    TimerSet,
    Value,
)

from . import fingerprint
from .edits import edited_result, within
from .redrive import code_changed
from .requests import (
    ApprovalRequest,
    CancelRequest,
    CeilingRequest,
    ChildRequest,
    NoteRequest,
    QuestionRequest,
    Request,
    StepRequest,
    TimerRequest,
)
from .state import ENDED, Child, Gate, State, Step
from .tree import known_as, same_files

Pack = Callable[[bytes], Value]
Place = tuple[int, int]
"""The rank of a history, and twice an offset in it, less one for what begins there."""

FIRST: Place = (-1, 0)
_OVER = frozenset({"succeeded", "failed", "cancelled"})
_GOOD = frozenset({"succeeded", "cancelled"})


class Kin(msgspec.Struct, frozen=True):
    """A child run in another history: how that history knows it, and where it is left.

    What it had done when its parent was left, at the event `at` of `branch`, stands like the parent's
    own; where it began after that there is no `at`.
    """

    child: Child
    branch: int = 0
    at: int = 0


class Pool:
    """The results of other histories, the nearest first. `steps`, `gates` and `children` are by key."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.gates: dict[str, Gate] = {}
        self.children: dict[str, Child] = {}
        self.fired: dict[str, int] = {}  # notes, ceilings and timers, with their offset
        self.timers: dict[str, int] = {}  # open ones, with their time
        self.begun: dict[str, Step] = {}  # all that was started, whatever came of it
        self.kin: dict[str, Kin] = {}  # all child runs, whatever came of them
        self.origins: dict[str, str] = {}  # key -> the run that a result is taken from
        self._ranks: dict[str, int] = {}
        self._asked: set[str] = set()  # all gates that were opened

    def add(self, state: State, *, rank: int, left: tuple[int, int] | None = None) -> None:
        """Offer a history: what was done well in it; all that was done and decided where it was `left`.

        That is a branch and an offset in it.
        """
        everything = left is not None
        self._add_steps(state, rank, everything=everything)
        self._add_gates(state, rank, everything=everything)
        self._add_children(state, rank, everything=everything)
        if everything:
            for key, offset in state.passed.items():
                self.fired.setdefault(key, offset)
                self._ranks.setdefault(key, rank)
            for timer in state.timers.values():
                self.timers.setdefault(timer.key, timer.until)
        self.know(state, left)

    def _add_steps(self, state: State, rank: int, *, everything: bool) -> None:
        for key, step in state.steps.items():
            all_of_it = everything and key not in self.begun  # a nearer history has the last word
            wanted = step.status in (_OVER if all_of_it else _GOOD)
            given = step.reused and not step.origin  # by an edit, which this run may not have
            if wanted and not given and key not in self.steps:
                self.steps[key] = step
                self.origins[key], self._ranks[key] = step.origin or state.run, rank

    def _add_gates(self, state: State, rank: int, *, everything: bool) -> None:
        for key, gate in state.gates.items():
            all_of_it = everything and key not in self._asked
            decided = gate.decision is not None and (all_of_it or gate.decision.approved)
            if decided and gate.kind in ("approval", "question") and key not in self.gates:
                self.gates[key] = gate
                self.origins[key], self._ranks[key] = gate.origin or state.run, rank

    def _add_children(self, state: State, rank: int, *, everything: bool) -> None:
        for key, child in state.children.items():
            known = self.children.get(key)
            if known is not None and (known.status in ENDED or child.status != "succeeded"):
                continue
            if everything or child.status == "succeeded":
                self.children[key] = child
                self._ranks.setdefault(key, rank)

    def know(self, state: State, left: tuple[int, int] | None = None) -> None:
        """Know what was begun in a history, without offering it."""
        for key, step in state.steps.items():
            self.begun.setdefault(key, step)
        self._asked.update(state.gates)
        for key, child in state.children.items():
            self.kin.setdefault(key, Kin(child, *left) if left else Kin(child))

    def begin(self, key: str, offset: int) -> Place:
        """Return the place of what began with an event: behind all that ended before that one."""
        return self._ranks.get(key, 0), 2 * offset - 1

    def end(self, key: str, offset: int) -> Place:
        """Return the place of what ended with an event."""
        return self._ranks.get(key, 0), 2 * offset


class Reusable(msgspec.Struct, frozen=True):
    """What answers a request without doing it again: the events that say so, and where they stood."""

    place: Place
    events: list[Event]


Stage = Literal["begin", "end"]


class Agenda:
    """The requests of a run that wait for an answer: first what the pool has, then the others as asked."""

    def __init__(self, pool: Pool | None = None, pack: Pack = msgspec.Raw) -> None:
        self.pool = pool
        self._pack = pack
        self._fresh: deque[Request] = deque()
        self._known: list[tuple[Place, int, Stage, Request, list[Event]]] = []
        # at work, until they are cancelled as they were there
        self._losers: dict[str, tuple[Step, int]] = {}
        self._count = 0

    def put(self, request: Request) -> None:
        """Add a request."""
        place = None if self.pool is None else self._beginning(self.pool, request)
        if place is None:
            self._fresh.append(request)
        else:
            self._push(place, "begin", request, [])

    def _push(self, place: Place, stage: Stage, request: Request, events: list[Event]) -> None:
        self._count += 1
        heapq.heappush(self._known, (place, self._count, stage, request, events))

    def take(
        self, state: State, is_wanted: Callable[[Request], bool]
    ) -> tuple[Request, Sequence[Event]] | None:
        """Return the next request that is still wanted, and the events that answer it, if any do."""
        while self._known:
            place, _, stage, request, events = heapq.heappop(self._known)
            if not is_wanted(request):
                continue
            if stage == "end":
                if not events:
                    self._losers.pop(request.key, None)  # whoever won there does not here
                return request, events
            found = self._match(state, request)
            if found is None:
                self._fresh.append(request)
            elif found.place > place:
                self._push(found.place, "end", request, found.events)
            else:
                return request, found.events
        while self._fresh:
            request = self._fresh.popleft()
            if is_wanted(request):
                return request, self._given(state, request)
        return None

    # --- where a request stood -------------------------------------------------------------------

    def _beginning(self, pool: Pool, request: Request) -> Place | None:
        key = request.key
        match request:
            case StepRequest() if (step := pool.steps.get(key)) is not None:
                return pool.begin(key, step.begun)  # what its newest attempt found is compared
            case ApprovalRequest() | QuestionRequest() if (gate := pool.gates.get(key)) is not None:
                return pool.begin(key, gate.offset)
            case ChildRequest() if (child := pool.children.get(key)) is not None:
                return pool.begin(key, child.offset)
            case NoteRequest() | CeilingRequest() | TimerRequest() if key in pool.fired:
                return pool.end(key, pool.fired[key])
            case TimerRequest() if key in pool.timers:
                return FIRST
            case CancelRequest() if (step := pool.steps.get(key)) is not None:
                return pool.end(key, step.last)
            case CancelRequest():
                return FIRST
            case _:
                return None

    def _match(self, state: State, request: Request) -> Reusable | None:
        assert self.pool is not None, "it gave the place"
        match request:
            case StepRequest():
                return self._match_step(self.pool, state, request)
            case ApprovalRequest():
                return self._match_gate(self.pool, state, request)
            case QuestionRequest():
                return self._match_question(self.pool, state, request)
            case ChildRequest():
                return self._match_child(self.pool, state, request)
            case CancelRequest(key=key):
                loser = self._losers.pop(key, None)
                events = (
                    [] if loser is None else [_reused(loser[0], self.pool.origins[key], loser[1])]
                )
                return Reusable(FIRST, [*events])
            case TimerRequest(key=key) if key in self.pool.fired:
                return Reusable(FIRST, [TimerSet(key, state.now), TimerFired(key)])
            case TimerRequest(key=key):
                shift = state.forked.shift if state.forked else 0
                until = self.pool.timers[key] + shift
                return Reusable(FIRST, [] if key in state.timers else [TimerSet(key, until)])
            case _:
                return Reusable(FIRST, [])

    # --- whether it may be taken over ------------------------------------------------------------

    def _match_step(self, pool: Pool, state: State, request: StepRequest) -> Reusable | None:
        found, key = pool.steps[request.key], request.key
        if given := self._given(state, request):
            return Reusable(FIRST, [*given])
        if self.difference(state, request, found) is not None:
            return None
        if found.status == "cancelled":
            self._losers[key] = found, state.offset
            return Reusable(_NEVER, [])
        return Reusable(
            pool.end(key, found.last), [_reused(found, pool.origins[key], state.offset)]
        )

    def _given(self, state: State, request: Request) -> Sequence[Event]:
        """Return the result that an edit gives a step."""
        if not isinstance(request, StepRequest) or not state.edits:
            return []
        value = edited_result(request.key, state.edits)
        if value is None:
            return []
        read = fingerprint.reads(request)
        mark = fingerprint.fingerprint(request, read)
        files = request.works_on_files
        there, now = state.files_in(request.workspace), state.now
        return [
            StepReused(
                request.key, request.kind, mark, "", reads=self._pack(read), files=files, tree=there.tree,
                started=now, finished=now, result=value, unseen=there.unseen,
                workspace=request.workspace,
            )
        ]  # fmt: skip

    def difference(self, state: State, request: StepRequest, found: Step) -> str | None:
        """Say what forbids to take a step over, or None: "reads", "code" or "files"."""
        read = fingerprint.reads(request)
        if fingerprint.fingerprint(request, read) != found.fingerprint:
            return "reads"
        rerun = state.forked is not None and state.forked.changed_code == "rerun"
        if rerun and code_changed(request, found.code):
            return "code"
        own = state.steps.get(request.key)
        now = state.files_in(request.workspace) if own is None else own
        alike = not found.files or same_files(found, now)
        return None if alike else "files"

    def _match_gate(self, pool: Pool, state: State, request: ApprovalRequest) -> Reusable | None:
        key, gate = request.key, pool.gates[request.key]
        same = (
            gate.digest == fingerprint.digest_of_subject(request)
            and gate.by == request.by
            and gate.count == request.count
        )
        if not same:
            return None
        asked = ApprovalRequested(
            key,
            gate.subject,
            gate.digest,
            list(gate.by),
            gate.count,
            0,
            request.on_deny,
            form=gate.form,
        )
        ballots = [Ballot(v.by, v.approved, v.time, v.note, v.edits) for v in gate.votes]
        carried: Event = ApprovalCarried(key, pool.origins[key], ballots, gate.digest)
        if gate.expired:
            carried = GateExpired(key)
        events: list[Event] = [carried] if key in state.gates else [asked, carried]
        return Reusable(pool.end(key, gate.last), events)

    def _match_question(
        self, pool: Pool, state: State, request: QuestionRequest
    ) -> Reusable | None:
        key, gate = request.key, pool.gates[request.key]
        asked_same = gate.digest == fingerprint.digest_of_question(request)
        if not asked_same or gate.by != request.by or gate.decision is None:
            return None
        asked = QuestionAsked(key, gate.subject, gate.form, gate.digest, list(gate.by))
        answer = gate.decision
        carried: Event = AnswerCarried(
            key, pool.origins[key], answer.edits, answer.by, answer.time, answer.note, gate.digest
        )
        if gate.expired:
            carried = GateExpired(key)
        events: list[Event] = [carried] if key in state.gates else [asked, carried]
        return Reusable(pool.end(key, gate.last), events)

    def _match_child(self, pool: Pool, state: State, request: ChildRequest) -> Reusable | None:
        key, child = request.key, pool.children[request.key]
        mark = fingerprint.child_fingerprint(request)
        own = state.children.get(key)
        now = state.files_in(request.workspace)
        found = (now.tree, known_as(now)) if own is None else (own.tree,)
        same = child.edits == tuple(within(state.edits, key)) and child.tree in found
        if child.fingerprint != mark or not same:
            return None
        started = ChildStarted(key, child.run, mark, workspace=request.workspace)
        if child.status in ENDED:
            if own is not None and own.run == child.run:
                return None  # it is at work here already
            ended = ChildFinished(key, child.run, child.status, child.output, child.error)
            return Reusable(pool.end(key, child.last), [started, ended])
        if key not in state.children and state.forked and state.forked.reason == "accept":
            return Reusable(FIRST, [started])  # the run goes on, and so does its child
        return None


_NEVER: Place = (1 << 62, 0)


def _reused(step: Step, origin: str, begun: int) -> StepReused:
    return StepReused(
        step.key,
        step.kind,
        step.fingerprint,
        origin,
        step.status,
        step.reads,
        step.code,
        step.files,
        step.tree,
        step.started,
        step.ended,
        step.result,
        step.error,
        step.attempt,
        step.seconds,
        step.usage,
        step.session,
        step.transcript,
        step.snapshot,
        begun,
        step.unseen,
        step.workspace,
        step.head,
        step.by,
    )
