"""Which topics there are, and their texts."""

import difflib
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

from holdfast.eventlog import HoldfastError
from holdfast.onboarding import skill, workflow_table

# In the order in which somebody would read them.
TOPICS = (
    "overview", "workflows", "writing", "steps", "loops", "approvals", "timetravel", "agents",
    "models", "roles", "workspaces", "sandboxes", "serve", "mcp", "plugins", "errors", "skill",
)  # fmt: skip
ALIASES = {"config": "roles", "holdfast.toml": "roles", "time-travel": "timetravel"}


class Topic(NamedTuple):
    """A topic, and what it is about in one line."""

    name: str
    about: str


class NoSuchTopic(HoldfastError):
    code = "no_such_topic"
    exit_status = 2

    def __init__(self, topic: str, near: Iterable[str]) -> None:
        others = ", ".join(near) or ", ".join(TOPICS)
        super().__init__(
            f"there is no topic {topic[:80]!r}. Is it one of these: {others}? All of them: holdfast docs"
        )
        self.topic = topic


def topics() -> list[Topic]:
    """Return all topics."""
    return [Topic(name, _about(name)) for name in TOPICS]


def read_topic(name: str) -> str:
    """Return the text of a topic. Raises NoSuchTopic, which names the nearest ones."""
    wanted = name.strip().lower()
    wanted = ALIASES.get(wanted, wanted)
    if wanted not in TOPICS:
        raise NoSuchTopic(name, difflib.get_close_matches(wanted, [*TOPICS, *ALIASES], n=3))
    if wanted == "skill":
        return skill()
    text = files("holdfast.docs").joinpath(f"{wanted}.md").read_text(encoding="utf-8")
    return text.replace("{workflows}", workflow_table())


def _about(name: str) -> str:
    if name == "skill":
        return "the skill that `holdfast init` gives to coding agents"
    return read_topic(name).partition("\n")[0].partition(": ")[2]
