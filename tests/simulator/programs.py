"""Random workflows as data: what a program is, how one is made from a seed, how one gets smaller.

A program is a list of nodes; a node is [kind, name, ...]. Names are unique within a program, so that
a step's key is its scope and its name. Programs are made so that their outcome is determined whatever
order things happen in: a race tells only that it is over, a failure only that it was one.
"""

import random
from collections.abc import Iterator
from typing import Any

Node = list[Any]
Program = list[Node]

ALWAYS = 1_000_000  # more failures than any policy allows
LEAVES = ("step", "step", "step", "effect", "pure", "gate", "wait", "sleep", "note", "agent")
BRANCHES = ("all", "all", "map", "race", "loop", "try", "try", "child")


class Maker:
    """Makes one program from a source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._names = 0
        self._left = chance.randint(3, 14)  # nodes that do something

    def program(self) -> Program:
        body: Program = []
        while self._left > 0:
            body.append(self._node(0))
        return body

    def _body(self, depth: int) -> Program:
        return [self._node(depth + 1) for _ in range(self._chance.choice([1, 1, 2, 2, 3]))]

    def _bodies(self, depth: int) -> list[Program]:
        return [self._body(depth) for _ in range(self._chance.choice([2, 2, 3]))]

    def _name(self, what: str) -> str:
        self._names += 1
        return f"{what}{self._names}"

    def _node(self, depth: int) -> Node:
        chance = self._chance
        if depth < 3 and self._left > 1 and chance.random() < 0.5:
            return self._branch(chance.choice(BRANCHES), depth)
        self._left -= 1
        if chance.random() < 0.04:
            return ["raise"]
        return self._leaf(chance.choice(LEAVES))

    def _branch(self, kind: str, depth: int) -> Node:
        chance = self._chance
        match kind:
            case "all":
                return [kind, chance.choice([0, 0, 1, 2]), self._bodies(depth)]
            case "map":
                items = chance.sample(["x", "y", "a/b", "ü"], chance.randint(1, 3))
                return [kind, self._name("map"), items, chance.choice([0, 1, 2]), self._body(depth)]
            case "race":
                return [kind, self._bodies(depth)]
            case "loop":
                most = chance.randint(1, 3)
                until = chance.choice([0, 1, most])
                rest = chance.choice(["stop", "stop", "raise"])
                return [kind, self._name("loop"), most, until, rest, self._body(depth)]
            case "try":
                last = self._body(depth) if chance.random() < 0.5 else []
                return [kind, self._body(depth), self._body(depth), last]
            case _:
                return [kind, self._name("kid"), self._body(depth)]

    def _leaf(self, kind: str) -> Node:
        chance = self._chance
        match kind:
            case "step" | "agent":
                return [kind, self._name(kind), self._plan()]
            case "effect":
                fails = chance.choice([0, 0, 0, 1])
                doubt = chance.choice(["ask", "ask", "ask", "retry"])
                return [kind, self._name(kind), {"fails": fails, "retries": fails, "doubt": doubt}]
            case "gate":
                says = chance.choice(["yes", "yes", "yes", "no", "silent"])
                expires = 40 if says == "silent" else 0
                count = chance.choice([1, 1, 2])
                deny = chance.choice(["return", "return", "raise"])
                return [kind, self._name(says), count, expires, deny]
            case "sleep":
                return [kind, self._name("nap"), chance.choice([0, 1, 7, 50, 5000])]
            case "wait":
                return [kind, self._name("news")]
            case _:
                return [kind, self._name(kind)]

    def _plan(self) -> dict[str, Any]:
        """How a step behaves: an outcome that crashes in between cannot change."""
        chance = self._chance
        plan: dict[str, Any] = {}
        what = chance.random()
        if what < 0.12:
            plan = {"fails": ALWAYS, "retries": chance.choice([0, 0, 1])}
        elif what < 0.3:
            fails = chance.randint(1, 2)
            plan = {"fails": fails, "retries": fails}
        elif what < 0.42:
            plan = {"hangs": 1, "retries": 1, "timeout": 30}
        elif what < 0.46:
            plan = {"hangs": ALWAYS, "retries": 1, "timeout": 30}
        if chance.random() < 0.15:
            plan["limited"] = chance.randint(1, 2)
        if chance.random() < 0.3:
            plan["long"] = chance.choice([3, 20])
        if chance.random() < 0.2:
            plan["late"] = chance.choice([1, 9])
        return plan


def make(seed: int) -> Program:
    """Return the program of a seed."""
    program = Maker(random.Random(f"program {seed}")).program()
    chance = random.Random(f"crew {seed}")
    for node in nodes(program):
        if node[0] == "agent" and chance.random() < 0.5:
            node[2]["left"] = chance.choice(["refuses", "quota", "quota"])
            node[2]["then"] = chance.choice(["", "quota"])
    chance = random.Random(f"hands {seed}")
    for node in nodes(program):
        if node[0] == "agent" and chance.random() < 0.5:
            node[2]["tools"] = chance.choice([1, 2, 4])
        if node[0] == "agent" and chance.random() < 0.3:
            node[2]["budget"] = chance.choice([0.2, 0.5, 1])  # attempts' worth
    return program


def rounds(seed: int) -> int:
    """Return how often a seed's run plays its program, each time in a fresh history."""
    return random.Random(f"rounds {seed}").choice([1, 1, 1, 1, 1, 1, 1, 1, 2, 3])


def budget(seed: int) -> int:
    """Return how many attempts a seed's run may pay for; 0: any number."""
    chance = random.Random(f"purse {seed}")
    return chance.choice([0, 0, 1, 2, 5])


def is_sequential(program: Program) -> bool:
    """Whether nothing in it happens at once, so that even its error is determined."""
    return not any(node[0] in ("all", "map", "race") for node in nodes(program))


def nodes(program: Program) -> Iterator[Node]:
    """Yield all nodes of a program."""
    for node in program:
        yield node
        for body in bodies(node):
            yield from nodes(body)


def bodies(node: Node) -> list[Program]:
    """Return the programs that a node is made of."""
    match node:
        case ["all", _, branches] | ["race", branches]:
            return list(branches)
        case ["try", body, handler, last]:
            return [body, handler, last]
        case ["map" | "loop" | "child", *_, body]:
            return [body]
        case _:
            return []


def smaller(program: Program) -> Iterator[Program]:
    """Yield programs with a node less, or with a node's insides in its place."""
    for index, node in enumerate(program):
        before, after = program[:index], program[index + 1 :]
        yield before + after
        for body in bodies(node):
            if body:
                yield before + body + after
        for simpler in _simpler(node):
            yield [*before, simpler, *after]


def _simpler(node: Node) -> Iterator[Node]:
    match node:
        case ["all", limit, branches]:
            yield from (["all", limit, less] for less in _fewer(branches))
        case ["race", branches]:
            yield from (["race", less] for less in _fewer(branches))
        case ["try", body, handler, last]:
            yield from (["try", less, handler, last] for less in smaller(body))
            yield from (["try", body, less, last] for less in smaller(handler))
            yield from (["try", body, handler, less] for less in smaller(last))
        case ["map" | "loop" | "child", *head, body]:
            yield from ([node[0], *head, less] for less in smaller(body) if less)
        case _:
            pass


def _fewer(branches: list[Program]) -> Iterator[list[Program]]:
    for index, branch in enumerate(branches):
        if len(branches) > 1:
            yield branches[:index] + branches[index + 1 :]
        yield from (
            [*branches[:index], less, *branches[index + 1 :]] for less in smaller(branch) if less
        )
