"""What a run would fail at that is seen beforehand: nobody is there for a step, or keeps to its permissions."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, get_args

import msgspec

from holdfast.plugins import Permissions
from holdfast.reducer import AgentCall, StepRequest, acting, unresolved

PermissionsOf = Callable[[str, Mapping[str, Any]], Collection[Permissions]]
"""Which permissions an agent can be held to, with a step's options."""

ANY: Collection[Permissions] = get_args(Permissions)


class Problem(msgspec.Struct, frozen=True):
    """What would go wrong in a run: where, and why."""

    key: str
    code: str
    message: str


def problem_of(
    key: str, request: StepRequest, knows_agent: Callable[[str], bool], permissions: PermissionsOf
) -> Problem | None:
    """Return why a run would stop or fail at a step, as far as it is up to who does it."""
    if missing := unresolved(request):
        told = f"{missing} in holdfast.toml: add [roles.NAME], or give agent= or model="
        return Problem(key, "unknown_role", told)
    if not isinstance(request.call, AgentCall):
        return None
    if not knows_agent(request.call.agent):
        told = f"there is no agent {request.call.agent!r}. List them with: holdfast agents"
        return Problem(key, "no_such_agent", told)
    refusals = _refusals(request, knows_agent, permissions)
    told = f"{'; '.join(refusals)}. Give the step one of these, or another agent"
    return Problem(key, "bad_options", told) if refusals else None


def _refusals(
    request: StepRequest, knows_agent: Callable[[str], bool], permissions: PermissionsOf
) -> list[str]:
    """Say why nobody whom a step may be given to keeps to its permissions; nothing where one does."""
    refusals: list[str] = []
    for place in range(1 + len(request.policy.fallback)):
        call = acting(request, place).call
        assert isinstance(call, AgentCall), "in the place of an agent there is another one"
        if not knows_agent(call.agent):
            continue
        wanted, known = call.permissions or "full", permissions(call.agent, call.options)
        if wanted in known:
            return []
        refusals.append(
            f"{call.agent} cannot be held to permissions={wanted!r}: it knows "
            f"{', '.join(map(repr, sorted(known)))}"
        )
    return refusals
