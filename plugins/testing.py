"""The conformance kit: what Holdfast relies on in every agent, model and sandbox, bundled or not.

    def test_my_agent_conforms(tmp_path):
        check_agent(MyAgent, works=task(tmp_path, "say hi"), hangs=task(tmp_path, "sleep"))

A check that fails raises AssertionError and says what is wrong.
"""

import inspect
import math
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio

from holdfast.eventlog import Usage

from . import marks
from .confining import Confined, confined
from .errors import WorkError
from .offers import check
from .offers import check_tool as check_offered_tool
from .process import run_process, sweep
from .types import (
    Agent,
    AgentResult,
    AgentTask,
    Confinement,
    Emit,
    Model,
    ModelCall,
    ModelResult,
    Progress,
    Readiness,
    Sandbox,
    Tool,
    ToolSetting,
)

TASK_LIMIT_S = 120.0
CANCEL_LIMIT_S = 20.0  # a stubborn program is given a grace before it is killed
STARTED_S = 3.0  # for an agent that neither starts a program nor says anything

Result = TypeVar("Result", AgentResult, ModelResult)


def agent_task(folder: Path, prompt: str, **fields: Any) -> AgentTask:
    """Return a task with this process's environment and a mark of its own."""
    env = {**os.environ, **fields.pop("env", {}), marks.MARK: f"conformance-{uuid.uuid4()}"}
    return AgentTask(prompt=prompt, folder=folder, env=env, **fields)


def check_agent(
    make: Callable[[], Agent], *, works: AgentTask, hangs: AgentTask | None = None
) -> AgentResult:
    """Check an agent with a task that ends well and one that goes on for minutes; return the result."""
    _check_protocol(make(), Agent, "run")
    _check_readiness(make())
    result = trio.run(_check_work, make, works)
    trio.run(_check_missing_folder, make, works)
    if hangs is not None:
        trio.run(_check_cancelling, make, hangs)
    return result


def check_model(
    make: Callable[[], Model], *, works: ModelCall, hangs: ModelCall | None = None
) -> ModelResult:
    """Check a model back end with a call that ends well and one that is not answered."""
    _check_protocol(make(), Model, "call")
    _check_readiness(make())
    result = trio.run(_check_call, make, works)
    if hangs is not None:
        trio.run(_check_hanging_call, make, hangs)
    return result


def check_sandbox(make: Callable[[], Sandbox], folder: Path) -> None:
    """Check a sandbox by what programs can do in it; it works in an empty folder of its own."""
    _require(
        not check("holdfast_sandboxes", {"it": make()})[1], "it has not the methods of Sandbox"
    )
    _check_readiness(make())
    _require(make().readiness().ready, f"it cannot work here: {make().readiness().detail}")
    trio.run(_check_confining, make(), folder)


async def _check_confining(sandbox: Sandbox, folder: Path) -> None:
    work, secret = folder / "work", folder / "work" / "secret"
    secret.mkdir(parents=True)
    (secret / "told").write_text("secret")
    (folder / "outside").write_text("before")
    env = {"PATH": os.environ.get("PATH", os.defpath), marks.MARK: f"conformance-{uuid.uuid4()}"}
    heard = bytearray()

    async def inside(command: str, stdin: bytes = b"") -> int:
        heard.clear()
        with confined(Confined(sandbox, Confinement(folder=work, hidden=(secret,)))):
            code = await run_process(
                command, folder=work, env=env, stdin=stdin, on_stdout=heard.extend
            )
        left = marks.find(mark=env[marks.MARK]) if marks.can_see_marks() else set[int]()
        _require(not left, f"processes {sorted(left)} outlived {command!r}")
        return code

    _require(await inside("exit 7") == 7, "an exit code does not come through")
    _require(
        await inside("cat", b"hello") == 0 and bytes(heard) == b"hello",
        "input does not come through",
    )
    _require(await inside("echo new > made && pwd") == 0, "nothing can be written in the folder")
    _require((work / "made").exists(), "what is written in the folder does not stay")
    _require(heard.decode().strip() == str(work.resolve()), "it starts in another folder")
    await inside("echo changed > ../outside")
    _require((folder / "outside").read_text() == "before", "a file outside can be changed")
    await inside("cat secret/told")
    _require(b"secret" not in heard, "what is hidden can be read")
    await inside("(setsid sleep 600 >/dev/null 2>&1 &) ; true")


