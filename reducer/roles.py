"""From roles to agents and models: who does what a workflow leaves open. Pure.

The roles are recorded with each claim of a run, so that a replay resolves them as they were resolved
then. A change of them reaches the steps that have not begun.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import Role

from .requests import AgentCall, Choice, ModelAsk, Permissions, Request, StepRequest

DEFAULT = "default"
"""The role of agents' tasks that name neither role nor agent."""

DEFAULT_AGENT = "claude-code"
"""Who that is where the project says nothing."""

_NOBODY = Role("")


def resolved(request: Request, roles: Sequence[Role]) -> Request:
    """Return the request with its agent or model and its fallbacks; unchanged where a role is not known."""
    if not isinstance(request, StepRequest) or not isinstance(request.call, AgentCall | ModelAsk):
        return request
    known = {role.name: role for role in roles}
    call = request.call
    if isinstance(call, AgentCall):
        return _with_agent(request, call, known)
    return _with_model(request, call, known)


def unresolved(request: StepRequest) -> str:
    """Say what is wrong with the role of a request that names nobody; empty where somebody is named."""
    match request.call:
        case AgentCall(agent="", role=tuple(roles)):
            return f"there is none of the roles {', '.join(map(repr, roles))}"
        case AgentCall(agent="", role=role):
            return f"there is no role {role!r}"
        case ModelAsk(model="", role=role):
            return f"there is no role {role!r} with a model"
        case _:
            return ""


def _with_agent(request: StepRequest, call: AgentCall, known: Mapping[str, Role]) -> Request:
    name = _first(call.role, known)
    open_ = not call.agent and not name
    role = known.get(name or DEFAULT, _NOBODY) if name or open_ else _NOBODY
    if name and role is _NOBODY and not call.agent:
        return request
    its_agent = _agent_of(role, known)
    agent = call.agent or its_agent
    same = agent == its_agent  # another agent has models and options of its own
    settled = replace(
        call,
        agent=agent,
        model=call.model if call.model is not None else (role.model or None) if same else None,
        permissions=call.permissions or _permissions(role),
        options=call.options or (_options(role) if same else {}),
        sandbox=call.sandbox if call.sandbox is not None else role.sandbox or None,
    )
    names = role.fallback if call.fallback is None else call.fallback
    return _with_fallback(request, settled, [_agent_choice(name, known) for name in names])


def _first(asked: str | tuple[str, ...], known: Mapping[str, Role]) -> str:
    """Return the first role that is known of several; from "default" on it is as if none were named."""
    if isinstance(asked, str):
        return asked
    for name in asked:
        if name == DEFAULT:
            return ""
        if name in known:
            return name
    return asked[0]


def _with_model(request: StepRequest, call: ModelAsk, known: Mapping[str, Role]) -> Request:
    role = known.get(call.role, _NOBODY)
    if not call.model and not role.model:
        return request
    settled = replace(call, model=call.model or role.model)
    names = role.fallback if call.fallback is None else call.fallback
    choices = [Choice(model=known[n].model if n in known else n) for n in names]
    return _with_fallback(request, settled, [choice for choice in choices if choice.model])


def _with_fallback(
    request: StepRequest, call: AgentCall | ModelAsk, choices: Sequence[Choice]
) -> StepRequest:
    policy = request.policy
    if tuple(choices) != policy.fallback:
        policy = replace(policy, fallback=tuple(choices))
    if call == request.call and policy is request.policy:
        return request
    return replace(request, call=call, policy=policy)


def agent_and_model(name: str) -> tuple[str, str]:
    """Return what a fallback names: "codex", "codex:gpt-5", "acp:gemini" or "acp:gemini:flash"."""
    agent, _, model = name.partition(":")
    if agent != "acp":
        return agent, model
    further, _, model = model.partition(":")
    return ":".join(filter(None, (agent, further))), model


def _agent_choice(name: str, known: Mapping[str, Role]) -> Choice:
    role = known.get(name)
    if role is not None:
        return Choice(_agent_of(role, known), role.model or None, _options(role))
    agent, model = agent_and_model(name)
    return Choice(agent, model or None)


def _agent_of(role: Role, known: Mapping[str, Role]) -> str:
    """Return a role's agent; one that names none has that of the default role."""
    return role.agent or known.get(DEFAULT, _NOBODY).agent or DEFAULT_AGENT


def _permissions(role: Role) -> Permissions:
    return cast(Permissions, role.permissions) or "full"


def _options(role: Role) -> dict[str, Any]:
    options = msgspec.msgpack.decode(role.options)
    return cast(dict[str, Any], options) if isinstance(options, dict) else {}


def choices(request: StepRequest) -> Iterator[Choice]:
    """Yield all that a step may be given to: the first choice first."""
    match request.call:
        case AgentCall(agent=agent, model=model, options=options):
            yield Choice(agent, model, options)
            yield from request.policy.fallback
        case ModelAsk(model=model):
            yield Choice(model=model)
            yield from request.policy.fallback
        case _:
            yield Choice()


def acting(request: StepRequest, place: int) -> StepRequest:
    """Return the request as whoever is at `place` gets it; a place that is no more is the first."""
    if not 0 < place <= len(request.policy.fallback):
        return request
    choice = request.policy.fallback[place - 1]
    match request.call:
        case AgentCall() as call:
            changed: AgentCall | ModelAsk = replace(
                call, agent=choice.agent, model=choice.model, options=choice.options
            )
        case ModelAsk() as call:
            changed = replace(call, model=choice.model or call.model)
        case _:
            return request
    return replace(request, call=changed)


def doer(request: StepRequest) -> str:
    """Return who makes an attempt, in a word: "codex:gpt-5", "openai/gpt-5"; empty for other kinds."""
    return next(choices(request)).name


def changes_of_roles(before: Sequence[Role], after: Sequence[Role]) -> list[str]:
    """Return how the roles differ, a line for each."""
    old, new = ({role.name: role for role in roles} for roles in (before, after))
    return [
        f"{name}: {_told(old.get(name))} -> {_told(new.get(name))}"
        for name in sorted(old | new)
        if old.get(name) != new.get(name)
    ]


def _told(role: Role | None) -> str:
    if role is None:
        return "nobody"
    who = Choice(role.agent, role.model or None).name or DEFAULT_AGENT
    extra = [role.permissions] if role.permissions else []
    extra += [f"sandbox {role.sandbox}"] if role.sandbox else []
    extra += ["options"] if role.options != Role("").options else []
    extra += [f"else {', '.join(role.fallback)}"] if role.fallback else []
    return f"{who} ({'; '.join(extra)})" if extra else who
