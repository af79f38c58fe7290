"""The adapters that come with Holdfast, offered through the same hooks as anybody's.

Modules are imported when something asks for an agent or a model: most commands never do.
"""

from collections.abc import Mapping

from .hooks import hookimpl
from .types import Agent, Model, Sandbox, Tool


@hookimpl
def holdfast_agents() -> Mapping[str, Agent]:
    from . import agents

    return {
        "acp": agents.Acp(),
        **{name: agents.Acp(name) for name in agents.KNOWN},
        "aider": agents.Aider(),
        "builtin": agents.Builtin(),
        "claude-code": agents.ClaudeCode(),
        "codex": agents.Codex(),
        "command": agents.Command(),
        "copilot": agents.Copilot(),
        "gemini": agents.Gemini(),
        "goose": agents.Goose(),
        "kimi": agents.Kimi(),
        "opencode": agents.OpenCode(),
        "pi": agents.Pi(),
        "qwen": agents.Qwen(),
    }


@hookimpl
def holdfast_models() -> Mapping[str, Model]:
    from .models import LitellmModel

    return {"": LitellmModel()}


@hookimpl
def holdfast_sandboxes() -> Mapping[str, Sandbox]:
    from .sandboxes import Bubblewrap

    return {"bubblewrap": Bubblewrap()}


@hookimpl
def holdfast_tools() -> Mapping[str, Tool]:
    from .agents.builtin import TOOLS

    return TOOLS
