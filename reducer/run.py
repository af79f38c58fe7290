"""`Run`: what a workflow function gets as its first argument, and all that it may await."""

import datetime
import functools
import hashlib
import inspect
import typing
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from msgspec.structs import replace

from holdfast.eventlog import Budget, Usage

from .conversation import Said, conversation, reply_type, tool_specs
from .durations import Duration, length, nanoseconds
from .errors import WorkflowError
from .gates import check_gate, check_question
from .loops import Loop
from .requests import (
    AgentCall,
    ApprovalRequest,
    Call,
    ChildRequest,
    FunctionCall,
    ModelAsk,
    NoteRequest,
    OnDeny,
    OnExpire,
    Permissions,
    Policy,
    QuestionRequest,
    Request,
    ShellCall,
    SignalRequest,
    StepKind,
    StepRequest,
    TimerRequest,
)
from .results import Decision, ShellResult
from .tasks import Continue, Future, Scope, Spawn, check_name, dismiss, quote
from .workflow import Workflow
from .workspace import Workspace

if TYPE_CHECKING:
    from .driver import Driver

T = TypeVar("T")


class Durable(Awaitable[T]):
    """A durable call that was written down and not yet made: `await` makes it, once."""

    __slots__ = ("_driver", "_make", "_name")

    def __init__(self, driver: "Driver", name: str, make: Callable[[str], Request]) -> None:
        self._driver = driver
        self._name = check_name(name)
        self._make = make

    def __await__(self) -> Generator[Future, Any, T]:
        task = self._driver.current
        if task is None:
            raise WorkflowError(
                f"{self._name!r} was awaited outside of its workflow. Await the run's calls in the "
                "workflow function or in functions that it awaits."
            )
        scope = task.scope
        request = self._make(scope.key(self._name))
        if scope.workspace and isinstance(request, StepRequest | ChildRequest):
            request = replace(request, workspace=scope.workspace)
        return self._driver.ask(request, scope).__await__()


