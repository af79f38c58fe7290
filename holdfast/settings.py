"""What a project's settings mean for its runs: the roles and the budget that are recorded with them."""

import os
from collections.abc import Collection
from pathlib import Path

import msgspec

from holdfast.eventlog import NONE, Budget, Role
from holdfast.reducer import agent_and_model

from .config import NAME, Config, LimitsConfig
from .errors import ConfigInvalid
from .redact import Redactor


def roles_of(config: Config, redactor: Redactor | None = None) -> list[Role]:
    """Return the roles as a claim records them. Raises ConfigInvalid for one that holds a secret."""
    if not config.roles:
        return []
    redactor = redactor or Redactor(os.environ)
    roles: list[Role] = []
    for name, role in sorted(config.roles.items()):
        options = msgspec.msgpack.encode(role.options) if role.options else bytes(NONE)
        given = [role.agent, role.model, *role.fallback]
        if redactor.value(options) is not options or redactor.text("\n".join(given)) != "\n".join(
            given
        ):
            raise ConfigInvalid(
                Path(NAME),
                f"has a secret in [roles.{name}], and roles are written to the log. Put it into the "
                "environment, where agents look for it",
            )
        roles.append(
            Role(
                name, role.agent, role.model, role.fallback, role.permissions or "",
                msgspec.Raw(options), role.sandbox,
            )
        )  # fmt: skip
    return roles


def unknown_agents(config: Config, known: Collection[str]) -> list[tuple[str, str]]:
    """Return the roles that name an agent which is not there, with its name."""
    found: list[tuple[str, str]] = []
    for name, role in config.roles.items():
        others = [agent_and_model(one)[0] for one in role.fallback if one not in config.roles]
        is_agent = role.agent or not role.model  # else its fallbacks are models
        agents = [role.agent, *others] if is_agent else []
        found += [(name, agent) for agent in agents if agent and agent not in known]
    return found


def budget_of(
    limits: LimitsConfig, usd: float = 0.0, tokens: int = 0, otherwise: Budget | None = None
) -> Budget | None:
    """Return the budget of a new run: what was asked for, else what the project has, else the workflow."""
    if not usd and not tokens:
        usd, tokens = limits.budget_usd, limits.budget_tokens
    if not usd and not tokens:
        return otherwise
    return Budget(usd, tokens, limits.reserve_usd, limits.reserve_tokens)
