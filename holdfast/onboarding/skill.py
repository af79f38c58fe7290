"""The skill: what a coding agent is told about Holdfast, with a table of the workflows that there are."""

from importlib.resources import files

from .choosing import CHOICES

MARK = "{workflows}"


def skill() -> str:
    """Return the text of SKILL.md."""
    template = files("holdfast.onboarding").joinpath("skill.md").read_text(encoding="utf-8")
    return template.replace(MARK, workflow_table())


def workflow_table() -> str:
    """Return a line for each shipped workflow: what people say, its name, its inputs."""
    rows = [
        f"| {choice.words} | `{name}` | {', '.join(f'`{each}`' for each in choice.inputs)} |"
        for name, choice in CHOICES.items()
    ]
    return "\n".join(rows)
