"""The findings of `audit`: looked up in their files, ranked, and made tickets for `kanban`."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from holdfast import step_folder
from holdfast.workflows.common import line, slug
from holdfast.workflows.tickets import read_tickets

SEVERITIES = ("high", "medium", "low")
NEAR = 3  # a quotation may be so many lines away from where it is said to be

Severity = Literal["high", "medium", "low"]


class Finding(Struct):
    """Something wrong, at a place that can be looked up."""

    path: str
    line: Annotated[int, Meta(ge=1)]
    quote: Annotated[
        str, Meta(description="What stands in that line, to the letter.", min_length=1)
    ]
    severity: Severity
    title: Annotated[str, Meta(description="What is wrong, in one line.", min_length=1)]
    why: Annotated[str, Meta(description="Why it is, and what it may lead to.")]
    fix: str = ""
    check: str = ""


class Findings(Struct):
    """What one agent finds in one part."""

    findings: list[Finding]


class Doubt(Struct):
    """What a second agent says of a finding, by its number."""

    number: int
    holds: bool
    severity: Severity
    why: str


class Doubts(Struct):
    """What a second agent says of all of them."""

    doubts: list[Doubt]


def divided(files: list[str], parts: int) -> list[list[str]]:
    """Return the files in so many parts at most, in order, so that folders stay together."""
    size = max(1, -(-len(files) // parts))
    return [sorted(files)[at : at + size] for at in range(0, len(files), size)]


def misplaced(found: list[Finding], files: list[str]) -> list[str]:
    """Say of each finding why it is not where it says, or nothing where it is."""
    return [_misplaced(one, files) for one in found]


def _misplaced(one: Finding, files: list[str]) -> str:
    if one.path not in files:
        return f"{one.path} is none of the files"
    lines = (step_folder() / one.path).read_text(encoding="utf-8", errors="replace").splitlines()
    if one.line > len(lines):
        return f"{one.path}:{one.line} is behind its end, line {len(lines)}"
    near = lines[max(0, one.line - 1 - NEAR) : one.line + NEAR]
    if any(line(one.quote) in line(each) for each in near):
        return ""
    return f"{one.path}:{one.line} does not have {one.quote!r}"


def ranking(found: list[Finding]) -> list[Finding]:
    """Return the findings, each place once for a check, the worst first."""
    once = {(one.check, one.path, one.line): one for one in found}
    return sorted(
        once.values(),
        key=lambda one: (SEVERITIES.index(one.severity), one.check, one.path, one.line),
    )


def write_tickets(folder: str, found: list[Finding]) -> list[str]:
    """Write a file for each finding, and return their names once kanban could read them."""
    where = step_folder() / Path(folder).expanduser()
    where.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(found, start=1):
        text = f"# {one.title}\n\n{one.path}:{one.line}\n\n{one.why}\n\n{one.fix}\n"
        (where / f"audit-{number:03}-{slug(one.title)}.md").write_text(text, encoding="utf-8")
    return [ticket.name for ticket in read_tickets(str(where))]


def told(one: Finding) -> str:
    """Return a finding in Markdown."""
    about = " ".join(filter(None, [one.severity, one.check]))
    fix = f" Fix: {one.fix}" if one.fix else ""
    return f"**{line(one.title)}** ({about}) `{one.path}:{one.line}`\n\n{one.why}{fix}"
