"""The one workflow that plays every program, and the work that its steps do in the simulated world."""

from contextlib import suppress
from typing import Any

from holdfast import (
    ApprovalDenied,
    ChildFailed,
    LoopExhausted,
    Run,
    StepFailed,
    workflow,
)
from holdfast.children import child_run
from holdfast.eventlog import Usage
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    Emit,
    Entry,
    Journal,
    Progress,
    Readiness,
    hookimpl,
)
from tests.simulator.programs import Program
from tests.simulator.world import here

FAILURES = (StepFailed, ApprovalDenied, ChildFailed, LoopExhausted, ValueError)
AGENT, SECOND = "robot", "second"
PRICE = 0.25


@workflow
async def generic(run: Run, label: str, program: list[Any], rounds: int = 1) -> Any:
    """Play a program, several times in a fresh history each, and tell what came of it the last time.

    `label` is the run's id, so that its steps can tell whose they are.
    """
    found = await _play(run, label, program)
    if rounds > 1:
        raise run.continue_as_new(label=label, program=program, rounds=rounds - 1)
    return found


async def _play(run: Run, label: str, program: Program) -> list[Any]:
    return [await _node(run, label, node) for node in program]


async def _node(run: Run, label: str, node: list[Any]) -> Any:
    match node:
        case ["step", name, plan]:
            return await run.step(name, work, label, _key(run, name), plan, **_policy(plan))
        case ["agent", name, plan]:
            prompt = f"{label}\n{_key(run, name)}"
            others = [f"{SECOND}:{plan['then'] or 'ready'}"] if "left" in plan else []
            budget = plan["budget"] * PRICE if "budget" in plan else None
            return await run.agent(
                name, prompt, agent=AGENT, options=plan, fallback=others, budget=budget,
                **_policy(plan),
            )  # fmt: skip
        case ["effect", name, plan]:
            return await _effect(run, label, name, plan)
        case ["pure", name]:
            return await run.step(name, compute, label, _key(run, name), pure=True)
        case ["gate", name, count, expires, deny]:
            by = ["anna", "ben"] if count == 2 else []
            decision = await run.approve(
                name, {"for": name}, by=by, count=count, expires=expires, on_deny=deny
            )
            return [name, decision.approved]
        case ["wait", name]:
            return await run.wait(name)
        case ["sleep", name, seconds]:
            return await run.sleep(seconds, name)
        case ["note", name]:
            return await run.note(name, more="x" * 2000)
        case ["child", name, body]:
            given = {"label": child_run(label, _key(run, name)), "program": body}
            return await run.child(generic, given, name=name)
        case ["raise"]:
            raise ValueError("on purpose")
        case _:
            return await _branch(run, label, node)


async def _branch(run: Run, label: str, node: list[Any]) -> Any:
    match node:
        case ["all", limit, branches]:
            each = (_play(run, label, branch) for branch in branches)
            return await run.parallel(*each, limit=limit or None)
        case ["map", name, items, limit, body]:
            return await run.map(
                lambda _: _play(run, label, body), items, limit=limit or None, name=name
            )
        case ["race", branches]:
            await run.race(*(_lane(run, label, branch) for branch in branches))
            return "raced"
        case ["loop", name, most, until, rest, body]:
            found: list[Any] = []
            async for index in run.loop(name, max=most, on_exhausted=rest):
                found.append(await _play(run, label, body))
                if index == until:
                    break
            return found
        case ["try", body, handler, last]:
            try:
                return await _play(run, label, body)
            except FAILURES:
                return ["caught", await _play(run, label, handler)]
            finally:
                await _play(run, label, last)
        case _:
            raise AssertionError(f"no such node: {node!r}")


async def _lane(run: Run, label: str, branch: Program) -> None:
    with suppress(*FAILURES):
        await _play(run, label, branch)


async def _effect(run: Run, label: str, name: str, plan: dict[str, Any]) -> str:
    """An effect tells the same when it is denied in doubt: people's moods are no outcome."""
    options: dict[str, Any] = {**_policy(plan), "effect": True, "on_doubt": plan["doubt"]}
    try:
        await run.step(name, work, label, _key(run, name), plan, **options)
    except StepFailed as error:
        if error.failure.code not in ("effect_in_doubt", "effect_denied"):
            raise
    return name


def _policy(plan: dict[str, Any]) -> dict[str, Any]:
    return {"retries": plan.get("retries", 0), "timeout": plan.get("timeout", 0)}


def _key(run: Run, name: str) -> str:
    return run._scope().prefix + name


async def work(label: str, key: str, plan: dict[str, Any]) -> str:
    """Do what a step does: behave as the plan says, and come to an end some time."""
    return await here().work(label, key, plan)


async def compute(label: str, key: str) -> str:
    """Do what a pure step does."""
    return await here().compute(key)


class Robot:
    """An agent that opens a session, says something, and works as a step does.

    The first of the two may leave the work to the second, which may have used up its quota for a while.
    With tools it calls them first, one by one, and keeps a journal of that: what has begun it does not
    begin again, for who knows what has come of it.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        label, key = task.prompt.splitlines()[-2:]
        session = here().session(key, task.session, self._name)
        emit(Progress("session", session))
        here().leave(label, key, str(task.options.get("left") or task.model), self._name)
        each = Usage(1, 0, 0, PRICE / (task.options.get("tools", 0) + 1))
        await self._use_tools(key, task.journal, task.options.get("tools", 0), each)
        text = await here().work(label, key, dict(task.options))
        emit(Progress("text", text * 500))
        return AgentResult(text=text, session=session, usage=each)

    async def _use_tools(self, key: str, journal: Journal, count: int, each: Usage) -> None:
        here().remember(key, [(entry.kind, entry.data) for entry in journal.entries])
        known = {(entry.kind, entry.data) for entry in journal.entries}
        for number in range(count):
            if ("finished", number) in known:
                continue
            if ("began", number) not in known:
                await journal.append(Entry("began", number))
                await here().call(key, number)
            await journal.append(Entry("finished", number, usage=each))

    def readiness(self) -> Readiness:
        """Say that it can work."""
        return Readiness(ready=True, detail="always")


class RobotPlugin:
    """The plugin that offers it."""

    @hookimpl
    def holdfast_agents(self) -> dict[str, Robot]:
        """Offer the robot."""
        return {AGENT: Robot(AGENT), SECOND: Robot(SECOND)}