class Run:
    """The workflow's view of its run. Every call has a name, which is its place in the history.

    Steps share these options: `retries` (further attempts after a failure), `backoff` (first wait
    between attempts, doubled each time), `timeout` (of one attempt), `idle_timeout` (no output for so
    long), `effect` (it changes the world outside the workspace: never repeated without a person's
    word, unless `on_doubt="retry"`). What starts programs takes `sandbox` ("bubblewrap", "none") and
    `network` (whether they may use it there), which the project's settings decide where the workflow
    does not. Durations are seconds, "90s", "10m", "2h", "3d" or timedelta.
    """

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver

    # --- steps ---------------------------------------------------------------------------------

    def step(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        output: Any = None,
        retries: int = 0,
        backoff: Duration = 1,
        timeout: Duration = 0,
        effect: bool = False,
        pure: bool = False,
        on_doubt: Literal["ask", "retry"] = "ask",
        **kwargs: Any,
    ) -> Durable[Any]:
        """Call a Python function and record its result.

        A `pure` function only computes: it may begin before its start is on disk, and its result may
        be used before that is, so that many of them share a flush; a crash does the last ones again.
        """
        if pure and effect:
            raise WorkflowError(
                f"step {name!r} cannot be both pure=True and effect=True: an effect must not begin "
                "before its start is on disk. Leave pure= out."
            )
        if retries == 0 and timeout == 0 and not effect:
            policy = _PURE if pure else _PLAIN
        else:
            policy = _policy(retries, 0, backoff, timeout, 0, effect, on_doubt)
            policy = replace(policy, pure=pure)
        wanted = _return_type(function) if output is None else output
        return self._step(name, "step", FunctionCall(function, args, kwargs), policy, wanted)

    def shell(
        self,
        name: str,
        command: str | Sequence[str],
        *,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        folder: str = "",
        sandbox: str | None = None,
        network: bool | None = None,
        retries: int = 0,
        backoff: Duration = 1,
        timeout: Duration = 0,
        idle_timeout: Duration = 0,
        effect: bool = False,
        on_doubt: Literal["ask", "retry"] = "ask",
    ) -> Durable[ShellResult]:
        """Run a command in the workspace. With `check`, an exit status other than 0 is a failure."""
        line = command if isinstance(command, str) else list(command)
        call = ShellCall(line, check, dict(env or {}), folder, sandbox, network)
        policy = _policy(retries, 0, backoff, timeout, idle_timeout, effect, on_doubt)
        return self._step(name, "shell", call, policy, ShellResult)

    def agent(
        self,
        name: str,
        prompt: str,
        *,
        agent: str | None = None,
        model: str | None = None,
        role: str | Sequence[str] = "",
        fallback: Sequence[str] | None = None,
        budget: float | Budget | None = None,
        output: Any = str,
        permissions: Permissions | None = None,
        folder: str = "",
        options: Mapping[str, Any] | None = None,
        sandbox: str | None = None,
        network: bool | None = None,
        retries: int = 2,
        reasks: int = 2,
        backoff: Duration = 5,
        timeout: Duration = 0,
        idle_timeout: Duration = 0,
        effect: bool = False,
        on_doubt: Literal["ask", "retry"] = "ask",
    ) -> Durable[Any]:
        """Give a coding agent one task. The result is its final text, or data of type `output`.

        Who does it is what the project's `role` says (holdfast.toml), else its role "default", else
        claude-code; what is given here wins. Of several roles it is the first that the project has:
        role=["reviewer", "default"] does without a reviewer. Where that agent cannot (a limit for
        long, a refusal, no program or login, or failed in all its tries), the next of `fallback` goes
        on: agents, "agent:model" or roles.

        An answer that does not fit `output` goes back to the agent with the reason, in the same
        session where the agent can, `reasks` times.
        """
        given = dict(options or {})
        others = None if fallback is None else _names(name, fallback)
        roles = _roles(name, role)
        call = AgentCall(
            prompt, agent or "", model, permissions, folder, given, sandbox, network, roles, others
        )
        policy = _policy(retries, reasks, backoff, timeout, idle_timeout, effect, on_doubt)
        policy = _with_budget(policy, name, budget)
        return self._step(name, "agent", call, policy, output)

    def model(
        self,
        name: str,
        prompt: str | Sequence[Said],
        *,
        model: str | None = None,
        role: str = "",
        fallback: Sequence[str] | None = None,
        budget: float | Budget | None = None,
        output: Any = str,
        tools: Sequence[type[Any] | Mapping[str, Any]] = (),
        params: Mapping[str, Any] | None = None,
        retries: int = 2,
        reasks: int = 2,
        backoff: Duration = 5,
        timeout: Duration = 600,
    ) -> Durable[Any]:
        """Call a model once, with a prompt or with (role, content) messages.

        The model is that of the project's `role`, or the one given; `fallback` are models or roles that
        go on where it cannot.

        With `tools` the result is a Reply. Its `calls` are what the model wants: make them by steps of
        the workflow, then ask again with the messages, the reply and `use.result(...)` of each. A tool
        is a type with a docstring, whose name and fields the model is told, or a mapping with name,
        description and parameters (a JSON Schema). Arguments that do not fit are asked for again.
        """
        if not model and not role:
            raise WorkflowError(f"model call {name!r} names no model. Write model=... or role=...")
        others = None if fallback is None else _names(name, fallback)
        messages = conversation(name, prompt)
        specs, types = tool_specs(name, tools)
        if specs:
            output = reply_type(tuple(types), output)
        call = ModelAsk(messages, model or "", dict(params or {}), role, others, tuple(specs))
        policy = _policy(retries, reasks, backoff, timeout, 0, False, "ask")
        policy = _with_budget(policy, name, budget)
        return self._step(name, "model", call, policy, output)

    def _step(
        self, name: str, kind: StepKind, call: Call, policy: Policy, output: Any
    ) -> Durable[Any]:
        return Durable(self._driver, name, lambda key: StepRequest(key, kind, call, policy, output))

    # --- waiting -------------------------------------------------------------------------------

    def approve(
        self,
        name: str,
        subject: Any = None,
        *,
        by: Sequence[str] = (),
        count: int = 1,
        expires: Duration = 0,
        on_expire: OnExpire = "deny",
        escalate_to: Sequence[str] = (),
        on_deny: OnDeny = "raise",
        edits: Any = None,
    ) -> Durable[Decision]:
        """Wait until a person approves `subject`.

        `by` says who may decide (empty: anybody), `count` how many different people must approve. A
        denial raises ApprovalDenied, or is returned, or with "skip" raises Skipped: uncaught, that ends
        the branch of `map`, `parallel` or `race` that asked, or the workflow, with None.

        What nobody decided within `expires` counts as denied; with `on_expire="halt"` it raises
        GateExpired; with "escalate" the people in `escalate_to` may decide as well, for as long again;
        with "remind" it never expires, and an event calls it to mind each time.

        An approval may bring edits of type `edits`; the newest ones are in the Decision.
        """
        until = length(expires)
        check_gate(name, until, on_expire, by, escalate_to)
        return Durable(
            self._driver,
            name,
            lambda key: ApprovalRequest(
                key, subject, tuple(by), count, until, on_deny, on_expire, tuple(escalate_to), edits
            ),
        )

    def ask(
        self,
        name: str,
        question: Any,
        *,
        output: Any = str,
        by: Sequence[str] = (),
        expires: Duration = 0,
        on_expire: Literal["halt", "escalate", "remind"] = "halt",
        escalate_to: Sequence[str] = (),
    ) -> Durable[Any]:
        """Ask people a question, and return the answer: a value of type `output`, filled in as a form.

        `by` says who may answer (empty: anybody). What nobody answered within `expires` raises
        GateExpired; `on_expire` and `escalate_to` are those of `approve`. A date and time is checked
        before it is recorded where its type is `Annotated[datetime, Meta(tz=True)]`.
        """
        until = length(expires)
        check_question(name, until, on_expire, by, escalate_to)
        return Durable(
            self._driver,
            name,
            lambda key: QuestionRequest(
                key, question, output, tuple(by), until, on_expire, tuple(escalate_to)
            ),
        )

    def wait(self, signal: str, *, key: str = "", output: Any = Any) -> Durable[Any]:
        """Wait for a signal, and return its payload. One that came before is taken first.

        With a `key`, such as an order's number, only a signal that was sent with the same key is meant;
        without one, only those that were sent without.
        """
        name = f"{check_name(signal)}:{quote(key)}" if key else signal
        return Durable(self._driver, name, lambda k: SignalRequest(k, signal, output, key))

    def sleep(self, duration: Duration, name: str = "sleep") -> Durable[None]:
        """Wait for a time; a process that ends meanwhile loses nothing of it.

        Months and years are those of the calendar, in UTC: "1mo" from 31 January ends with February.
        """
        span = length(duration)
        return Durable(
            self._driver, name, lambda key: TimerRequest(key, span.after(self._driver.now))
        )

    def sleep_until(self, moment: datetime.datetime, name: str = "sleep") -> Durable[None]:
        """Wait until a moment, which must know its time zone."""
        if moment.tzinfo is None:
            raise WorkflowError(
                f"sleep_until({moment!r}) has no time zone. Write: moment.replace(tzinfo=UTC)"
            )
        since = moment - _EPOCH
        until = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
        return Durable(self._driver, name, lambda key: TimerRequest(key, until))

    # --- structure -----------------------------------------------------------------------------

    def loop(
        self, name: str, max: int, *, on_exhausted: Literal["raise", "stop"] = "raise"
    ) -> Loop:
        """Iterate with `async for`, `max` times at most; leave with `break` when it is true.

        The numbers begin at 1 and stand in the keys. Reaching the ceiling is recorded, then raises
        LoopExhausted, or ends the loop with `on_exhausted="stop"`.
        """
        return Loop(self._driver, check_name(name), max, on_exhausted)

    def workspace(self, name: str, *, base: str = "") -> Workspace:
        """Open a git worktree of its own with `async with`: all steps and children within work there.

        It begins with `base`, a commit or branch, by default with what is checked out where the run
        works; uncommitted files are not in it.
        """
        return Workspace(self, self._driver, check_name(name), base)

    async def parallel(
        self, *coroutines: Awaitable[Any], limit: int | None = None, **named: Awaitable[Any]
    ) -> list[Any]:
        """Await several at once, `limit` at a time; return their results in the order given.

        Keyword arguments name their branch; a coroutine of your own without a name takes its
        function's. The first failure cancels the others and is raised.
        """
        spawns = self._spawns(coroutines, named, limit)
        return list(await self._driver.gather("all", spawns, limit))

    async def race(self, *coroutines: Awaitable[Any], **named: Awaitable[Any]) -> Any:
        """Await several at once until the first ends; cancel the others and return its result."""
        spawns = self._spawns(coroutines, named)
        if not spawns:
            raise WorkflowError("run.race() needs at least one thing to await.")
        return await self._driver.gather("race", spawns, None)

    async def map(
        self,
        function: Callable[[Any], Awaitable[Any]],
        items: Iterable[Any],
        *,
        key: Callable[[Any], str] = str,
        limit: int | None = None,
        name: str = "",
    ) -> list[Any]:
        """Await `function(item)` for all items, `limit` at a time; results in the items' order.

        `key` names each item's branch; an item keeps its history when others come or go.
        """
        parent = self._scope()
        prefix = f"{parent.key(check_name(name))}/" if name else parent.prefix
        names = Scope(prefix, parent.workspace) if name else parent

        def spawn(item: Any) -> Spawn:
            scope = Scope(names.key(quote(key(item))) + "/", names.workspace)
            return lambda: (_applied(function, item), scope)

        _check_limit(limit)
        spawns = [spawn(item) for item in items]
        return list(await self._driver.gather("all", spawns, limit))

    def child(
        self,
        workflow: Workflow | str,
        input: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        budget: float | Budget | None = None,
    ) -> Durable[Any]:
        """Run another workflow as a run of its own, and return its output.

        Where this run has a budget, the child has `budget` of that, or all that is left then.
        """
        reference = workflow if isinstance(workflow, str) else workflow.reference
        output = Any if isinstance(workflow, str) else workflow.output
        given = dict(input or {}) if isinstance(workflow, str) else workflow.check(input or {})
        label = name or quote(reference if isinstance(workflow, str) else workflow.name)
        share = budget_of(label, budget)
        return Durable(
            self._driver,
            label,
            lambda key: ChildRequest(key, reference, given, output, budget=share),
        )

    def continue_as_new(self, **input: Any) -> Continue:
        """End this history and go on in a fresh one: `raise run.continue_as_new(...)`, or await it.

        The workflow begins again with `input`, under the same name. Signals that nobody took yet move
        over; the old history stays as RUN@BRANCH. So a run without an end costs no more as it gets older.
        """
        return Continue(self._driver.workflow.check(input))

    # --- the rest ------------------------------------------------------------------------------

    def note(self, text: str, **data: Any) -> Durable[None]:
        """Record something worth seeing in the timeline."""
        return Durable(self._driver, "note", lambda key: NoteRequest(key, text, data))

    @property
    def usage(self) -> Usage:
        """What the run has used so far, as far as that was told; children not counted."""
        return self._driver.used

    def now(self) -> datetime.datetime:
        """Return the time of the last thing that happened in the run, in UTC."""
        seconds, rest = divmod(self._driver.now, 1_000_000_000)
        return _EPOCH + datetime.timedelta(seconds=seconds, microseconds=rest // 1000)

    def random(self) -> float:
        """Return a random number from 0 up to 1; the same one whenever the run is replayed."""
        return int.from_bytes(self._chance("random")[:7]) / (1 << 56)

    def uuid(self) -> uuid.UUID:
        """Return a random UUID (version 4); the same one whenever the run is replayed."""
        return uuid.UUID(bytes=self._chance("uuid")[:16], version=4)

    def _chance(self, name: str) -> bytes:
        key = self._scope().key(f"{name}()")
        return hashlib.sha256(self._driver.seed + key.encode()).digest()

    def _scope(self) -> Scope:
        if self._driver.current is None:
            raise WorkflowError("the run was used outside of its workflow function.")
        return self._driver.current.scope

    def _spawns(
        self,
        coroutines: tuple[Awaitable[Any], ...],
        named: dict[str, Awaitable[Any]],
        limit: int | None = None,
    ) -> list[Spawn]:
        given = [*(("", each) for each in coroutines), *named.items()]
        try:
            _check_limit(limit)
            parent = self._scope()
            return [_spawn(awaitable, name, parent) for name, awaitable in given]
        except WorkflowError:
            dismiss(given)
            raise


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_PLAIN = Policy(reasks=0)
_PURE = Policy(reasks=0, pure=True)


def _policy(
    retries: int,
    reasks: int,
    backoff: Duration,
    timeout: Duration,
    idle_timeout: Duration,
    effect: bool,
    on_doubt: Literal["ask", "retry"],
) -> Policy:
    return Policy(
        retries=retries,
        reasks=reasks,
        backoff=nanoseconds(backoff),
        timeout=nanoseconds(timeout),
        idle_timeout=nanoseconds(idle_timeout),
        effect=effect,
        on_doubt=on_doubt,
    )


def budget_of(name: str, budget: float | Budget | None) -> Budget | None:
    """Return a budget as it was written: dollars, or a Budget."""
    given = budget if isinstance(budget, Budget) else Budget(usd=float(budget or 0.0))
    if budget is None:
        return None
    if given.usd < 0 or given.tokens < 0 or not (given.usd or given.tokens):
        raise WorkflowError(
            f"budget={budget!r} of {name!r} allows nothing. Write dollars, as in budget=0.5, or "
            "Budget(usd=..., tokens=...)."
        )
    return given


def _with_budget(policy: Policy, name: str, budget: float | Budget | None) -> Policy:
    return policy if budget is None else replace(policy, budget=budget_of(name, budget))


def _names(name: str, fallback: object) -> tuple[str, ...]:
    """Return the fallbacks of a step; a single text would be taken for its letters."""
    if isinstance(fallback, list | tuple):
        names = cast(Sequence[object], fallback)
        if all(isinstance(each, str) and each for each in names):
            return tuple(map(str, names))
    raise WorkflowError(f'fallback={fallback!r} of {name!r} is no list of names. Write: ["codex"]')


def _roles(name: str, role: object) -> str | tuple[str, ...]:
    """Return the role of a step, or the several of which it wants the first that is there."""
    if isinstance(role, str):
        return role
    if isinstance(role, list | tuple):
        names = cast(Sequence[object], role)
        if names and all(isinstance(each, str) and each for each in names):
            return tuple(map(str, names))
    raise WorkflowError(
        f'role={role!r} of {name!r} is no role and no list of them. Write: ["reviewer", "default"]'
    )


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise WorkflowError(
            f"limit={limit} lets nothing run. Write at least 1, or None for no limit."
        )


def _spawn(awaitable: Awaitable[Any], name: str, parent: Scope) -> Spawn:
    """Give a branch its scope: none of its own for a single durable call without a name."""
    if not name and isinstance(awaitable, Durable):
        return lambda: (_coroutine(awaitable), parent)
    coroutine = _coroutine(awaitable)
    label = name or quote(getattr(coroutine, "__name__"))  # noqa: B009 - mypy knows no such attribute
    scope = Scope(parent.key(check_name(label)) + "/", parent.workspace)
    return lambda: (coroutine, scope)


def _coroutine(awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    if isinstance(awaitable, Coroutine):
        return awaitable  # pyright: ignore[reportUnknownVariableType] - what it sends is unknown

    async def single() -> Any:
        return await awaitable

    return single()


async def _applied(function: Callable[[Any], Awaitable[Any]], item: Any) -> Any:
    """Call the function within the item's own task, so that what it raises is raised by `map`."""
    return await function(item)


@functools.lru_cache(maxsize=1024)
def _return_type(function: Callable[..., Any]) -> Any:
    """Return the function's annotated result type, or Any."""
    try:
        hints = typing.get_type_hints(inspect.unwrap(function))
    except (NameError, TypeError):
        return Any  # annotations that only a type checker can see
    return hints.get("return", Any)
