"""The driver: runs a workflow's coroutine without any effect, from recorded answers alone.

It needs no event loop: `start` and `feed` run the workflow until every task waits, and return what it
asks for next. Fed with the same states in the same order it asks for the same, on every machine.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from holdfast.eventlog import Edit, Role, Usage, Value

from .edits import edited
from .errors import Skipped, WorkflowError
from .exits import is_exit
from .foreign import not_durable, without_loop
from .outcome import outcome
from .pmap import PMap
from .requests import (
    ApprovalRequest,
    CancelRequest,
    QuestionRequest,
    Request,
    StepRequest,
)
from .roles import resolved
from .run import Run
from .state import State, Step, leaves_open
from .tasks import Cancelled, Continue, Future, Group, Scope, Spawn, Task, dismiss
from .workflow import Workflow

Load = Callable[[Value], bytes]


class Ended(msgspec.Struct, frozen=True):
    """How the workflow function ended: with `value`, its next input where it continued, or with `error`."""

    status: Literal["succeeded", "failed", "cancelled", "continued"]
    value: Any = None
    error: BaseException | None = None

    def status_of_run(self, state: State) -> str:
        """Return how its run ends by that: one that is to be cancelled goes on in no other history."""
        is_unwanted = self.status == "continued" and state.cancelling is not None
        return "cancelled" if is_unwanted else self.status


class Driver:
    """Drives one workflow. `pending` are the requests without an answer, by key, oldest first;
    `abandoned` those that were cancelled and whose end is not recorded yet, with the reason.

    `load` turns a recorded value into its MessagePack bytes. Raises WorkflowError where the workflow
    cannot be driven; the driver is of no further use then.
    """

    def __init__(self, workflow: Workflow, load: Load) -> None:
        self.workflow = workflow
        self.load = load
        self.pending: dict[str, Future] = {}
        self.abandoned: dict[str, str] = {}
        self.ended: Ended | None = None
        self.now = 0
        self.seed = b""
        self.steps: PMap[Step] = PMap()
        self.used = Usage()
        self.edits: tuple[Edit, ...] = ()
        self.roles: tuple[Role, ...] = ()
        self.current: Task | None = None
        self._ready: deque[tuple[Task, Any, BaseException | None]] = deque()
        self._requests: list[Request] = []
        self._main: Task | None = None

    def start(self, state: State) -> list[Request]:
        """Begin the workflow with the input in `state`, and return its first requests."""
        self.seed, self.edits = state.seed, state.edits
        self._see(state)
        kwargs = self.workflow.arguments(msgspec.msgpack.decode(self.load(state.input)))
        coroutine = self.workflow.function(Run(self), **kwargs)
        self._main = Task(coroutine, Scope(), None, 0)
        self._ready.append((self._main, None, None))
        return self._advance()

    def feed(self, state: State) -> list[Request]:
        """Answer all that the last event resolved, and return what the workflow asks for next."""
        self._see(state)
        for key in state.resolved:
            future = self.pending.pop(key, None)
            if future is None or future.task is None or future.request is None:
                continue  # abandoned meanwhile: its answer is recorded and nobody waits for it
            value, error = outcome(state, future.request, self.load)
            if error is None and future.scope.results is not None:
                future.scope.results[key.removeprefix(future.scope.prefix)] = value
            self._resume(future.task, value, error)
        return self._advance()

    def cancel(self, state: State) -> list[Request]:
        """Throw Cancelled into the workflow: its `finally` blocks may still ask for steps.

        A branch that was cancelled before and asks people in such a block asks them no longer: nobody can
        decide what was asked before the run was to be cancelled.
        """
        assert self._main is not None, "started first"
        self.now = state.now
        reason = state.cancelling or ""
        self._cancel(self._main, reason)
        for future in [*self.pending.values()]:
            task, asked = future.task, future.request
            if task is not None and isinstance(asked, ApprovalRequest | QuestionRequest):
                self._give_up(task, asked, reason)
        return self._advance()

    def _see(self, state: State) -> None:
        """Take in what the workflow may look at."""
        self.now, self.steps, self.used = state.now, state.steps, state.usage

    def fork(self, state: State) -> None:
        """Leave a history: what has not begun there is asked for as the fork's edits want it."""
        self.now, self.edits = state.now, state.edits
        for key, future in self.pending.items():
            if key not in state.steps:
                self._resolve(future)

    def assign(self, state: State) -> None:
        """Take the project's roles as they are now: for all that has not begun, or is tried anew."""
        if state.roles == self.roles:
            return
        self.roles = state.roles
        for key, future in self.pending.items():
            if leaves_open(state, key):
                self._resolve(future)

    def close(self) -> None:
        """Let go of the coroutines without running them on."""
        if self._main is not None:
            _close(self._main)

    # --- what Run calls ------------------------------------------------------------------------

    def ask(self, request: Request, scope: Scope) -> Future:
        """Make a request on behalf of the current task."""
        future = Future(request, scope)
        request = self._resolve(future) or request
        self.pending[request.key] = future
        self._requests.append(request)
        return future

    def _resolve(self, future: Future) -> Request | None:
        """Make of what the workflow wrote what it asks for, by the edits and the roles."""
        if future.asked is None:
            return None
        request = edited(future.asked, self.edits) if self.edits else future.asked
        request = resolved(request, self.roles)
        if request is not future.request and not _equal(request, future.request):
            future.request = request
        return future.request

    def enter_loop(self, key: str, max: int) -> None:
        """Take in that the current task begins a loop. Nothing follows from it here; see the dry run."""

    def gather(
        self, kind: Literal["all", "race"], spawns: list[Spawn], limit: int | None
    ) -> Future:
        """Run several coroutines as tasks, `limit` at a time, on behalf of the current task."""
        assert self.current is not None, "called from a workflow"
        group = Group(kind, spawns, limit, self.current)
        self._fill(group)
        return group.future

    # --- the scheduler -------------------------------------------------------------------------

    def _advance(self) -> list[Request]:
        while self._ready:
            task, value, error = self._ready.popleft()
            self._step(task, value, error)
        requests, self._requests = self._requests, []
        return requests

    def _resume(self, task: Task, value: Any, error: BaseException | None) -> None:
        task.waiting = None
        self._ready.append((task, value, error))

    def _step(self, task: Task, value: Any, error: BaseException | None) -> None:
        self.current = task
        try:
            waiting = task.coroutine.send(value) if error is None else task.coroutine.throw(error)
            while type(waiting) is not Future:
                waiting = task.coroutine.throw(not_durable(task.coroutine, waiting))
        except StopIteration as stop:
            self._finish(task, stop.value, None)
        except WorkflowError:
            raise
        except RuntimeError as raised:
            if (refused := without_loop(raised)) is not None:
                raise refused from raised
            self._finish(task, None, raised)
        except BaseException as raised:  # its awaiter gets it
            if not _ends_a_task(raised):
                raise
            self._finish(task, None, raised)
        else:
            self._wait(task, waiting)
        finally:
            self.current = None

    def _wait(self, task: Task, future: Future) -> None:
        future.task, task.waiting = task, future
        group = future.group
        if group is not None and group.ended:
            self._settle(group)

    def _finish(self, task: Task, value: Any, error: BaseException | None) -> None:
        task.finished = True
        if isinstance(error, Skipped):
            error = None  # a branch that a person left out ends with nothing, and is no failure
        group = task.group
        if group is None:
            self.ended = _ended(value, error)
            return
        if group.note(task, value, error):
            self._cancel_group(group, "the result is no longer wanted")
        elif not group.closing:
            self._fill(group)
        if group.ended and group.future.task is not None:
            self._settle(group)

    def _fill(self, group: Group) -> None:
        while group.waiting_spawns and len(group.running) < group.limit:
            index, spawn = group.waiting_spawns.popleft()
            coroutine, scope = spawn()
            task = Task(coroutine, scope, group, index)
            group.running[index] = task
            self._ready.append((task, None, None))

    def _settle(self, group: Group) -> None:
        parent, group.future.task = group.parent, None
        if group.cancelled:
            cancelled = Cancelled()
            cancelled.__context__ = group.error
            self._resume(parent, None, cancelled)
        elif group.error is not None:
            self._resume(parent, None, group.error)
        elif group.kind == "race":
            assert group.winner is not None, "a race that ended has a winner"
            self._resume(parent, group.results[group.winner], None)
        else:
            self._resume(parent, group.results, None)

    def _cancel_group(self, group: Group, reason: str) -> None:
        group.closing = True
        group.drop_unstarted()
        for task in list(group.running.values()):
            self._cancel(task, reason)

    def _cancel(self, task: Task, reason: str) -> None:
        if task.finished or task.cancelling:
            return
        task.cancelling = True
        future = task.waiting
        if future is None:
            self._cancel_ready(task)
        elif future.group is not None:
            future.group.cancelled = True
            self._cancel_group(future.group, reason)
            if future.group.ended:
                self._settle(future.group)
        elif (request := future.request) is not None and request.key in self.pending:
            self._give_up(task, request, reason)

    def _give_up(self, task: Task, request: Request, reason: str) -> None:
        """Wait for an answer no longer: Cancelled comes in its place."""
        del self.pending[request.key]
        self._abandon(request, reason)
        self._resume(task, None, Cancelled())

    def _abandon(self, request: Request, reason: str) -> None:
        for index, unsent in enumerate(self._requests):
            if unsent is request:  # nobody has heard of it, so there is nothing to take back
                del self._requests[index]
                return
        self.abandoned[request.key] = reason
        self._requests.append(CancelRequest(request.key, reason))

    def _cancel_ready(self, task: Task) -> None:
        """A task that was about to go on, or to begin, is thrown Cancelled instead."""
        for index, (ready, _, _) in enumerate(self._ready):
            if ready is task:
                self._ready[index] = (task, None, Cancelled())


def _equal(one: Request, other: Request | None) -> bool:
    """Tell whether two requests of one key, which edits and roles may part, are still the same."""
    if not isinstance(one, StepRequest) or not isinstance(other, StepRequest):
        return False
    return one.call == other.call and one.policy == other.policy


def _ended(value: Any, error: BaseException | None) -> Ended:
    if error is None:
        return Ended("succeeded", value)
    if isinstance(error, Continue):
        return Ended("continued", error.input)
    return Ended("cancelled" if isinstance(error, Cancelled) else "failed", error=error)


def _close(task: Task) -> None:
    if task.waiting is not None and (group := task.waiting.group) is not None:
        group.drop_unstarted()
        for member in group.running.values():
            _close(member)
    if task.finished:
        return
    task.finished = True
    dismiss(task.coroutine)
    # `finally` blocks that await steps raise here. They are not lost: a resume asks for them again.
    try:
        task.coroutine.close()
    except BaseException as raised:
        if not _ends_a_task(raised):
            raise


def _ends_a_task(raised: BaseException) -> bool:
    """Tell whether what a workflow's code raised is about that code, and not about this process."""
    return isinstance(raised, Exception | Cancelled | Continue) or is_exit(raised)
