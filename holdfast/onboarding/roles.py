"""The `holdfast.toml` that a project begins with: who does what, with the agents that are here. Pure."""

from collections.abc import Collection, Sequence

from .clients import FULL_ONLY

# The first whose key is there answers small questions.
CHEAP = {
    "OPENAI_API_KEY": "openai/gpt-5-mini",
    "ANTHROPIC_API_KEY": "anthropic/claude-haiku-4-5",
    "GEMINI_API_KEY": "gemini/gemini-2.5-flash",
}

HEAD = """\
# Who does what here. Workflows and runs name a role, and this file says which agent or model has it.
# Begun by `holdfast init` with the agents that it found; it is yours. More: holdfast docs roles
"""
LIMITS = """\
# [limits]
# budget_usd = 10               # what a run may use before it asks; holdfast run --budget is for one run
"""


def starter_roles(agents: Sequence[str], keys: Collection[str]) -> str:
    """Return the file for these agents, the preferred first; `keys` are variables that are set."""
    first = agents[0]
    # A reviewer who cannot be held to reading is refused by the workflows that ask for no more.
    second = next((other for other in agents[1:] if other not in FULL_ONLY), first)
    others = f"fallback = {_list(agents[1:3])}\n" if agents[1:] else ""
    default = "[roles.default]                 # steps that name nobody\n"
    own_model = '# model = "..."                 # else what the agent itself is set to\n'
    sections = [
        HEAD,
        f"{default}agent = {_text(first)}\n{others}{own_model}",
        f"[roles.planner]                 # thinks, and changes nothing\n{_reader(first)}",
        f"[roles.implementer]             # writes the code\nagent = {_text(first)}\n",
        f"[roles.reviewer]                # another one than the implementer sees more\n{_reader(second)}",
        f"[roles.cheap]                   # small questions\n{_cheap(first, keys)}",
        LIMITS,
    ]
    return "\n".join(sections)


def _reader(agent: str) -> str:
    permissions = "" if agent in FULL_ONLY else 'permissions = "read"\n'
    return f"agent = {_text(agent)}\n{permissions}"


def _cheap(agent: str, keys: Collection[str]) -> str:
    model = next((model for key, model in CHEAP.items() if key in keys), None)
    if model:
        return f"model = {_text(model)}\n"
    hint = '# model = "openai/gpt-5-mini"   # instead, once OPENAI_API_KEY is set\n'
    return f"agent = {_text(agent)}\n{hint}"


def _text(value: str) -> str:
    return f'"{value}"'


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
