"""The conformance kit finds the faults that it is for."""

import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from holdfast.eventlog import Usage
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    Emit,
    Message,
    MissingFolder,
    ModelCall,
    ModelResult,
    Progress,
    Readiness,
    Tool,
    ToolSetting,
    marks,
    testing,
)
from holdfast.plugins.testing import agent_task, check_agent, check_model, check_tool

Work = Callable[[AgentTask, Emit], Awaitable[Any]]
CALL = ModelCall(model="acme/large", messages=[Message("user", "hello")])


class Made:
    """An agent and a model that do what the test says."""

    def __init__(self, work: Work, detail: str = "always") -> None:
        self.work, self.detail = work, detail

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        if not task.folder.exists():
            raise MissingFolder(str(task.folder), program="made", reason="no such folder")
        result: AgentResult = await self.work(task, emit)
        return result

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        task = AgentTask(prompt=call.messages[-1].content, folder=Path(), env={})
        result: ModelResult = await self.work(task, emit)
        return result

    def readiness(self) -> Readiness:
        return Readiness(True, self.detail)


async def good(task: AgentTask, emit: Emit) -> AgentResult:
    emit(Progress("text", "hello"))
    return AgentResult(text="hello", usage=Usage(1, 2))


async def hanging(task: AgentTask, emit: Emit) -> AgentResult:
    emit(Progress("text", "hello"))
    await trio.sleep_forever()
    raise AssertionError


async def untyped(task: AgentTask, emit: Emit) -> Any:
    return "hello"


async def emitting_text(task: AgentTask, emit: Emit) -> AgentResult:
    emit("hello")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return AgentResult(text="hello")


async def with_output(task: AgentTask, emit: Emit) -> AgentResult:
    return AgentResult(text="hello", output={"n": 1})


async def with_objects(task: AgentTask, emit: Emit) -> AgentResult:
    return AgentResult(text="hello", output=object())


async def with_debt(task: AgentTask, emit: Emit) -> AgentResult:
    return AgentResult(text="hello", usage=Usage(-1))


class Leaking(Made):
    def __init__(self) -> None:
        super().__init__(self.leak)
        self.left: list[subprocess.Popen[bytes]] = []

    async def leak(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.start(task.env)
        return AgentResult(text="hello")

    def start(self, env: dict[str, str]) -> None:
        self.left.append(subprocess.Popen(["sleep", "600"], env=env))


async def failing_when_cancelled(task: AgentTask, emit: Emit) -> AgentResult:
    try:
        return await hanging(task, emit)
    finally:
        raise OSError("the pipe is closed")


def test_an_agent_that_keeps_the_rules_passes_and_its_result_comes_back(tmp_path: Path) -> None:
    works = agent_task(tmp_path, "hello")

    assert check_agent(lambda: Made(good), works=works).text == "hello"


def test_a_model_that_keeps_the_rules_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(task: AgentTask, emit: Emit) -> ModelResult:
        if task.prompt == "hang":
            await hanging(task, emit)
        return ModelResult(text=task.prompt)

    hangs = ModelCall(model="acme/large", messages=[Message("user", "hang")])

    assert check_model(lambda: Made(answer), works=CALL, hangs=hangs).text == "hello"


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        (untyped, "it returned 'hello', not a AgentResult"),
        (emitting_text, "emit was called with"),
        (with_output, "there is output, and no schema was given"),
        (with_debt, "strange numbers"),
    ],
)
def test_each_fault_of_a_result_is_named(work: Work, fault: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_agent(lambda: Made(work), works=agent_task(tmp_path, "hello"))


@pytest.mark.parametrize(
    ("work", "fault"), [(good, "there is no output"), (with_objects, "not plain data")]
)
def test_a_schema_wants_plain_data(work: Work, fault: str, tmp_path: Path) -> None:
    works = agent_task(tmp_path, "hello", schema={"type": "object"})

    with pytest.raises(AssertionError, match=fault):
        check_agent(lambda: Made(work), works=works)


@pytest.mark.skipif(not marks.can_see_marks(), reason="needs /proc")
def test_a_process_that_is_left_is_found(tmp_path: Path) -> None:
    agent = Leaking()

    with pytest.raises(AssertionError, match="still alive after the task ended well"):
        check_agent(lambda: agent, works=agent_task(tmp_path, "hello"))

    for process in agent.left:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("work", "error", "fault"),
    [
        (good, AssertionError, "has ended by itself"),
        (failing_when_cancelled, OSError, "the pipe is closed"),
    ],
)
def test_cancelling_must_end_it_and_nothing_else(
    work: Work, error: type[Exception], fault: str, tmp_path: Path
) -> None:
    async def switch(task: AgentTask, emit: Emit) -> Any:
        return await (good if task.prompt == "works" else work)(task, emit)

    with pytest.raises(error, match=fault):
        check_agent(
            lambda: Made(switch),
            works=agent_task(tmp_path, "works"),
            hangs=agent_task(tmp_path, "hangs"),
        )


def test_an_agent_without_async_run_does_not_pass(tmp_path: Path) -> None:
    class Synchronous:
        def run(self, task: AgentTask, emit: Emit) -> AgentResult:
            return AgentResult(text="hello")

        def readiness(self) -> Readiness:
            return Readiness(True, "always")

    with pytest.raises(AssertionError, match=r"Synchronous.run is not an async method"):
        check_agent(Synchronous, works=agent_task(tmp_path, "hello"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_readiness_has_to_say_something(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no detail"):
        check_agent(lambda: Made(good, detail=""), works=agent_task(tmp_path, "hello"))


async def echo(given: dict[str, Any], setting: ToolSetting) -> str:
    return str(given["text"])


async def forty_two(given: dict[str, Any], setting: ToolSetting) -> Any:
    return 42


TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}


def tool(**fields: Any) -> Tool:
    good = Tool(description="Say it again", schema=TEXT, run=echo)
    return msgspec.structs.replace(good, **fields)


def test_a_tool_that_keeps_the_rules_passes(tmp_path: Path) -> None:
    setting = ToolSetting(folder=tmp_path, env={}, permissions="read")

    assert check_tool(tool(), works={"text": "hello"}, setting=setting) == "hello"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"run": forty_two}, "it returned 42, not a text"),
        ({"run": str}, "its `run` is not an async function"),
        ({"schema": {"type": "string"}}, "its schema is not that of an object"),
        ({"schema": {"type": "object", "properties": {}}}, r"its schema has no \['text'\]"),
        ({"schema": TEXT | {"x": object()}}, "its schema is not plain data"),
        ({"description": ""}, "it has no description"),
        ({"needs": "all"}, "it needs 'all'"),
    ],
)
def test_each_fault_of_a_tool_is_named(fields: dict[str, Any], fault: str, tmp_path: Path) -> None:
    setting = ToolSetting(folder=tmp_path, env={}, permissions="read")

    with pytest.raises(AssertionError, match=fault):
        check_tool(tool(**fields), works={"text": "hello"}, setting=setting)


def test_work_without_end_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "TASK_LIMIT_S", 0.01)

    with pytest.raises(AssertionError, match=r"not ended after 0.01 s"):
        check_agent(lambda: Made(hanging), works=agent_task(tmp_path, "hello"))
