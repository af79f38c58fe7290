"""Random workflows: small programs as data, run by one generic workflow function.

A program is a list of nodes; a node is [kind, name, *rest]. What a step answers decides how a loop
or a branch goes on, so that the order of answers matters as it does in real workflows.
"""

from typing import Any

from hypothesis import strategies as st

from holdfast import Run, StepFailed, workflow
from tests.support.player import Player, work

Node = list[Any]
Program = list[Node]

NAMES = st.sampled_from(["a", "b", "c"])


async def play(run: Run, program: Program) -> list[Any]:
    return [await play_node(run, node) for node in program]


async def play_node(run: Run, node: Node) -> Any:
    match node:
        case ["step", name]:
            return await run.step(name, work, run.random())
        case ["note", text]:
            return await run.note(text)
        case ["wait", name]:
            return await run.race(run.wait(name), run.sleep(5, f"{name} timer"))
        case ["gate", name]:
            return (await run.approve(name, on_deny="return")).approved
        case ["loop", name, ceiling, body]:
            async for index in run.loop(name, max=ceiling, on_exhausted="stop"):
                found = await play(run, body)
                if found and found[-1] == "stop":
                    return index
            return "exhausted"
        case ["parallel", limit, *branches]:
            return await run.parallel(*(play(run, b) for b in branches), limit=limit)
        case ["map", name, items, limit, body]:
            return await run.map(lambda _: play(run, body), items, limit=limit, name=name)
        case ["race", *branches]:
            return await run.race(*(play(run, branch) for branch in branches))
        case ["try", body, handler, last]:
            try:
                return await play(run, body)
            except StepFailed as error:
                return [error.key, await play(run, handler)]
            finally:
                await play(run, last)
        case ["workspace", name, body]:
            async with run.workspace(name) as ws:
                await run.shell("look", "true")
                found = await play(run, body)
                await ws.merge()
            return found
        case ["raise"]:
            raise ValueError("on purpose")
        case _:
            raise AssertionError(f"no such node: {node!r}")


@workflow
async def generic(run: Run, program: list[Any]) -> Any:
    """Play a program."""
    return await play(run, program)


def _larger(smaller: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    body = st.lists(smaller, max_size=3)
    bodies = st.lists(body, min_size=1, max_size=3)
    limit = st.sampled_from([None, 1, 2])
    items = st.lists(st.sampled_from(["x", "y", "a/b"]), max_size=3)
    return st.one_of(
        st.builds(lambda n, c, b: ["loop", n, c, b], NAMES, st.integers(1, 3), body),
        st.builds(lambda limit, b: ["parallel", limit, *b], limit, bodies),
        st.builds(lambda n, i, m, b: ["map", n, i, m, b], NAMES | st.just(""), items, limit, body),
        st.builds(lambda b: ["race", *b], bodies),
        st.builds(lambda name, b: ["workspace", name, b], NAMES, body),
        st.builds(lambda b, h, f: ["try", b, h, f], body, body, body),
    )


_LEAVES = st.one_of(
    st.builds(lambda name: ["step", name], NAMES),
    st.builds(lambda name: ["step", name], NAMES),
    st.builds(lambda name: ["wait", name], NAMES),
    st.builds(lambda name: ["gate", name], NAMES),
    st.builds(lambda name: ["note", name], NAMES),
    st.just(["raise"]),
)

PROGRAMS: st.SearchStrategy[Program] = st.lists(
    st.recursive(_LEAVES, _larger, max_leaves=12), min_size=1, max_size=4
)


def play_out(player: Player, chance: Any, *, most: int = 60) -> Player:
    """Answer open requests at random, well and badly, sometimes cancel, until the run ends."""
    for _ in range(most):
        if not player.open:
            break
        key = player.open[chance.randrange(len(player.open))]
        what = chance.random()
        if what < 0.03:
            player.cancel()
        elif what < 0.2 and key in player.state.steps:
            player.fail(key)
        else:
            player.answer(key, "stop" if what > 0.8 else "on")
    return player
