"""What can be told of agents without a call: asked all at once, none for long."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.config import Config
    from holdfast.plugins import Agent, Readiness

TIMEOUT_S = 10.0


def probe(agents: "Mapping[str, Agent]", timeout_s: float = TIMEOUT_S) -> "dict[str, Readiness]":
    """Ask each agent whether it can work here; one that does not answer in time is told as such."""
    import trio

    return trio.run(_probe, agents, timeout_s)


async def _probe(agents: "Mapping[str, Agent]", timeout_s: float) -> "dict[str, Readiness]":
    import trio

    from holdfast.plugins import Readiness, ready

    late = Readiness(False, f"gave no answer within {timeout_s:g} s")
    found = dict.fromkeys(agents, late)

    async def ask(name: str, agent: "Agent") -> None:
        found[name] = await trio.to_thread.run_sync(ready, agent, abandon_on_cancel=True)

    with trio.move_on_after(timeout_s):
        async with trio.open_nursery() as nursery:
            for name, agent in agents.items():
                nursery.start_soon(ask, name, agent)
    return found


def roles_using(config: "Config", agent: str) -> Iterable[str]:
    """Yield the roles that an agent has, those first in which it is the first choice."""
    from holdfast.reducer import DEFAULT_AGENT, agent_and_model

    roles = config.roles.items()
    yield from (n for n, r in roles if (r.agent or (not r.model and DEFAULT_AGENT)) == agent)
    if "default" not in config.roles and agent == DEFAULT_AGENT:
        yield "default"
    for name, role in roles:
        others = [agent_and_model(one)[0] for one in role.fallback if one not in config.roles]
        if agent in others:
            yield f"{name} (fallback)"
