"""Review a change: readers with one lens each, and a second look at all that they find.

Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from holdfast import Budget, HoldfastError, Run, workflow
from holdfast.workflows.common import (
    BASE,
    DIFF,
    DIFF_CHARACTERS,
    Agent,
    Model,
    Options,
    Report,
    bullets,
    counted,
    line,
    reader,
)

Severity = Literal["critical", "major", "minor"]
Lens = Literal["correctness", "security", "tests", "simplicity"]
SEVERITIES: list[Severity] = ["critical", "major", "minor"]
LENSES: dict[Lens, str] = {
    "correctness": "what it does wrong: cases left out, errors swallowed, races, broken callers",
    "security": "what somebody could do with it who means harm, and what it gives away",
    "tests": "what it changes that no test would notice if it broke, and tests that prove nothing",
    "simplicity": "what could go or be said more plainly, and what is there already to be used",
}
ALL_LENSES: list[Lens] = list(LENSES)

# Prints the change: what is not committed, a range of commits, one commit, or what a branch or a tag
# has, be it here or of a remote. HEAD is a commit: as the branch that it is, it would have nothing.
CHANGE = f"""
BASE=$({BASE}) || exit 1
case "$CHANGE" in
'') {DIFF} ;;
*..*) git diff --end-of-options "$CHANGE" -- ;;
HEAD|@) git show --format=%B HEAD -- ;;
*)  name=refs/heads/$CHANGE
    git show-ref -q --verify "$name" ||
        name=$(git rev-parse -q --verify --symbolic-full-name --end-of-options "$CHANGE")
    case "$name" in
    refs/heads/*|refs/remotes/*|refs/tags/*) git diff "HEAD...$name" -- ;;
    *) git show --format=%B --end-of-options "$CHANGE" -- ;;
    esac ;;
esac
"""


class Finding(Struct):
    """Something that should be otherwise, and where."""

    file: str
    line: int
    severity: Severity
    title: str
    why: str
    fix: str = ""
    lens: str = ""


class Findings(Struct):
    """What a reader found."""

    findings: list[Finding] = []


class SecondLook(Struct):
    """Whether a finding is real, and how severe."""

    real: bool
    severity: Severity
    why: str


class Reviewed(Report, kw_only=True):
    """What was found, the most severe first, and what a second look dropped."""

    findings: list[Finding]
    dropped: list[Finding]


class FindingsRemain(HoldfastError):
    """Something is left that is as severe as `fail_on` says, or more; the message is the report."""

    code = "findings_remain"

    def __init__(self, report: Reviewed, fail_on: str) -> None:
        super().__init__(
            f"there are findings of severity {fail_on!r} or above\n\n{report.markdown}"
        )


@workflow(budget=Budget(usd=10, each_usd=0.25))
async def review(
    run: Run,
    change: Annotated[
        str,
        Meta(description="A range A..B, a branch, a tag, or a commit; else what is not committed."),
    ] = "",
    lenses: Annotated[
        list[Lens], Meta(description="What is looked for.", min_length=1)
    ] = ALL_LENSES,
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    second_agent: Annotated[str, Meta(description="Who looks again; else the same agent.")] = "",
    max_findings: Annotated[int, Meta(description="How many are looked at again.", ge=1)] = 20,
    limit: Annotated[int, Meta(description="How many agents at once.", ge=1)] = 4,
    fail_on: Annotated[
        Literal["critical", "major", "minor", "never"],
        Meta(description="Fail where something so severe is left, looked at again or not."),
    ] = "never",
) -> Reviewed:
    """Review a change through several lenses, drop what a second look refutes, and rank the rest."""
    who = reader(agent, model, options, "reviewer")
    second = reader(second_agent, None, options) if second_agent else who
    diff = (await run.shell("change", CHANGE, env={"CHANGE": change})).stdout
    what = change or "what is not committed"
    if not diff.strip():
        why = "Of a branch or a tag only that is reviewed which is not in what is checked out."
        return Reviewed(
            title=f"Nothing to review: {what} is empty",
            done=why if change else "",
            findings=[],
            dropped=[],
        )

    async def look(lens: Lens) -> list[Finding]:
        """Look for one kind of thing."""
        found = await run.agent("look", look_prompt(diff, LENSES[lens]), output=Findings, **who)
        for finding in found.findings:
            finding.lens = lens
        return list(found.findings)

    async def look_again(finding: Finding) -> bool:
        """Let somebody try to refute a finding."""
        seen = await run.agent(
            "look again",
            second_prompt(diff, finding),
            output=SecondLook,
            **second,
        )
        finding.severity = seen.severity
        finding.why = f"{finding.why}\n\nSecond look: {seen.why}"
        return bool(seen.real)

    found = await run.map(look, lenses, limit=limit)
    once = ranked(without_twins([finding for each in found for finding in each]))
    checked, unchecked = once[:max_findings], once[max_findings:]
    real = await run.map(look_again, checked, key=place_of, limit=limit)
    kept = ranked([one for one, is_real in zip(checked, real, strict=True) if is_real])
    dropped = [one for one, is_real in zip(checked, real, strict=True) if not is_real]

    left = [
        f"not looked at again: {one.severity}: {place_of(one)} {one.title}" for one in unchecked
    ]
    if len(diff) > DIFF_CHARACTERS:
        left.append(f"only the first {DIFF_CHARACTERS:,} characters of {len(diff):,} were shown")
    report = Reviewed(
        title=f"{counted(len(kept), 'finding')} in {line(what)}",
        done="\n\n".join(map(told, kept)) or "Nothing was found that stood a second look.",
        evidence=[
            f"lenses: {', '.join(lenses)}",
            f"{len(once)} found, {len(checked)} looked at again, {len(dropped)} dropped",
            *(f"dropped: {place_of(one)} {line(one.title)}" for one in dropped),
        ],
        left=left,
        usage=run.usage,
        findings=kept,
        dropped=dropped,
    )
    if fail_on != "never" and any(is_as_severe(one, fail_on) for one in kept + unchecked):
        raise FindingsRemain(report, fail_on)
    return report


def without_twins(findings: list[Finding]) -> list[Finding]:
    """Return the findings, of several at one place the most severe one, which names all lenses."""
    found: dict[tuple[str, int], Finding] = {}
    for finding in ranked(findings):
        first = found.setdefault((finding.file, finding.line), finding)
        if first is not finding and finding.lens not in first.lens.split(", "):
            first.lens += f", {finding.lens}"
    return list(found.values())


def ranked(findings: list[Finding]) -> list[Finding]:
    """Return the findings in order: the most severe first, then by place."""
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.file, f.line, f.title))


def is_as_severe(finding: Finding, severity: Severity) -> bool:
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(severity)


def place_of(finding: Finding) -> str:
    return f"{finding.file}:{finding.line}"


def told(finding: Finding) -> str:
    """Return a finding in Markdown."""
    facts = [finding.why, *([f"Fix: {finding.fix}"] if finding.fix else [])]
    head = f"## {finding.severity}: {line(finding.title)}\n\n`{place_of(finding)}` ({finding.lens})"
    return f"{head}\n\n{bullets(facts)}"


def look_prompt(diff: str, lens: str) -> str:
    """Return the task for a reader with one lens."""
    return (
        f"Review this change with one question, and edit nothing: {lens}.\n"
        "Read around it in the repository. Report what you can show, with file and line as they "
        "are after the change; no taste, no praise. Finding nothing is a good result.\n\n"
        f"{diff[:DIFF_CHARACTERS]}"
    )


def second_prompt(diff: str, finding: Finding) -> str:
    """Return the task of refuting a finding."""
    return (
        "A reviewer says this of a change. Try to refute it: read the code, edit nothing. It is "
        "real only if you can say how it happens. Judge its severity anew.\n\n"
        f"{place_of(finding)} ({finding.severity}): {finding.title}\n{finding.why}\n\n"
        f"The change:\n{diff[:DIFF_CHARACTERS]}"
    )
