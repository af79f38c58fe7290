"""A run's history as its executor has it: what the log has, and what waits for the next commit."""

import heapq
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from holdfast.eventlog import (
    AnyEvent,
    Batch,
    BranchMoved,
    Failure,
    RunClaimed,
    RunContinued,
    RunReleased,
    StepStarted,
    Value,
    pack,
    reference,
)
from holdfast.reducer import (
    ENDED,
    Agenda,
    Driver,
    Mismatch,
    Pool,
    Request,
    State,
    Workflow,
    digest,
    follow,
    redrive,
    reduce,
    replay,
    take,
)

from .audience import Audience
from .continuing import is_continuation, successor
from .errors import RunReplaced, RunTooNew
from .frames import one
from .pools import pool_for

if TYPE_CHECKING:
    from .engine import Engine


class History:
    """The events of one run. `state` and `driver` have taken in the uncommitted ones too.

    `now` is the time that the next events will bear, in ns since 1970; `pool` is what a fork may take
    over, and `agenda` has the requests that wait for an answer.
    """

    def __init__(self, engine: "Engine", branch: int, workflow: Workflow) -> None:
        self.branch = branch
        self.use(workflow)
        self.state = State()
        self.driver = Driver(workflow, self.load)
        self.now = 0
        self.uncommitted: list[AnyEvent] = []
        self.committed = 0  # offset up to which the log has been taken in
        self.redactor = engine.redactor
        self._audience = Audience(engine.log, branch, engine.plugins)
        self._engine = engine
        self._blobs: dict[bytes, bytes] = {}
        self.pool: Pool | None = None
        self.agenda = Agenda()

    def use(self, workflow: Workflow) -> None:
        """Drive this workflow's code, from the next `rebuild` on."""
        self.workflow = workflow
        self.code = digest(workflow.function)

    def mismatch(self, workflow: Workflow) -> Mismatch | None:
        """Tell where another workflow's code asks for something else than what is recorded."""
        driver = Driver(workflow, self.load)
        try:
            return follow(driver, self._engine.log.records(self.branch))[1]
        finally:
            driver.close()

    def rebuild(self) -> None:
        """Bring state and a new driver to where the log is; what was not committed is forgotten."""
        self.forget()
        log = self._engine.log
        self.state = State()
        self.driver = Driver(self.workflow, self.load)
        self.committed = log.head(self.branch)
        records, hide = self._audience.begin(log.records(self.branch)), self.redactor.value
        self.state = redrive(self.driver, records, code=self.code, redact=hide)
        self.committed = self.state.offset
        self.pool = self.pool or pool_for(log, self.state)
        self.agenda = Agenda(self.pool, self.pack)
        self.tick()
        self._check_owner()
        if self.state.unknown:
            raise RunTooNew(self.state.run, self.state.unknown)

    @property
    def is_lost(self) -> bool:
        """Whether the driver could not be brought to where the log is."""
        return self.state.offset < self.committed

    def reload(self) -> bool:
        """Bring the state alone to where the log is; return whether the run is still ours."""
        self.forget()
        self.state = replay(self._engine.log.records(self.branch))
        self.committed = self.state.offset
        self.tick()
        return self.state.owner == self._engine.owner.token

    def tick(self) -> None:
        """Let what is recorded from here on bear the present time, which never goes back."""
        self.now = max(self._engine.now(), self.state.now)

    # --- writing -------------------------------------------------------------------------------

    def record(self, event: AnyEvent) -> list[Request]:
        """Take an event in, to be committed with the next ones; return what is asked for then."""
        self.uncommitted.append(event)
        self.state = reduce(self.state, event, self.now)
        return take(self.driver, self.state, event)

    def pack(self, raw: bytes) -> Value:
        """Return a value for an event, without secrets; a large one is committed as a blob with it."""
        return pack(self.redactor.value(raw), self._blobs)

    async def commit(self) -> None:
        """Make all that was recorded durable.

        Raises BranchMoved when the log has news, RunReplaced where the run's name is another history's.
        """
        events = self.uncommitted
        if is_continuation(events):
            claim, actor = self._engine.claim_event(), self._engine.actor
            try:
                await self._engine.commit_successor(successor(self, actor, claim, self._blobs))
            except BranchMoved:
                if self.is_behind:
                    raise
                raise RunReplaced(self.state.run, "its name leads to another history") from None
            self.committed += len(events)
        else:
            self.committed = await self._engine.commit(self._batch(events))
        self.forget()
        self._audience.show(self.committed, self.state)
        if self._engine.watcher is not None:
            self._engine.watcher.events(self.state, events)

    async def release(
        self, reason: str, why: Failure | None, *, never_begun: Container[str] = ()
    ) -> None:
        """Let go of the run, with all that was recorded, so that it can be resumed at once.

        `never_begun` are the keys of steps whose recorded start is not to stand. Raises BranchMoved when
        the log has news.
        """
        if self.state.status in ENDED and not self.uncommitted:
            return
        if not self.uncommitted:  # those bear the time that the workflow has seen already
            self.tick()
        served = self._engine.serves and reason == "interrupted"
        released = RunReleased(self._engine.owner.token, reason, [], why, served)
        kept: list[AnyEvent] = [
            event
            for event in self.uncommitted
            if not (isinstance(event, StepStarted) and event.key in never_begun)
            and not isinstance(event, RunContinued)  # it has no next history yet: asked for again
        ]
        over = self.state.status in ENDED and self.state.status != "continued"
        head = await self._engine.commit(self._batch(kept if over else [*kept, released]))
        self._audience.show(head, self.state)

    def _is_replaced(self) -> bool:
        try:
            self.check_claims()
        except RunReplaced:
            return True
        return False

    def keep(self, event: AnyEvent) -> None:
        """Take an event in without asking the workflow what comes next: the run is let go."""
        self.uncommitted.append(event)
        self.state = reduce(self.state, event, self.now)

    def forget(self) -> None:
        """Forget what is not committed."""
        self.uncommitted, self._blobs = [], {}

    def _batch(self, events: list[AnyEvent]) -> Batch:
        actor = self._engine.actor
        return Batch(self.branch, events, self.committed, actor, self.now, self._blobs)

    # --- reading -------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether another process has appended something."""
        return self._engine.log.head(self.branch) != self.committed

    def news(self) -> Iterator[tuple[AnyEvent, list[Request]]]:
        """Take in what others appended, with what is asked for then. Raises RunReplaced."""
        for record in self._engine.log.records(self.branch, self.committed):
            self.check_claim(record.event)
            self.committed = record.offset + 1
            self.state = reduce(self.state, record.event, record.time)
            yield record.event, take(self.driver, self.state, record.event)

    def is_taken_over(self) -> bool:
        """Look in the log whether another owner has claimed the run since."""
        return self.is_behind and self._is_replaced()

    def check_claim(self, event: AnyEvent) -> None:
        """Raise RunReplaced when the event is another owner's claim."""
        if isinstance(event, RunClaimed) and event.owner != self._engine.owner.token:
            self.forget()
            raise RunReplaced(self.state.run, f"process {event.pid} on {event.host!r}")

    def _check_owner(self) -> None:
        """Raise RunReplaced when another took the run over before all of its history was read."""
        if self.state.owner != self._engine.owner.token:
            row = self._engine.log.run(self.state.run)
            raise RunReplaced(self.state.run, f"process {row.pid} on {row.host!r}")

    def check_claims(self) -> None:
        """Raise RunReplaced when another owner's claim is among what others appended."""
        for record in self._engine.log.records(self.branch, self.committed):
            self.check_claim(record.event)

    def branch_at(self, offset: int) -> int:
        """Return the branch that has the event at an offset: this one, or one that it came from."""
        if offset >= self.committed:
            return self.branch
        return one(self._engine.log, self.branch, offset).branch

    def load(self, value: Value) -> bytes:
        """Return a value's MessagePack bytes; a blob that is not committed yet is still at hand."""
        if self._blobs and (place := reference(value)) is not None:
            pending = self._blobs.get(place.digest)
            if pending is not None:
                return pending
        return self._engine.log.load(value)


class Alarms:
    """Moments at which something is to be done about a key; times in ns since 1970."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []

    def set(self, time: int, key: str) -> None:
        heapq.heappush(self._heap, (time, key))

    @property
    def next(self) -> int | None:
        """The earliest moment, or None."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: int) -> Iterator[str]:
        """Yield, and forget, the keys whose moment has come."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[1]

    def clear(self) -> None:
        self._heap.clear()
