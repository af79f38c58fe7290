"""Random workflows for time travel, and a world in which every result tells what it was made of.

A program is a list of nodes; a node is [kind, name, ...], and names are unique within a program. A value
flows through the nodes: a node that depends on it hands on what it made of it. Steps that work on files
see all that was done to them before, and leave a touch of their own.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import trio
from hypothesis import strategies as st

from holdfast import ApprovalDenied, ChildFailed, LoopExhausted, Run, StepFailed, workflow
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    Emit,
    ModelCall,
    ModelResult,
    Progress,
    Readiness,
    hookimpl,
)

Node = list[Any]
Program = list[Node]
Files = frozenset[str]

FAILURES = (StepFailed, ApprovalDenied, ChildFailed, LoopExhausted, ValueError)
PROGRAMS: dict[str, Program] = {}
"""What the workflows play: the code of `first`, which may be edited, and of `second`."""


class Done(msgspec.Struct, frozen=True):
    """What a step really did, and the files that it saw."""

    key: str
    read: str
    seen: Files
    number: int


class World:
    """The folder that all steps work in, and a list of what was really done."""

    def __init__(self) -> None:
        self.files: Files = frozenset()
        self.done: list[Done] = []
        self.begun: list[str] = []
        self.mended: set[str] = set()
        self.tried: Counter[str] = Counter()
        self.seen_by: dict[str, Done] = {}

    async def work(self, key: str, read: str, plan: dict[str, Any], *, files: bool) -> str:
        """Be a step: see, take time, fail as planned, answer."""
        self.begun.append(key)
        seen = self.files if files else frozenset[str]()
        await trio.sleep(plan.get("long", 0.5))
        if plan.get("broken") and key not in self.mended:
            raise OSError(f"{key} is broken")
        self.tried[key] += 1
        if self.tried[key] <= plan.get("fails", 0):
            raise OSError(f"no luck with {key}")
        answer = made_of(key, read, seen)
        done = Done(key, read, seen, len(self.done))
        self.done.append(done)
        self.seen_by[answer] = done
        if files:
            self.files |= {answer}
        return answer


def made_of(key: str, read: str, seen: Files) -> str:
    """Return what a step answers that read this and saw these files."""
    text = "\0".join([key, read, *sorted(seen)])
    return f"{key}:{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


world = World()


def new_world() -> World:
    """Begin anew, and return the world that all steps are in from now on."""
    global world
    world = World()
    return world


async def work(key: str, read: str, plan: dict[str, Any], files: bool) -> str:
    """Do what a step does."""
    return await world.work(key, read, plan, files=files)


class Robot:
    """An agent whose work is told by its prompt."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        emit(Progress("session", f"session of {task.prompt}"))
        key = task.options["key"]
        read = f"{self._name} {task.model} {task.prompt}"
        return AgentResult(text=await work(key, read, task.options["plan"], True))

    def readiness(self) -> Readiness:
        return Readiness(ready=True, detail="always")


class Thinker:
    """A model whose answer is told by its prompt."""

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        key, read = call.params["key"], f"{call.model} {call.messages[-1].content}"
        return ModelResult(text=await work(key, read, {}, False))

    def readiness(self) -> Readiness:
        return Readiness(ready=True, detail="always")


class Pack:
    """The plugin that offers them."""

    @hookimpl
    def holdfast_agents(self) -> dict[str, Robot]:
        return {"robot": Robot("robot"), "other": Robot("other")}

    @hookimpl
    def holdfast_models(self) -> dict[str, Thinker]:
        return {"think": Thinker(), "guess": Thinker()}


# --- the workflows ---------------------------------------------------------------------------------


@workflow
async def first(run: Run, x: str = "x") -> Any:
    """Play the first program."""
    return await _play(run, "", PROGRAMS["first"], x)


@workflow
async def second(run: Run, x: str = "x") -> Any:
    """Play the second program."""
    return await _play(run, "", PROGRAMS["second"], x)


@workflow
async def kid(run: Run, label: str, x: str, program: list[Any]) -> Any:
    """Play a child's program; `label` is its key in its parent."""
    return await _play(run, f"{label}/", program, x)


async def _play(run: Run, label: str, program: Program, x: str) -> str:
    for node in program:
        x = await _node(run, label, node, x)
    return x


async def _node(run: Run, label: str, node: Node, x: str) -> str:
    kind, name = node[0], str(node[1]) if len(node) > 1 else ""
    key = f"{label}{run._scope().prefix}{name}"
    match node:
        case ["pure", _, reads]:
            return await run.step(name, work, key, x if reads else "", {}, False, pure=True)
        case ["step" | "effect", _, reads, plan]:
            read, retries = x if reads else "", plan.get("fails", 0)
            effect = kind == "effect"
            made = run.step(name, work, key, read, plan, True, retries=retries, effect=effect)
            return str(await made)
        case ["agent", _, reads, plan]:
            prompt = f"do {name} {x if reads else ''}"
            options = {"key": key, "plan": plan}
            retries = plan.get("fails", 0)
            return str(
                await run.agent(name, prompt, agent="robot", options=options, retries=retries)
            )
        case ["model", _, reads]:
            prompt = f"think {name} {x if reads else ''}"
            return str(await run.model(name, prompt, model="think/1", params={"key": key}))
        case ["gate", _, reads]:
            decision = await run.approve(name, x if reads else "", on_deny="return")
            return x if decision.approved else f"{x}!"
        case ["strict", _, reads]:
            await run.approve(name, x if reads else "")
            return x
        case ["wait", _]:
            return f"{x}+{await run.wait(name)}"
        case ["sleep", _, seconds]:
            await run.sleep(seconds, name)
            return x
        case ["note", _]:
            await run.note(name, x=x)
            return x
        case ["raise"]:
            raise ValueError("on purpose")
        case ["child", _, reads, body]:
            given = {"label": key, "x": x if reads else "", "program": body}
            return str(await run.child(kid, given, name=name))
        case _:
            return await _branch(run, label, node, x)