def check_tool(tool: Tool, *, works: Mapping[str, Any], setting: ToolSetting) -> str:
    """Check a tool with arguments that it takes; return what a model would read."""
    if reason := check_offered_tool(tool):
        raise AssertionError(reason)
    try:
        msgspec.json.encode(tool.schema)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"its schema is not plain data: {error}") from error
    unknown = works.keys() - tool.schema.get("properties", works).keys()
    _require(not unknown, f"its schema has no {sorted(unknown)}, which it was called with")
    result = trio.run(_check_call_of_tool, tool, dict(works), setting)
    _require(isinstance(result, str), f"it returned {result!r}, not a text")  # pyright: ignore[reportUnnecessaryIsInstance]
    return result


async def _check_call_of_tool(tool: Tool, given: dict[str, Any], setting: ToolSetting) -> str:
    with trio.move_on_after(TASK_LIMIT_S):
        return await tool.run(given, setting)
    raise AssertionError(f"it has not ended after {TASK_LIMIT_S} s")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _check_protocol(made: object, protocol: type, method: str) -> None:
    kind = type(made).__name__
    _require(isinstance(made, protocol), f"{kind} has not the methods of {protocol.__name__}")
    awaitable = inspect.iscoroutinefunction(getattr(made, method))
    _require(awaitable, f"{kind}.{method} is not an async method")
    _require(not inspect.iscoroutinefunction(made.readiness), f"{kind}.readiness is async")  # type: ignore[attr-defined]


def _check_readiness(made: Agent | Model | Sandbox) -> None:
    readiness = made.readiness()
    _require(isinstance(readiness, Readiness), f"readiness returned {readiness!r}")  # pyright: ignore[reportUnnecessaryIsInstance]
    _require(bool(readiness.detail), "readiness has no detail: a version, or what is missing")


async def _check_work(make: Callable[[], Agent], task: AgentTask) -> AgentResult:
    agent = make()
    result = await _watched(lambda emit: agent.run(task, emit))
    _check_result(result, AgentResult, schema=task.schema)
    _check_nothing_left(task, "the task ended well")
    return result


async def _check_call(make: Callable[[], Model], call: ModelCall) -> ModelResult:
    model = make()
    result = await _watched(lambda emit: model.call(call, emit))
    _check_result(result, ModelResult, schema=call.schema)
    return result


async def _watched(work: Callable[[Emit], Awaitable[Result]]) -> Result:
    emitted: list[object] = []
    with trio.move_on_after(TASK_LIMIT_S):
        result = await work(emitted.append)
        strange = [each for each in emitted if not isinstance(each, Progress)]
        _require(not strange, f"emit was called with {strange[:1]!r}, not a Progress")
        return result
    raise AssertionError(f"it has not ended after {TASK_LIMIT_S} s")


def _check_result(result: Any, kind: type, *, schema: object) -> None:
    _require(isinstance(result, kind), f"it returned {result!r}, not a {kind.__name__}")
    _require(isinstance(result.text, str), f"the text is {result.text!r}")
    asked = schema is not None
    _require(asked or result.output is None, "there is output, and no schema was given")
    _require(not asked or result.output is not None, "a schema was given, and there is no output")
    try:
        msgspec.msgpack.encode(result.output)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"the output is not plain data: {error}") from error
    if result.usage is not None:
        _require(isinstance(result.usage, Usage), f"the usage is {result.usage!r}")
        counts = msgspec.structs.astuple(result.usage)
        sound = all(count >= 0 and math.isfinite(count) for count in counts)
        _require(sound, f"the usage has strange numbers: {result.usage!r}")


def _check_nothing_left(task: AgentTask, when: str) -> None:
    if marks.can_see_marks():
        left = marks.find(mark=task.env[marks.MARK])
        _require(not left, f"processes {sorted(left)} are still alive after {when}")


async def _check_missing_folder(make: Callable[[], Agent], task: AgentTask) -> None:
    nowhere = msgspec.structs.replace(task, folder=task.folder / "no-such-folder")
    try:
        await make().run(nowhere, lambda _: None)
    except WorkError:
        return
    raise AssertionError(f"it worked in {str(nowhere.folder)!r}, which does not exist")


async def _check_cancelling(make: Callable[[], Agent], task: AgentTask) -> None:
    agent = make()
    try:
        await _cancelled(lambda emit: agent.run(task, emit))
        _check_nothing_left(task, "it was cancelled")
    finally:
        await sweep(task.env[marks.MARK])


async def _check_hanging_call(make: Callable[[], Model], call: ModelCall) -> None:
    model = make()
    await _cancelled(lambda emit: model.call(call, emit))


async def _cancelled(work: Callable[[Emit], Awaitable[Any]]) -> None:
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
    _require(seconds <= CANCEL_LIMIT_S, f"cancelling it took {seconds:.0f} s")
