"""Plays a workflow with samples: no engine, no log, no clock. What would be recorded is folded at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from holdfast.eventlog import (
    AnyEvent,
    ChildFinished,
    Failure,
    Role,
    RunClaimed,
    RunStarted,
    StepCancelled,
)
from holdfast.reducer import (
    CancelRequest,
    ChildRequest,
    Ended,
    Request,
    State,
    StepRequest,
    TimerRequest,
    Workflow,
    WorkflowError,
    digest,
    reduce,
    take,
)

from .answering import answers, asked, packed
from .bound import bounded
from .driving import PlacingDriver
from .errors import DryRunError, SampleInvalid, Unending
from .given import NOTHING, Given, fitted
from .judging import ANY, PermissionsOf, Problem, problem_of
from .nodes import Node, describe
from .sampling import Taste

START = 1_767_344_400_000_000_000  # a Friday morning
SECOND = 1_000_000_000
DEEPEST = 8  # child runs within child runs
SEED = b"dry run"


class Setting(msgspec.Struct):
    """What all runs of one dry run share; `steps` counts what was asked for."""

    load: Callable[[str], Workflow]
    given: Given
    taste: Taste
    most_steps: int
    roles: Sequence[Role] = ()
    knows_agent: Callable[[str], bool] = lambda _: True
    permissions: PermissionsOf = lambda _, __: ANY
    steps: int = 0
    is_cut: bool = False
    problems: list[Problem] = []


class Played(msgspec.Struct):
    """How one run went: `ended` is None where it was cut short, `error` what kept it from going on."""

    root: Node
    ended: Ended | None = None
    error: BaseException | None = None


def play(
    workflow: Workflow, input: Mapping[str, Any], setting: Setting, prefix: str = ""
) -> Played:
    """Drive a workflow through samples until it ends, cannot go on, or was looked at long enough."""
    root = Node(workflow.name, "workflow", prefix.rstrip("/"), does=workflow.description)
    player = _Player(workflow, setting, root, prefix)
    played = Played(root)
    try:
        with bounded():
            player.begin(input)
            while player.driver.ended is None and not setting.is_cut:
                player.answer()
    except (WorkflowError, DryRunError, Unending) as error:
        played.error = error
    else:
        played.ended = player.driver.ended
    finally:
        player.driver.close()
    if played.ended is not None and played.ended.error is not None:
        played.error = played.ended.error
    root.status = "open" if played.ended is None else "failed" if played.error else "done"
    if root.status == "done":
        for node in player.driver.nodes.values():
            node.status = "not needed" if node.status == "open" else node.status
    return played


class _Player:
    """One run that is played."""

    def __init__(self, workflow: Workflow, setting: Setting, root: Node, prefix: str) -> None:
        self.driver = PlacingDriver(workflow, bytes, root)
        self._setting, self._prefix = setting, prefix
        self._workflow = workflow
        self._state = State()
        self._told: set[str] = set()
        self._unsent: list[Request] = []

    def begin(self, input: Mapping[str, Any]) -> None:
        name, code = self._workflow.name, digest(self._workflow.function)
        given = packed(input, "the input")
        self._fold(RunStarted("dry run", name, code=code, input=given, seed=SEED))
        self._fold(RunClaimed("dry run", roles=list(self._setting.roles)))
        self._tell()

    def answer(self) -> None:
        """Answer what has waited longest; a timer only where there is nothing else."""
        driver = self.driver
        pending = [f.request for f in driver.pending.values() if f.request is not None]
        timers = [one for one in pending if isinstance(one, TimerRequest)]
        others = [one for one in pending if not isinstance(one, TimerRequest)]
        if others:
            request = others[0]
        elif timers:
            request = min(timers, key=lambda timer: timer.until)
        else:
            raise AssertionError("a workflow that has not ended waits for something")
        node = driver.nodes[request.key]
        node.status = "done"
        if isinstance(request, ChildRequest):
            self._play_child(request, node)
            return
        given = self._setting.given.of(self._prefix + request.key)
        for event in answers(request, node, given, self._setting.taste):
            if request.key in driver.pending:
                self._record(event, until=getattr(request, "until", 0))
        if request.key in driver.pending:
            reason = f"{request.key!r} wants more people than may decide, so nobody can answer it"
            raise WorkflowError(reason)
        step = self._state.steps.get(request.key)
        if step is not None and step.status == "failed":
            node.status = "failed"

    def _play_child(self, request: ChildRequest, node: Node) -> None:
        key, setting = request.key, self._setting
        given = setting.given.of(self._prefix + key)
        if given is not NOTHING:
            try:
                value = fitted(given, request.output)
            except msgspec.ValidationError as error:
                raise SampleInvalid(key, str(error)) from error
            node.sample = given
            self._record(ChildFinished(key, key, "succeeded", packed(value, key)))
            return
        path = f"{self._prefix}{key}/"
        if path.count("/") > DEEPEST:
            setting.is_cut = True
            return
        workflow = setting.load(request.workflow)
        played = play(workflow, workflow.check(dict(request.input)), setting, path)
        node.children = played.root.children
        node.does = workflow.description or node.does
        if isinstance(played.error, WorkflowError | DryRunError | Unending):
            raise played.error
        self._finish_child(key, node, played.ended)

    def _finish_child(self, key: str, node: Node, ended: Ended | None) -> None:
        if ended is None:
            return
        if ended.error is not None:
            node.status = "failed"
            failure = Failure(getattr(ended.error, "code", "error"), str(ended.error))
            self._record(ChildFinished(key, key, "failed", error=failure))
            return
        value = None if ended.status == "continued" else ended.value
        node.sample = msgspec.to_builtins(value, enc_hook=repr)
        self._record(ChildFinished(key, key, "succeeded", packed(value, key)))

    # --- what would be recorded ----------------------------------------------------------------

    def _record(self, event: AnyEvent, *, until: int = 0) -> None:
        self._fold(event, until=until)
        self._tell()

    def _fold(self, event: AnyEvent, *, until: int = 0) -> None:
        time = max(self._state.now + SECOND, until, START)
        self._state = reduce(self._state, event, time)
        self._unsent += take(self.driver, self._state, event)

    def _tell(self) -> None:
        """Write down what was asked for, in order, as an engine does at once."""
        while self._unsent and not self._setting.is_cut:
            request = self._unsent.pop(0)
            if isinstance(request, CancelRequest):
                self.driver.nodes[request.key].status = "not needed"
                self._fold(StepCancelled(request.key, request.reason))
                continue
            future = self.driver.pending.get(request.key)
            if future is None or future.request is None or request.key in self._told:
                continue
            self._begin(future.request)

    def _begin(self, request: Request) -> None:
        setting, node = self._setting, self.driver.nodes[request.key]
        self._told.add(request.key)
        setting.steps += 1
        if setting.steps > setting.most_steps:
            setting.is_cut = True
            return
        describe(node, request, self._state.now)
        if isinstance(request, StepRequest):
            self._judge(request)
        event = asked(request)
        if request.key in self.driver.pending:
            self._fold(event)
        if request.key not in self.driver.pending:
            node.status = "done"

    def _judge(self, request: StepRequest) -> None:
        """Note where a run would stop or fail for who is to do a step."""
        setting, key = self._setting, self._prefix + request.key
        problem = problem_of(key, request, setting.knows_agent, setting.permissions)
        if problem is not None:
            self._note(problem)

    def _note(self, problem: Problem) -> None:
        """Note a problem once, however often the step is asked for."""
        if all(known.message != problem.message for known in self._setting.problems):
            self._setting.problems.append(problem)
