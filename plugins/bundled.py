"""The adapters that come with Holdfast, offered through the same hooks as anybody's.

Modules are imported when something asks for an agent or a model: most commands never do.
"""

from collections.abc import Mapping

from .hooks import hookimpl
from .types import Agent, Model


@hookimpl
def holdfast_agents() -> Mapping[str, Agent]:
    from .agents import ClaudeCode, Codex, Command

    return {"claude-code": ClaudeCode(), "codex": Codex(), "command": Command()}


@hookimpl
def holdfast_models() -> Mapping[str, Model]:
    from .models import LitellmModel

    return {"": LitellmModel()}
