"""Ralph: the same prompt again and again, in a fresh session each time, until a condition holds.

What one session knows, the next one has from the files: those of the project, and a page of notes that
each brings up to date. Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

import re
from typing import Annotated

from msgspec import Meta

from holdfast import Budget, Run, StepFailed, workflow
from holdfast.workflows.common import (
    DIFF,
    STAT,
    Agent,
    Model,
    Options,
    Report,
    Rounds,
    counted,
    doer,
    find_base,
    find_tests,
    line,
    proof,
    read_goal,
    said,
)

# Prints what stands for all files but the notes, which are named in $NOTES.
NOT_NOTES = DIFF.replace("':!.holdfast'", "':!.holdfast' \":!$NOTES\"").strip()
SEEN = f"{{ git rev-parse HEAD; {NOT_NOTES}; }} | git hash-object --stdin"


class Ralphed(Report, kw_only=True):
    """What came of the rounds."""

    holds: bool
    rounds: int
    why: str


@workflow(budget=Budget(usd=30, each_usd=0.25))
async def ralph(
    run: Run,
    prompt: Annotated[
        str, Meta(description="What each session is told, always the same; or a file that says it.")
    ],
    test: Annotated[
        str, Meta(description="The command that exits with 0 once it is done; else the tests.")
    ] = "",
    promise: Annotated[
        str, Meta(description="Run that command only after an answer with this word, as in DONE.")
    ] = "",
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    notes: Annotated[
        str, Meta(description="The file in which sessions leave notes for the next.", min_length=1)
    ] = "PROGRESS.md",
    max_rounds: Rounds = 20,
    patience: Annotated[
        int, Meta(description="Stop after so many rounds in a row that changed no file.", ge=1)
    ] = 3,
) -> Ralphed:
    """Repeat one prompt in fresh sessions until a command agrees that it is done."""
    base = await find_base(run)
    test = await find_tests(run, test)
    prompt = await read_goal(run, prompt)
    task = session_prompt(prompt, test, notes, promise)
    why, evidence, answer, idle, rounds, holds = "", list[str](), "", 0, 0, False

    async def look() -> str:
        return (await run.shell("look", SEEN, env={**base, "NOTES": notes})).stdout

    before = await look()
    async for rounds in run.loop("round", max=max_rounds, on_exhausted="stop"):
        try:
            answer = await run.agent("work", task, **doer(agent, model, options))
        except StepFailed as failure:  # the next session may have more luck; idle rounds end it
            answer, why = "", str(failure)
        if answer and not is_promised(promise, answer):
            why = f"no session has said {promise}"
        elif answer:
            check = await run.shell("check", test, check=False, timeout="1h")
            evidence = [proof(test, check, f"round[{rounds}]/check")]
            holds, why = check.ok, f"the command fails:\n{said(check)}"
        if holds:
            break
        after = await look()
        idle, before = (idle + 1 if after == before else 0), after
        if idle >= patience:
            why = f"no file has changed for {counted(idle, 'round')}; {why}"
            break
    else:
        why = f"the ceiling of {counted(max_rounds, 'round')} is reached; {why}"

    changes = (await run.shell("changes", STAT, env=base, check=False)).stdout.strip()
    return Ralphed(
        title=f"{'Done' if holds else 'Not done'} after {counted(rounds, 'round')}: {line(prompt, 60)}",
        done=f"The last session said:\n\n{answer}" if answer else "",
        evidence=[*evidence, f"files that differ from before:\n{changes or 'none'}"],
        left=[] if holds else [why],
        usage=run.usage,
        holds=holds,
        rounds=rounds,
        why="" if holds else why,
    )


def session_prompt(prompt: str, test: str, notes: str, promise: str) -> str:
    """Return what every session is told."""
    word = f" Then, and only then, end your answer with the word {promise}." if promise else ""
    return (
        f"{prompt}\n\nYou are one of many sessions that work on this one after another, and remember "
        f"nothing of each other. Read {notes} first, if it is there. Do the most useful next piece, "
        f"then bring {notes} up to date: what is done, what is next, what did not work. It is finished "
        f"once this command exits with 0: {test}\nDo not weaken tests.{word}"
    )


def is_promised(promise: str, answer: str) -> bool:
    """Whether the word stands in an answer by itself; without a word, every answer will do."""
    return not promise or bool(re.search(rf"(?<!\w){re.escape(promise)}(?!\w)", answer))
