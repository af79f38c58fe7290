"""The milestones of `mission`: the plan, what becomes of each, and what people and agents say of them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from holdfast.workflows.common import bullets

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Names = Annotated[str, Meta(min_length=1)]


class Feature(Struct):
    """A piece of a milestone, for one worker. It can be made without the other pieces of it."""

    name: Name
    task: Names


class Milestone(Struct):
    """A state of the project that is worth having. `accept` says what must hold then."""

    name: Name
    goal: Names
    features: Annotated[list[Feature], Meta(min_length=1, max_length=12)]
    accept: Annotated[list[str], Meta(min_length=1)]


class Plan(Struct):
    """The way to the goal, in order."""

    milestones: Annotated[list[Milestone], Meta(min_length=1, max_length=20)]


class Check(Struct):
    """What an agent finds wrong with a plan, or with a milestone that is said to be reached."""

    good: bool
    missing: list[str] = []
    handover: Annotated[
        str,
        Meta(description="What whoever works on the next milestone has to know, in a paragraph."),
    ] = ""


class Course(Struct):
    """What a person wants of a milestone that could not be made good."""

    then: Literal["continue", "stop", "rephrase"]
    goal: Annotated[str, Meta(description="The new wording of it, to rephrase.")] = ""
    accept: list[str] = []


class Reached(Struct):
    """What came of a milestone. Where it is not reached, `why` says so."""

    name: str
    goal: str
    rounds: int = 0
    why: str = ""
    handover: str = ""
    branch: str = ""


def outline(milestones: list[Milestone]) -> str:
    """Return milestones as Markdown."""
    return "\n\n".join(
        f"## {stone.name}: {stone.goal}\n\nFeatures:\n"
        f"{bullets(f'{each.name}: {each.task}' for each in stone.features)}\n\n"
        f"Accepted when:\n{bullets(stone.accept)}"
        for stone in milestones
    )
