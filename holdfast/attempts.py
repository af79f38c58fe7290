"""What is at work for one run in this process: its attempts, and the child runs it waits for."""

from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio

from holdfast.eventlog import ChildFinished, HoldfastError, SessionOpened
from holdfast.plugins import Progress
from holdfast.reducer import (
    ENDED,
    AgentCall,
    ChildRequest,
    ModelAsk,
    Request,
    State,
    Step,
    StepRequest,
    WorkspaceCall,
    acting,
    fingerprint,
)

from .effects import Done, perform
from .errors import RunBusy, RunReplaced
from .files import Kept
from .journals import LogJournal, Written, read_journal
from .limits import Slots
from .spaces import Spaces
from .turns import Turns

if TYPE_CHECKING:
    from .engine import Engine
    from .execution import Outcome
    from .history import Alarms, History


class Attempt:
    """An attempt at a step, or a child run; `launched` once it has begun."""

    __slots__ = ("emitted", "has_slots", "launched", "number", "request", "scope", "slots")

    def __init__(self, request: StepRequest | ChildRequest, number: int, slots: Slots = ()) -> None:
        self.request = request
        self.number = number
        self.scope = trio.CancelScope()
        self.emitted: list[Progress] = []
        self.launched = False
        self.slots = slots
        self.has_slots = True

    @property
    def is_talkative(self) -> bool:
        """Whether what it says is worth a transcript: a command's output is its result already."""
        request = self.request
        return isinstance(request, StepRequest) and isinstance(request.call, AgentCall | ModelAsk)


class Ended(msgspec.Struct, frozen=True):
    """What an attempt came to: exactly one of `done` and `error` is set."""

    attempt: Attempt
    seconds: float
    done: Done | ChildFinished | None
    error: Exception | None
    kept: Kept = Kept()


Arrival = Ended | SessionOpened | Written


