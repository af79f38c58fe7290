"""Debug: show a fault by a command that fails, look for causes side by side, mend, and prove it.

Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

import shlex
from typing import Annotated, Any

from msgspec import Meta, Struct

from holdfast import Budget, Run, ShellResult, workflow
from holdfast.workflows.common import (
    CHANGES,
    WHERE,
    Agent,
    Approve,
    Model,
    Options,
    Report,
    Rounds,
    TestCommand,
    bullets,
    doer,
    find_base,
    find_tests,
    line,
    proof,
    read_goal,
    reader,
    said,
    slug,
)

ANGLES = [
    "the code that the failing command runs through",
    "what was changed there lately: git log and git blame",
    "the data, the state and the environment that it meets",
]
HOW = "How can the fault be seen? Say what to do and what happens then."
NOTHING = ShellResult(0, "", "", 0.0)
NOT_RUN = (126, 127)  # what a shell says of a command that it cannot run


class Reproduction(Struct):
    """A command that fails because of the fault, the words in its output that show that, and the files
    that were added for it. Where nobody can tell without knowing more, `question` asks for that."""

    command: str = ""
    shows: str = ""
    files: list[str] = []
    question: str = ""


class Cause(Struct):
    """What may be the cause, what speaks for it, and how likely it is, in percent."""

    cause: str
    evidence: str
    likely: int


class Debugged(Report, kw_only=True):
    """What the fault was, and the command that shows that it is gone."""

    command: str
    cause: str
    summary: str
    rounds: int


@workflow(budget=Budget(usd=15, each_usd=0.25))
async def debug(
    run: Run,
    fault: Annotated[str, Meta(description="What goes wrong, in your words, or a file.")],
    test: TestCommand = "",
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    angles: Annotated[
        list[str], Meta(description="Where causes are looked for.", min_length=1)
    ] = ANGLES,
    max_tries: Annotated[int, Meta(description="How often it may fail to show it.", ge=1)] = 4,
    max_rounds: Rounds = 5,
    approve: Approve = True,
) -> Debugged:
    """Show a fault by a failing command, find its cause, and mend it until all is green."""
    base = await find_base(run)
    seen = await read_goal(run, fault)
    test = await find_tests(run, test)
    who, looks = doer(agent, model, options), reader(agent, model, options)

    shown, failing, step, answers = await reproduced(run, seen, test, max_tries, who)
    seen += answers
    evidence = [proof(shown.command, failing, step)]
    before = (await run.shell("mark", mark(shown.files), check=False)).stdout

    async def look(angle: str) -> Cause:
        """Look for the cause from one angle."""
        prompt = look_prompt(seen, shown.command, failing, angle)
        cause: Cause = await run.agent("look", prompt, output=Cause, **looks)
        return cause

    causes = await run.map(look, angles, key=slug)
    causes.sort(key=lambda cause: -cause.likely)

    summary, feedback, cause, rounds = "", "", causes[0], 0
    async for rounds in run.loop("round", max=max_rounds):
        cause = causes[(rounds - 1) % len(causes)]
        prompt = fix_prompt(seen, shown, cause, causes, test, feedback)
        summary = await run.agent("fix", prompt, **who)
        if (await run.shell("mark", mark(shown.files), check=False)).stdout != before:
            files = ", ".join(shown.files)
            feedback = f"You changed what shows the fault ({files}). Put it back as it was."
            continue
        fixed = await run.shell("fails", shown.command, check=False, timeout="1h")
        if not fixed.ok:
            feedback = f"`{shown.command}` still fails:\n{said(fixed)}"
            continue
        tests = await run.shell("test", test, check=False, timeout="1h")
        if tests.ok:
            evidence += [
                proof(shown.command, fixed, f"round[{rounds}]/fails"),
                proof(test, tests, f"round[{rounds}]/test"),
            ]
            break
        feedback = f"`{shown.command}` is green now, but the tests fail:\n{said(tests)}"

    if approve:
        changes = (await run.shell("changes", CHANGES, env=base, check=False)).stdout
        subject = {"fault": fault, "cause": cause.cause, "changes": changes, "proof": evidence}
        evidence.append(f"accepted by {(await run.approve('accept the fix', subject)).by}")
    where = (await run.shell("where", WHERE, env=base)).stdout
    return Debugged(
        title=f"Mended: {line(fault)}",
        done=f"{summary}\n\nThe cause that was followed: {cause.cause}",
        evidence=evidence,
        left=where.splitlines(),
        usage=run.usage,
        command=shown.command,
        cause=cause.cause,
        summary=summary,
        rounds=rounds,
    )


async def reproduced(
    run: Run, fault: str, test: str, max_tries: int, who: dict[str, Any]
) -> tuple[Reproduction, ShellResult, str, str]:
    """Return a command that shows the fault, how it failed, the step of that, and what was answered."""
    shown, failing, step, told, answers = Reproduction(), NOTHING, "", "", ""
    async for tried in run.loop("reproduce", max=max_tries):
        shown = await run.agent(
            "show", show_prompt(fault + answers, test, told), output=Reproduction, **who
        )
        if not shown.command:
            answer = await run.ask("tell more", shown.question or HOW)
            answers += f"\n\nAsked: {shown.question or HOW}\nThe answer: {answer}"
            continue
        failing = await run.shell("fails", shown.command, check=False, timeout="1h")
        wrong = not_shown(shown, failing)
        if not wrong:
            step = f"reproduce[{tried}]/fails"
            break
        told += f"\n\n`{shown.command}` does not show it: {wrong}\n{said(failing)}"
    return shown, failing, step, answers


def mark(files: list[str]) -> str:
    """Return a command whose output changes with these files."""
    return f"cksum -- {shlex.join(files)}" if files else "true"


def not_shown(shown: Reproduction, result: ShellResult) -> str:
    """Return why a command does not show the fault; empty where it does."""
    if result.ok:
        return "it ends well"
    if result.code in NOT_RUN:
        return "it cannot be run"
    if not shown.shows or shown.shows not in result.stdout + result.stderr:
        return f"its output does not have the words {shown.shows!r}"
    return ""


def show_prompt(fault: str, test: str, told: str) -> str:
    """Return the task of showing the fault; what was learned so far comes last."""
    return (
        f"Something is wrong in the repository that you are in:\n\n{fault}\n\n"
        "Do not mend it. Find a short command that fails because of it and will end well once it is "
        f"gone; best a new test, of its own, that is run with the others by: {test}\n"
        "Run it. Give the command, words of its output that show the fault, and the files that you "
        f"added. If you cannot know enough, give no command and ask one question instead.{told}"
    )


def look_prompt(fault: str, command: str, failing: ShellResult, angle: str) -> str:
    """Return the task of looking for the cause from one angle."""
    return (
        f"Find the cause of this fault and change nothing: {fault}\n\n"
        f"`{command}` fails with it:\n{said(failing)}\n\n"
        f"Look from here: {angle}. Give one cause, what you saw that speaks for it with path:line, "
        "and how likely it is in percent. Be honest: a low number helps too."
    )


def fix_prompt(
    fault: str, shown: Reproduction, cause: Cause, causes: list[Cause], test: str, feedback: str
) -> str:
    """Return the task of mending; what was wrong so far comes last."""
    others = bullets(other.cause for other in causes if other is not cause)
    task = (
        f"Mend this fault: {fault}\n\n`{shown.command}` fails because of it and has to end well.\n\n"
        f"Test this cause first: {cause.cause}\n{cause.evidence}\nOthers that were named:\n{others}\n\n"
        "Mend the cause, not the symptom, with as little change as that takes. Do not weaken tests "
        f"or what shows the fault. All tests have to be green: {test}\n"
        "Do not commit. End with one sentence on what was wrong and what you changed."
    )
    return f"{task}\n\n{feedback}" if feedback else task
