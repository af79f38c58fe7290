"""The candidates of `best-of`: who makes them, what judges say of them, how they rank. Pure."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from holdfast import HoldfastError


class Maker(Struct, forbid_unknown_fields=True):
    """Who makes a candidate; what is not said is that of the run."""

    agent: str = ""
    model: str | None = None
    role: str = ""
    options: dict[str, Any] = {}


class Candidate(Struct):
    """One of the N. `why` says why it cannot win."""

    name: str
    maker: Maker
    why: str = ""
    summary: str = ""
    commit: str = ""
    branch: str = ""
    lines: int = 0
    points: float = 0.0
    remarks: list[str] = []


class Score(Struct):
    """What a judge gives a candidate."""

    candidate: str
    points: Annotated[int, Meta(ge=0, le=10)]
    why: str


class Scores(Struct):
    """What a judge gives them all."""

    scores: list[Score]


class NoCandidate(HoldfastError):
    """None of the candidates is good enough to be merged."""

    code = "no_candidate"

    def __init__(self, reasons: list[str]) -> None:
        told = "\n".join(reasons)
        super().__init__(
            f"none of {len(reasons)} candidates can be merged. Read what they say, and say the goal "
            f"more clearly, or raise max_rounds:\n{told}"
        )
        self.reasons = reasons


def weigh(good: list[Candidate], found: list[list[Score]]) -> int:
    """Write the mean of their points on the candidates; return how many judges gave none."""
    usable = [scores for scores in found if scores]
    for one in good:
        given = [score for scores in usable for score in scores if score.candidate == one.name]
        one.points = sum(score.points for score in given) / len(given) if given else 0.0
        one.remarks = [f"{score.points} points: {score.why}" for score in given]
    return len(found) - len(usable)


def leaders(good: list[Candidate]) -> list[Candidate]:
    """Return those with the most points, the shortest diff first."""
    best = max(one.points for one in good)
    return sorted((one for one in good if one.points == best), key=lambda one: one.lines)


def remarks(field: list[Candidate]) -> list[str]:
    """Return what judges said of each, and why it is out."""
    return [f"{one.name}: {text}" for one in field for text in [*one.remarks, one.why] if text]


def changed_lines(diff: str) -> int:
    """Return how many lines a diff adds and takes away."""
    return sum(row[:1] in ("+", "-") and row[:3] not in ("+++", "---") for row in diff.splitlines())


def table(field: list[Candidate], winner: str) -> str:
    """Return the candidates as a Markdown table."""
    rows = ["| candidate | made by | tests | lines | points |", "|---|---|---|---|---|"]
    for one in field:
        name = f"**{one.name}**" if one.name == winner else one.name
        who = (
            " ".join(filter(None, [one.maker.agent, one.maker.model, one.maker.role])) or "by role"
        )
        state = "out" if one.why else "green"
        rows.append(f"| {name} | {who} | {state} | {one.lines} | {one.points:g} |")
    return "\n".join(rows)


def others(field: list[Candidate], winner: str) -> list[str]:
    """Return where those that did not win can be looked at."""
    kept = [f"`{one.branch}`" for one in field if one.branch and one.name != winner]
    told = f"The others stay on their branches until `holdfast gc --unmerged`: {', '.join(kept)}"
    return [told] if kept else []
