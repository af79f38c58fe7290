"""One run being executed: ask the driver, decide, log, do, and again, until it ends or only waits.

The rule of every line here: an event is durable before anybody acts on it. What is to be done once the
recorded events are on disk waits in `Answers.to_launch` and among the unwanted attempts.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec
import trio

from holdfast.eventlog import (
    AnyEvent,
    ApprovalDecided,
    BranchMoved,
    Failure,
    NoSuchRun,
    RunReleased,
    TimerFired,
    Usage,
)
from holdfast.plugins import RedactionFailed
from holdfast.reducer import (
    ENDED,
    ChildRequest,
    Edits,
    StepRequest,
    TimerRequest,
    Workflow,
    WorkflowError,
    spent_below,
)
from holdfast.workspaces import WorkspaceError

from .answers import Answers
from .attempts import Arrival, Attempts, Ended
from .effects import failure
from .errors import FilesEdited
from .history import Alarms, History
from .journals import Written, journaled
from .orphans import end_orphans, may_have_orphans
from .outcomes import end_of_run, events_of
from .pausing import paused_with
from .spaces import Spaces

if TYPE_CHECKING:
    from .engine import Engine

STOPPING = (WorkflowError, RedactionFailed, WorkspaceError, FilesEdited)  # a person has to help
MOST_UNCOMMITTED = 1000  # events of pure steps


class Outcome(msgspec.Struct, frozen=True):
    """How an execution ended. `waiting` are the keys that a waiting run waits for.

    `until` is the next moment, in ns since 1970, at which it goes on by itself; 0: only news help.
    `usage` is what counts towards a budget, with that of its children; None: nothing.
    """

    run: str
    status: str
    offset: int
    output: Any = None
    error: Failure | None = None
    waiting: tuple[str, ...] = ()
    until: int = 0
    usage: Usage | None = None


class Execution:
    """Executes one run in this process, which has claimed it."""

    def __init__(
        self, engine: "Engine", branch: int, workflow: Workflow, edits: Edits = "refuse"
    ) -> None:
        self._engine = engine
        self._history = History(engine, branch, workflow)
        self._alarms = Alarms()
        self._spaces = Spaces(engine, self._history, edits)
        self._attempts = Attempts(engine, self._history, self._alarms, self._spaces)
        self._answers = Answers(engine, self._history, self._attempts, self._alarms, self._spaces)
        self._absorbed: list[Arrival] = []  # what the uncommitted events were made of
        self._is_awaited = False  # an agent goes on when the uncommitted events are on disk
        self._news = False
        self._edited: tuple[Workflow, Callable[[str], None]] | None = None

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

    def edit(self, workflow: Workflow, tell: Callable[[str], None]) -> None:
        """Go on with edited code from the next quiet moment on; `tell` says what became of it."""
        self._edited = workflow, tell
        self.wake()

    # --- the loop ------------------------------------------------------------------------------

    async def go(self) -> Outcome:
        """Execute until the run ends or all that is left is waiting."""
        problem: Exception | None = None
        interrupted = False
        try:
            try:
                async with trio.open_nursery() as nursery:
                    self._attempts.nursery = nursery
                    try:
                        await self._loop()
                    except Exception as error:  # noqa: BLE001 - raised below, outside of the nursery
                        problem = error
                    except BaseException as stop:  # here, because the nursery wraps it in a group
                        interrupted = _is_cancel(stop)
                        raise
                    nursery.cancel_scope.cancel()
            finally:
                if interrupted:
                    with trio.CancelScope(shield=True):
                        await self._let_go("interrupted", None)
            if isinstance(problem, STOPPING):
                built_in = self._engine.redactor.built_in()  # the plugins may be what is broken
                await self._let_go("stopped", failure(problem, built_in.text))
        finally:
            self._attempts.close()
            self._history.driver.close()
        if problem is not None:
            raise problem
        return self._outcome()

    # --- letting go ----------------------------------------------------------------------------

    async def _let_go(self, reason: str, why: Failure | None) -> None:
        """Release the run, with all that has ended by now, behind what others appended meanwhile."""
        is_ours = not self._history.is_lost or self._keep_only_recorded()
        while is_ours:
            self._keep_last_results()
            never_begun = {attempt.request.key for attempt in self._answers.to_launch}
            try:
                await self._history.release(reason, why, never_begun=never_begun)
            except BranchMoved:
                is_ours = self._keep_only_recorded()
            else:
                return

    def _keep_only_recorded(self) -> bool:
        """Forget what is not on disk, but for what has ended; return whether the run is still ours."""
        is_ours = self._history.reload()
        absorbed, self._absorbed = self._absorbed, []
        self._attempts.keep_only_recorded(absorbed)
        return is_ours

    def _keep_last_results(self) -> None:
        """Record what ended while everything was being stopped: it is finished work."""
        inbox = self._attempts.inbox
        while inbox:
            arrival = inbox.popleft()
            is_kept = isinstance(arrival, Written) or (isinstance(arrival, Ended) and arrival.done)
            if is_kept and self._attempts.take(arrival):
                self._absorbed.append(arrival)
                self._keep(arrival)

    def _keep(self, arrival: Arrival) -> None:
        try:
            events = self._events_of(arrival)
        except RedactionFailed:
            return  # not to be written with its secrets; the others and the release are
        for event in events:
            self._history.keep(event)

    async def _loop(self) -> None:
        self._history.rebuild()
        self._look_at_parent()
        self._attempts.remind_children()
        await self._end_orphans()
        self._answers.consider_pending()
        self._finish_if_ended()
        while True:
            await self._see_to_files()
            if not await self._overlaps():
                await self._commit()
                if self._history.state.status in ENDED:
                    return
                if not await self._wait():
                    return
            self._intake()
            self._absorb()

    async def _see_to_files(self) -> None:
        """Look at the files, and bring others back, before the steps begin that are held for that."""
        while self._answers.held:
            files, held, about = self._spaces.first_of(self._answers.held)
            look = await files.look(held, about)
            for event in look.events:
                self._answers.record(event)
            if look.back_to:
                await self._commit()
                if files.known.restoring != look.back_to:
                    continue  # another process appended first, and nothing is recorded: look again
                self._answers.record(await files.bring_back(look.back_to))
            self._answers.begin(held)
            self._finish_if_ended()

    async def _wait(self) -> bool:
        """Wait until there is something to do; False when only waiting is left."""
        return bool(self._attempts.inbox or self._answers.held) or await self._sleep()

    async def _overlaps(self) -> bool:
        """Whether the commit may wait: all that began is pure, and some of it has ended already."""
        if self._answers.to_launch or self._attempts.has_unwanted or not self._attempts.is_busy:
            return False
        if self._is_awaited:
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
                self._attempts.acknowledge(self._absorbed)
                self._absorbed.clear()
                self._is_awaited = False
            self._act_upon_commits()

    def _act_upon_commits(self) -> None:
        """Do what waited for the events that were recorded, once all of them are on disk."""
        if self._history.uncommitted:
            return
        attempts, self._answers.to_launch = self._answers.to_launch, []
        for attempt in attempts:
            self._attempts.launch(attempt)
        self._attempts.stop_unwanted()
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
                waiting = self._answers.waited_for()
                self._answers.record(RunReleased(self._engine.owner.token, "waiting", waiting))
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
        if not self._news and not self._attempts.found_news:
            return
        self._news = False
        if self._edited is not None:
            self._take_up(*self._edited)
            self._edited = None
        was_paused = self._answers.is_paused
        self._look_at_parent()
        if self._history.is_behind:
            self._take_news()
        if was_paused and not self._answers.is_paused:
            self._answers.go_on()
            self._attempts.rouse()

    def _look_at_parent(self) -> None:
        parent = self._history.state.parent
        log = self._engine.log
        try:
            self._answers.parent_paused = bool(parent and paused_with(log, log.run(parent)))
        except NoSuchRun:
            self._answers.parent_paused = False

    def _take_news(self) -> None:
        # All of it first: what we record stands behind it in the log, so it does here as well.
        news = list(self._history.news())
        for event, requests in news:
            self._answers.consider(requests)
            if isinstance(event, ApprovalDecided):
                self._answers.consider_again(event.key)

    def _start_over(self) -> None:
        """Another process appended while we had events of our own at hand.

        The log's order is the one that every replay will see, so the driver is brought there anew and
        told again of the attempts that ended meanwhile. Nothing of the lost batch was acted upon, but
        for pure steps, which are stopped and done again.
        """
        self._history.check_claims()
        self._drive_anew()

    def _take_up(self, workflow: Workflow, tell: Callable[[str], None]) -> None:
        """Drive edited code to where the run is, unless it asks otherwise for what has begun."""
        try:
            mismatch = self._history.mismatch(workflow)
        except WorkflowError as error:
            tell(f"the edited workflow cannot be driven, and the old one goes on: {error}")
            return
        if mismatch is not None:
            tell(
                f"the edit reaches {mismatch.key!r}, which has begun, so the old code goes on. To take "
                f"it up, stop the run, then: holdfast resume {self._history.state.run} --accept"
            )
            return
        self._history.use(workflow)
        self._drive_anew()
        tell("the edited workflow is in use, for what has not begun")

    def _drive_anew(self) -> None:
        self._history.driver.close()
        self._history.rebuild()
        self._answers.forget()
        self._alarms.clear()
        absorbed, self._absorbed = self._absorbed, []
        self._answers.to_launch.extend(self._attempts.keep_only_recorded(absorbed))
        self._answers.consider_pending()
        self._finish_if_ended()
        self._absorb()

    async def _end_orphans(self) -> None:
        if may_have_orphans(self._history.state):
            await end_orphans(self._engine.log, self._engine.log_id, self._history.branch)

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
        self._answers.consider(self._attempts.roused())
        while (request := self._attempts.next_in_line()) is not None:
            self._answers.consider([request])
            self._attempts.give_back(request.key)
        self._finish_if_ended()

    def _absorb_one(self, arrival: Arrival) -> None:
        self._is_awaited |= isinstance(arrival, Written)
        for event in self._events_of(arrival):
            self._answers.record(event)
        if isinstance(arrival, Ended):
            self._answers.consider_again(arrival.attempt.request.key)

    def _events_of(self, arrival: Arrival) -> list[AnyEvent]:
        if isinstance(arrival, Ended):
            return events_of(arrival, self._history)
        if isinstance(arrival, Written):
            return [journaled(arrival, self._history)]
        return [arrival]

    def _fire(self, key: str) -> None:
        """Do what an alarm was set for, if it is still wanted."""
        state, future = self._history.state, self._history.driver.pending.get(key)
        if future is None or key in self._attempts:
            return
        gate = state.gates.get(key)
        if isinstance(future.request, TimerRequest) and key in state.timers:
            self._answers.record(TimerFired(key))
        elif isinstance(future.request, StepRequest | ChildRequest):
            self._answers.consider([future.request])
        elif gate is not None and gate.decision is None:
            self._answers.expire(gate)

    # --- the end -------------------------------------------------------------------------------

    def _finish_if_ended(self) -> None:
        """Record the end once nothing is at work: nobody would look for orphans of an ended run."""
        history = self._history
        over = history.driver.ended is not None and self.is_idle and not self._attempts.has_unwanted
        if over and history.state.status not in ENDED:
            self._answers.record(end_of_run(history.driver, history))

    def _outcome(self) -> Outcome:
        state = self._history.state
        output = msgspec.msgpack.decode(self._history.load(state.output))
        until = self._alarms.next or 0
        return Outcome(
            state.run,
            state.status,
            state.offset,
            output,
            state.error,
            state.waiting,
            until,
            spent_below(state),
        )


def _is_cancel(stop: BaseException) -> bool:
    """Tell whether trio stops us: git runs in a nursery of its own, out of which that comes as a group.

    What failed beside it changes nothing; what ends the process does, for then nothing more is written.
    """
    if not isinstance(stop, BaseExceptionGroup):
        return isinstance(stop, trio.Cancelled)
    group = cast(BaseExceptionGroup[BaseException], stop)
    _, others = group.split((trio.Cancelled, Exception))
    return others is None
