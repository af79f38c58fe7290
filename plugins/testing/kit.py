"""What the rules of all kinds share: the shape of a rule, work that is watched, and its result."""

import inspect
import math
import os
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import trio

from holdfast.eventlog import Usage

from .. import marks
from ..errors import WorkError
from ..held import fault_of
from ..types import AgentResult, AgentTask, Emit, ModelResult, Progress, Readiness

TASK_LIMIT_S = 120.0
CANCEL_LIMIT_S = 20.0  # a stubborn program is given a grace before it is killed
STARTED_S = 3.0  # for an agent that neither starts a program nor says anything

Result = TypeVar("Result", AgentResult, ModelResult)


class Rule(NamedTuple):
    """One thing that must hold. `needs` names the cases without which it cannot be checked."""

    name: str
    check: Callable[..., Any]
    needs: tuple[str, ...] = ()

    def applies(self, cases: Mapping[str, object]) -> bool:
        """Tell whether all of its cases are given."""
        return all(cases.get(name) is not None for name in self.needs)


def require(holds: bool, otherwise: str) -> None:
    """Raise AssertionError unless it holds."""
    if not holds:
        raise AssertionError(otherwise)


def agent_task(folder: Path, prompt: str, **fields: Any) -> AgentTask:
    """Return a task with this process's environment and a mark of its own."""
    env = {**os.environ, **fields.pop("env", {}), marks.MARK: f"conformance-{uuid.uuid4()}"}
    return AgentTask(prompt=prompt, folder=folder, env=env, **fields)


def check_protocol(made: object, method: str) -> None:
    """Check that an agent or a model has its two methods, each of its kind."""
    kind = type(made).__name__
    for name in (method, "readiness"):
        require(callable(getattr(made, name, None)), f"{kind} has no method {name!r}")
    work, readiness = getattr(made, method), getattr(made, "readiness")  # noqa: B009
    require(inspect.iscoroutinefunction(work), f"{kind}.{method} is not an async method")
    require(not inspect.iscoroutinefunction(readiness), f"{kind}.readiness is async")
    try:
        inspect.signature(work).bind("asked", "emit")
    except TypeError as error:
        raise AssertionError(f"{kind}.{method} cannot be called with two arguments") from error


def check_readiness(made: Any) -> None:
    """Check that it tells whether it can work here, without raising."""
    readiness = made.readiness()
    require(isinstance(readiness, Readiness), f"readiness returned {readiness!r}")
    require(bool(readiness.detail), "readiness has no detail: a version, or what is missing")


async def watched(work: Callable[[Emit], Awaitable[Result]]) -> tuple[Result, list[Progress]]:
    """Return the result of some work and what it showed, each of which has to be a Progress."""
    emitted: list[Progress] = []
    thread = threading.get_ident()

    def emit(progress: Progress) -> None:
        good = isinstance(progress, Progress)  # pyright: ignore[reportUnnecessaryIsInstance]
        require(good, f"emit was called with {progress!r}, not a Progress")
        require(threading.get_ident() == thread, "emit was called in another thread than trio's")
        require_plain(progress.data, "the data of a Progress")
        emitted.append(progress)

    with trio.move_on_after(TASK_LIMIT_S):
        return await work(emit), emitted
    raise AssertionError(f"it has not ended after {TASK_LIMIT_S} s")


def check_result(result: Any, kind: type[AgentResult] | type[ModelResult]) -> None:
    """Check what holds for every result: its types, and numbers that can be added up."""
    fault = fault_of(result, kind)
    require(not fault, f"it {fault}")
    if isinstance(result.usage, Usage):
        counts = msgspec.structs.astuple(result.usage)
        sound = all(count >= 0 and math.isfinite(count) for count in counts)
        require(sound, f"the usage has strange numbers: {result.usage!r}")


def check_text(result: AgentResult | ModelResult) -> None:
    """Check the answer to a question without a schema."""
    require(result.output is None, "there is output, and no schema was given")
    require(bool(result.text.strip()), "the text is empty: raise NoOutput instead")


def check_data(result: AgentResult | ModelResult) -> None:
    """Check the answer to a question with a schema."""
    require(result.output is not None, "a schema was given, and there is no output")
    require_plain(result.output, "the output")


def require_plain(value: object, what: str) -> None:
    """Check that a value can be recorded."""
    try:
        msgspec.msgpack.encode(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise AssertionError(f"{what} is not plain data: {error}") from error


async def expect(error: type[WorkError], work: Callable[[Emit], Awaitable[object]]) -> None:
    """Check that work fails with an error that tells the engine what to do, and a person why."""
    try:
        with trio.move_on_after(TASK_LIMIT_S):
            result = await work(lambda _progress: None)
            raise AssertionError(f"it returned {result!r}, and should have raised {error.__name__}")
        raise AssertionError(f"it has not ended after {TASK_LIMIT_S} s")
    except WorkError as raised:
        named = f"it raised {type(raised).__name__}, not {error.__name__}: {raised}"
        require(isinstance(raised, error), named)
        require(bool(str(raised).strip()), f"its {type(raised).__name__} has no message")
    except AssertionError:
        raise
    except Exception as raised:
        what = f"{type(raised).__name__}: {raised}"
        raise AssertionError(f"it raised {what}; it should be {error.__name__}") from raised


async def cancelled(work: Callable[[Emit], Awaitable[Any]]) -> None:
    """Start the work, cancel it when it has shown a sign of life, and time how long that takes."""
    alive = trio.Event()
    failures: list[Exception] = []

    async def run() -> None:
        try:
            await work(lambda _progress: alive.set())
        except Exception as failure:  # noqa: BLE001 - raised below, without trio's group around it
            failures.append(failure)
        else:
            failures.append(AssertionError("what should go on for minutes has ended by itself"))
        alive.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        with trio.move_on_after(STARTED_S):
            await alive.wait()
        start = trio.current_time()
        nursery.cancel_scope.cancel()
    seconds = trio.current_time() - start
    if failures:
        raise failures[0]
    require(seconds <= CANCEL_LIMIT_S, f"cancelling it took {seconds:.0f} s")