async def _branch(run: Run, label: str, node: Node, x: str) -> str:
    match node:
        case ["all", limit, *branches]:
            each = (_play(run, label, branch, x) for branch in branches)
            return _short(await run.parallel(*each, limit=limit or None))
        case ["map", name, items, limit, body]:
            found = await run.map(
                lambda _: _play(run, label, body, x), items, limit=limit or None, name=name
            )
            return _short(found)
        case ["race", *branches]:
            await run.race(*(_lane(run, label, branch, x) for branch in branches))
            return x
        case ["loop", name, most, body]:
            async for _ in run.loop(name, max=most, on_exhausted="stop"):
                x = await _play(run, label, body, x)
                if int(hashlib.blake2b(x.encode()).hexdigest(), 16) % 3 == 0:
                    break
            return x
        case ["try", body, handler]:
            try:
                return await _play(run, label, body, x)
            except FAILURES:
                return await _play(run, label, handler, f"{x}?")
        case _:
            raise AssertionError(f"no such node: {node!r}")


async def _lane(run: Run, label: str, branch: Program, x: str) -> None:
    try:
        await _play(run, label, branch, x)
    except FAILURES:
        return


def _short(found: list[str]) -> str:
    return hashlib.blake2b("\0".join(found).encode(), digest_size=8).hexdigest()


# --- random programs -------------------------------------------------------------------------------

_READS = st.sampled_from([True, True, False])
_PLANS = st.sampled_from([{}, {}, {}, {}, {"long": 3}, {"long": 0}, {"fails": 1}, {"broken": True}])
_ITEMS = st.sampled_from([["p"], ["p", "q"], ["p", "q", "r/s"]])
_LIMITS = st.sampled_from([0, 0, 1, 2])


def _leaf(kind: str) -> st.SearchStrategy[Node]:
    match kind:
        case "step" | "agent":
            return st.builds(lambda reads, plan: [kind, "", reads, plan], _READS, _PLANS)
        case "effect":
            return st.builds(lambda reads: [kind, "", reads, {}], _READS)
        case "pure" | "model" | "gate" | "strict":
            return st.builds(lambda reads: [kind, "", reads], _READS)
        case "sleep":
            return st.sampled_from([1, 20]).map(lambda s: [kind, "", s])
        case "raise":
            return st.just([kind])
        case _:
            return st.just([kind, ""])


_KINDS = [
    "step",
    "step",
    "pure",
    "agent",
    "model",
    "effect",
    "gate",
    "strict",
    "wait",
    "sleep",
    "note",
]
_LEAVES = st.sampled_from(_KINDS).flatmap(_leaf) | st.just(["raise"]) | _leaf("step")


def _larger(smaller: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    body = st.lists(smaller, min_size=1, max_size=3)
    bodies = st.lists(body, min_size=2, max_size=3)
    return st.one_of(
        st.builds(lambda limit, b: ["all", limit, *b], _LIMITS, bodies),
        st.builds(lambda i, n, b: ["map", "", i, n, b], _ITEMS, _LIMITS, body),
        st.builds(lambda b: ["race", *b], bodies),
        st.builds(lambda n, b: ["loop", "", n, b], st.integers(1, 3), body),
        st.builds(lambda b, h: ["try", b, h], body, body),
        st.builds(lambda r, b: ["child", "", r, b], _READS, body),
        st.builds(lambda r, b: ["child", "", r, b], _READS, body),
    )


programs: st.SearchStrategy[Program] = st.lists(
    st.recursive(_LEAVES, _larger, max_leaves=8), min_size=2, max_size=5
).map(lambda program: named(program))


def named(program: Program) -> Program:
    """Return the program with a name of its own for each node: what it is, and its number."""
    count = Counter[str]()

    def rename(node: Any) -> Any:
        if isinstance(node, list) and node and node[0] in ("all", "race", "try", "raise"):
            return [node[0], *map(within, node[1:])]
        if isinstance(node, list) and node and isinstance(node[0], str) and len(node) > 1:
            count["all"] += 1
            return [node[0], f"{node[0]}{count['all']}", *map(within, node[2:])]
        return node

    def within(part: Any) -> Any:
        is_body = isinstance(part, list) and part and all(isinstance(n, list) for n in part)
        return [rename(node) for node in part] if is_body else part

    return [rename(node) for node in program]


def nodes(program: Program) -> Iterator[Node]:
    """Yield all nodes of a program."""
    for node in program:
        yield node
        for part in node[1:]:
            if isinstance(part, list) and part and all(isinstance(each, list) for each in part):
                yield from nodes(part)


def is_timely(program: Program) -> bool:
    """Whether its outcome does not depend on what of several things at once happens first."""
    at_once = [node for node in nodes(program) if node[0] in ("all", "map", "race")]
    return all(
        inner[0] not in ("step", "agent", "effect", "wait")
        for node in at_once
        for inner in nodes([node])
    )