class Attempts:
    """The attempts at work, by key, and the `inbox` of what they came to."""

    def __init__(
        self, engine: "Engine", history: "History", alarms: "Alarms", spaces: Spaces
    ) -> None:
        self.inbox: deque[Arrival] = deque()
        self.arrived = trio.Event()
        self.nursery: trio.Nursery  # where they work: the executor's
        self.running = 0  # tasks that are not over, also those that nobody waits for any more
        self.found_news = False  # an effect was not begun: another owner has claimed the run
        self._engine = engine
        self._history = history
        self._alarms = alarms
        self._spaces = spaces
        self._by_key: dict[str, Attempt] = {}
        self._turns = Turns(engine.limits, history.branch, lambda: self.arrived.set())
        self._resting: dict[str, tuple[int, int]] = {}  # children that wait: branch and head
        self._unwanted: list[Attempt] = []  # to be stopped once that is on disk
        self._unwanted_children: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    @property
    def is_busy(self) -> bool:
        """Whether something is at work or waits for its turn."""
        return bool(self._by_key) or self._turns.are_awaited

    @property
    def mark(self) -> str:
        """What the marks of all processes of this run's steps have in them."""
        return f"{self._engine.log_id}/{self._history.branch}/"

    def mark_of(self, step: Step) -> str:
        """Return the mark of all processes of a step's present attempt."""
        return f"{self.mark}{step.offset}/{step.attempt}"

    # --- beginning -----------------------------------------------------------------------------

    def reserve(self, request: StepRequest | ChildRequest, number: int) -> Attempt:
        """Note that the key is at work; `launch` begins it."""
        slots = self._turns.begin(request.key)
        attempt = self._by_key[request.key] = Attempt(request, number, slots)
        return attempt

    def has_turn(self, key: str, request: StepRequest) -> bool:
        """Get what the limits have for an attempt, or let it wait for its turn."""
        return self._turns.has(key, request)

    def next_in_line(self) -> Request | None:
        """Return a step whose turn has come. If it does not begin then, `give_back` its turn."""
        while (key := self._turns.next()) is not None:
            future = self._history.driver.pending.get(key)
            if future is not None and future.request is not None:
                return future.request
            self._turns.give_back(key)
        return None

    def give_back(self, key: str) -> None:
        """Let a step have no turn that did not begin in it."""
        self._turns.give_back(key)

    def launch(self, attempt: Attempt) -> None:
        """Begin, unless what was reserved has been dropped before its start was on disk."""
        if not self._is_at_work(attempt):
            return
        attempt.launched = True
        self.running += 1
        if isinstance(attempt.request, StepRequest):
            step = self._history.state.steps[attempt.request.key]
            self.nursery.start_soon(self._work, attempt, attempt.request, step)
        else:
            self.nursery.start_soon(self._work_on_child, attempt, attempt.request)

    def _is_at_work(self, attempt: Attempt) -> bool:
        return self._by_key.get(attempt.request.key) is attempt

    def _begins(self, attempt: Attempt) -> bool:
        """Tell, in its first moment, whether an attempt is still wanted; else it never was launched.

        An effect that another owner may have begun meanwhile, at a person's word, is not begun as well.
        """
        request = attempt.request
        is_effect = isinstance(request, StepRequest) and request.policy.effect
        if self._is_at_work(attempt):
            if not (is_effect and self._history.is_taken_over()):
                return True
            self.found_news = True
        attempt.launched = False
        self.running -= 1
        self.arrived.set()
        return False

    # --- working -------------------------------------------------------------------------------

    async def _work(self, attempt: Attempt, request: StepRequest, step: Step) -> None:
        if not self._begins(attempt):
            return
        mark = self.mark_of(step)
        at_work = self._spaces.at_work(request)
        at_work.add(mark)
        try:
            ended = await self._perform(attempt, request, step, mark)
        finally:
            at_work.discard(mark)
            self.running -= 1
            self.arrived.set()  # the run's end may have waited for this one
        if ended is not None:
            self._arrive(ended)

    async def _perform(
        self, attempt: Attempt, request: StepRequest, step: Step, mark: str
    ) -> Ended | None:
        """Return what an attempt came to, and the files that it left; None where it was stopped."""
        folder = Path(self._history.state.folder)
        rules = self._engine.sandbox_rules(folder, self._history.workflow)
        doing = acting(request, step.place)
        job = self._spaces.job(doing, step, mark, rules)
        if isinstance(request.call, AgentCall):
            old = read_journal(self._engine.log, self._history.branch, step)
            job = msgspec.structs.replace(job, journal=LogJournal(old, attempt, self._arrive))
        began = trio.current_time()
        done: Done | None = None
        error: Exception | None = None
        with attempt.scope:
            try:
                if isinstance(request.call, WorkspaceCall):
                    done = await self._spaces.perform(request, request.call)
                else:
                    done = await perform(job, self._engine.plugins, partial(self._emit, attempt))
            except Exception as raised:  # noqa: BLE001 - recorded as what the attempt came to
                error = raised
        if done is None and error is None:
            return None
        seconds = trio.current_time() - began
        kept = await self._spaces.keep(request, error)
        return Ended(attempt, seconds, done, error, kept)

    async def _work_on_child(self, attempt: Attempt, request: ChildRequest) -> None:
        if not self._begins(attempt):
            return
        run = self._history.state.children[request.key].run
        try:
            outcome = await self._engine.execute_child(
                run,
                request,
                self._history.state,
                is_wanted=lambda: not attempt.scope.cancel_called,
                edits=self._spaces.edits,
                folder=self._spaces.folder_of(request),
            )
        except (RunBusy, RunReplaced):
            self._rest(attempt, run)  # another process is at it: its end is news to wait for
            return
        except Exception as raised:  # noqa: BLE001 - raised again where the parent takes it in
            self._arrive(Ended(attempt, 0, None, raised))
            return
        finally:
            self.running -= 1
            self.arrived.set()
        if outcome.status in ENDED:
            output = msgspec.Raw(fingerprint.encode(outcome.output, f"the output of {run!r}"))
            event = ChildFinished(
                request.key, run, outcome.status, output, outcome.error, outcome.usage
            )
            self._arrive(Ended(attempt, 0, event, None))
        else:
            self._rest(attempt, run, outcome)

    def _rest(self, attempt: Attempt, run: str, outcome: "Outcome | None" = None) -> None:
        """Let a child be until something happens to it, or its next moment has come."""
        key = attempt.request.key
        if not self._is_at_work(attempt):
            return
        del self._by_key[key]
        row = self._engine.log.run(run)
        if outcome is None:
            at_rest = row.head if row.owner else -1  # let go just now: look at it again at once
        else:
            at_rest = outcome.offset
            if outcome.until:
                self._alarms.set(outcome.until, key)
        self._resting[key] = (row.branch, at_rest)
        self.arrived.set()

    def _emit(self, attempt: Attempt, progress: Progress) -> None:
        key = attempt.request.key
        if attempt.is_talkative:
            attempt.emitted.append(progress)
        if progress.kind == "session" and progress.text:
            self.inbox.append(SessionOpened(key, progress.text, attempt.number))
            self.arrived.set()
        if self._engine.watcher is not None:
            self._engine.watcher.progress(self._history.state.run, key, progress)

    def _arrive(self, arrival: Ended | Written) -> None:
        self.inbox.append(arrival)
        self.arrived.set()

    # --- ending --------------------------------------------------------------------------------

    def take(self, arrival: Arrival) -> bool:
        """Take an arrival off the work; return False when nobody waits for it any more."""
        if isinstance(arrival, SessionOpened):
            return arrival.key in self._by_key
        if isinstance(arrival, Written):
            return self._is_at_work(arrival.attempt)
        request = arrival.attempt.request
        if not self._is_at_work(arrival.attempt):
            return False
        del self._by_key[request.key]
        self._free(arrival.attempt)
        return True

    def acknowledge(self, arrivals: list[Arrival]) -> None:
        """Let the agents go on whose entries are on disk now."""
        for arrival in arrivals:
            if isinstance(arrival, Written) and self._is_at_work(arrival.attempt):
                arrival.durable.set()

    def drop(self, key: str) -> None:
        """Take what is at work for a key off the work; `stop_unwanted` stops it, after the commit."""
        attempt, child = self._by_key.pop(key, None), self._history.state.children.get(key)
        if attempt is not None:
            self._unwanted.append(attempt)
        self._turns.leave(key)
        if child is not None and child.run and child.status not in ENDED:
            self._unwanted_children.append(child.run)

    @property
    def has_unwanted(self) -> bool:
        """Whether something is to be stopped."""
        return bool(self._unwanted or self._unwanted_children)

    def is_unwanted(self, arrival: Arrival) -> bool:
        """Whether it comes from what is to be stopped, unless the commit meets a branch that moved."""
        return not isinstance(arrival, SessionOpened) and arrival.attempt in self._unwanted

    def stop_unwanted(self) -> None:
        """Stop what was dropped; child runs are asked to cancel themselves."""
        unwanted, self._unwanted = self._unwanted, []
        children, self._unwanted_children = self._unwanted_children, []
        for attempt in unwanted:
            self._stop(attempt)
        for run in children:
            self._part_with(run)

    def remind_children(self) -> None:
        """Cancel the children that a killed owner no longer wanted and may not have told.

        Those of the run that a fork left are that run's, which goes on by itself.
        """
        state = self._history.state
        left = state.forked is not None and state.forked.reason == "fork"
        for child in state.children.values():
            is_ours = not left or child.offset >= state.base
            if is_ours and child.run and child.status == "cancelled":
                self._part_with(child.run)

    def _part_with(self, run: str) -> None:
        """Ask a child to cancel itself; one that nobody executes is executed for that."""
        if self._engine.cancel_child(run):
            self.running += 1
            self.nursery.start_soon(self._see_off, run)

    async def _see_off(self, run: str) -> None:
        try:
            await self._engine.execute(run)
        except HoldfastError:
            return  # somebody else is at it, only a person can mend it, or the log fails us as well
        finally:
            self.running -= 1
            self.arrived.set()

    def _stop(self, attempt: Attempt) -> None:
        self._free(attempt)
        attempt.scope.cancel()  # a child run is not in it, and ends by itself

    def rouse(self) -> None:
        """Look at all children that wait, whatever has happened to them."""
        self._resting = {key: (branch, -1) for key, (branch, _) in self._resting.items()}

    def roused(self) -> list[Request]:
        """Return the requests for children that waited and to whom something happened since."""
        requests: list[Request] = []
        for key, (branch, head) in list(self._resting.items()):
            future = self._history.driver.pending.get(key)
            if future is None or self._engine.log.head(branch) != head:
                del self._resting[key]
                if future is not None and future.request is not None:
                    requests.append(future.request)
        return requests

    def keep_only_recorded(self, arrivals: list[Arrival]) -> list[Attempt]:
        """After the history was rebuilt: go on with what it knows of, and stop the rest.

        `arrivals` were taken already, into a batch that was not committed: they arrive again. Returns
        what is still to be launched.
        """
        for key in self._turns.keys:
            if key not in self._history.driver.pending:
                self._turns.leave(key)
        self._unwanted_children.clear()
        ended = [arrival.attempt for arrival in arrivals if isinstance(arrival, Ended)]
        attempts = [*self._by_key.values(), *ended, *self._unwanted]
        self._by_key, self._unwanted = {}, []
        for attempt in attempts:
            if _is_recorded(self._history.state, attempt):
                self._by_key[attempt.request.key] = attempt
                self._take_slots(attempt)
            else:
                self._stop(attempt)
        self.inbox.extendleft(reversed(arrivals))
        return [attempt for attempt in self._by_key.values() if not attempt.launched]

    def close(self) -> None:
        """Give back all slots."""
        for attempt in [*self._by_key.values(), *self._unwanted]:
            self._free(attempt)
        for key in self._turns.keys:
            self._turns.leave(key)

    def _free(self, attempt: Attempt) -> None:
        if attempt.has_slots:
            attempt.has_slots = False
            self._engine.limits.release(attempt.slots)

    def _take_slots(self, attempt: Attempt) -> None:
        if not attempt.has_slots:
            attempt.has_slots = True
            self._engine.limits.take(attempt.slots)


def _is_recorded(state: State, attempt: Attempt) -> bool:
    if isinstance(attempt.request, ChildRequest):
        child = state.children.get(attempt.request.key)
        return child is not None and bool(child.run) and child.status not in ENDED
    step = state.steps.get(attempt.request.key)
    return step is not None and (step.attempt, step.status) == (attempt.number, "running")
