"""Audit: what is wrong in a repository, found by one agent, seen to be there, and doubted by another.

Nobody may change a file. The repository is divided into parts, and each is looked through for each check.
Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated

from msgspec import Meta, Struct

from holdfast import Budget, Run, StepFailed, workflow
from holdfast.workflows.common import (
    Agent,
    Model,
    Options,
    Report,
    ReviewAgent,
    bullets,
    counted,
    reader,
)
from holdfast.workflows.findings import (
    Doubts,
    Finding,
    Findings,
    divided,
    misplaced,
    ranking,
    told,
    write_tickets,
)

CHECKS = {
    "security": "ways in for an attacker: injection, secrets in files, missing checks of who may do what",
    "dependencies": "packages that are not used, not pinned, not declared, or given up by their makers",
    "dead-code": "code that nothing reaches, options that do nothing, files that nobody needs",
    "error-handling": "errors that are swallowed, told wrongly, or leave things half done",
    "docs-that-lie": "comments, docstrings and pages that say something else than the code does",
}
# Prints every file that git would commit, each ended by NUL.
FILES = "git ls-files -z --cached --others --exclude-standard -- . ':!.holdfast'"
# Prints what stands for the state of all of them.
STATE = "{ git rev-parse -q --verify HEAD; git status --porcelain; git diff HEAD; } | git hash-object --stdin"


class Look(Struct):
    """One look: a part of the repository, and what is looked for."""

    part: int
    check: str
    files: list[str]


class Audited(Report, kw_only=True):
    """What was found, the worst first."""

    findings: list[Finding]
    tickets: list[str]


@workflow(budget=Budget(usd=30, each_usd=0.25))
async def audit(
    run: Run,
    checks: Annotated[
        dict[str, str],
        Meta(description="What to look for: names, and what each means.", min_length=1),
    ] = CHECKS,
    only: Annotated[list[str], Meta(description="The names of the checks to make; else all.")] = [],  # noqa: B006
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    review_agent: ReviewAgent = "",
    max_parts: Annotated[
        int, Meta(description="Divide the repository into so many parts at most.", ge=1, le=50)
    ] = 4,
    max_findings: Annotated[
        int, Meta(description="How many findings of one look at most.", ge=1)
    ] = 10,
    limit: Annotated[int, Meta(description="How many agents at once.", ge=1)] = 4,
    tickets: Annotated[
        str, Meta(description="A folder for a ticket of each finding, to be run by kanban.")
    ] = "",
) -> Audited:
    """Look through a repository for what is wrong, and change nothing."""
    state = (await run.shell("state before", STATE)).stdout
    files = (await run.shell("files", FILES)).stdout.split("\0")[:-1]
    wanted = {name: checks[name] for name in only or checks}
    looks = [
        Look(number, check, part)
        for number, part in enumerate(divided(files, max_parts), start=1)
        for check in wanted
    ]
    unseen: list[str] = []

    async def look(at: Look) -> list[Finding]:
        """Return what holds of what an agent finds. Where one fails, the other looks go on."""
        try:
            found = await find(at)
            return await doubted(at, found) if found else []
        except StepFailed as failure:
            unseen.append(f"{at.check} in part {at.part} was not looked at: {failure}")
            return []

    async def find(at: Look) -> list[Finding]:
        """Ask for findings; those whose place is not there go back once, and are left out then."""
        there: list[Finding] = []
        wrong: list[str] = []
        async for _ in run.loop("find", max=2, on_exhausted="stop"):
            found: Findings = await run.agent(
                "look",
                look_prompt(at, wanted[at.check], max_findings, wrong),
                output=Findings,
                **reader(agent, model, options),
            )
            named = found.findings[:max_findings]
            wrong = await run.step("see", misplaced, named, at.files)
            there += [one for one, why in zip(named, wrong, strict=True) if not why]
            wrong = [why for why in wrong if why]
            if not wrong:
                break
        return there

    async def doubted(at: Look, found: list[Finding]) -> list[Finding]:
        """Return what a second agent could not refute, as severe as it says."""
        seen: Doubts = await run.agent(
            "doubt",
            doubt_prompt(found),
            output=Doubts,
            **reader(review_agent or agent, None, options, "reviewer"),
        )
        kept = {doubt.number: doubt for doubt in seen.doubts if doubt.holds}
        for number, one in enumerate(found, start=1):
            if number in kept:
                one.severity, one.check = kept[number].severity, at.check
        return [one for number, one in enumerate(found, start=1) if number in kept]

    found = await run.map(look, looks, key=lambda at: f"{at.check}-{at.part}", limit=limit)
    ranked = ranking([one for each in found for one in each])
    is_same = (await run.shell("state after", STATE)).stdout == state
    written: list[str] = []
    if tickets and ranked:
        written = await run.step("tickets", write_tickets, tickets, ranked)
    return Audited(
        title=f"{counted(len(ranked), 'finding')} in {counted(len(files), 'file')}"
        + (f", {counted(len(unseen), 'look')} failed" if unseen else ""),
        done="\n\n".join(map(told, ranked)) or "Nothing was found where it was looked.",
        evidence=[
            f"{len(looks) - len(unseen)} of {len(looks)} looks were made: {', '.join(wanted)}",
            "every place was looked up in its file, and a second agent could not refute it",
            "no file has changed" if is_same else "FILES HAVE CHANGED meanwhile: see `git status`",
            *([f"tickets: `holdfast run kanban -i tickets={tickets}`"] if written else []),
        ],
        left=unseen,
        usage=run.usage,
        findings=ranked,
        tickets=written,
    )


def look_prompt(at: Look, means: str, most: int, wrong: list[str]) -> str:
    """Return the task for whoever looks; what was not where it should be comes last."""
    task = (
        f"Audit these files for {at.check}: {means}. Edit nothing. Name only what you have seen in the "
        f"code and would defend, the worst first, {most} findings at most; none is a good answer too. "
        "Give path, line, and the words of that line.\n\n" + "\n".join(at.files)
    )
    return (
        f"{task}\n\nThese were not where you said; look again:\n{bullets(wrong)}" if wrong else task
    )


def doubt_prompt(found: list[Finding]) -> str:
    """Return the task for whoever doubts."""
    listed = "\n\n".join(f"{number}. {told(one)}" for number, one in enumerate(found, start=1))
    return (
        "Try to refute these findings; edit nothing. Read the code around each place, and who calls it. "
        "One holds only where you can say how it goes wrong. Say of each whether it holds, how severe it "
        f"is, and why.\n\n{listed}"
    )
