"""Grill me: an agent asks a person one question after another, then writes down what is wanted.

Each question waits as long as it takes; no process is needed meanwhile.
Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated

from msgspec import Meta, Struct

from holdfast import Budget, Run, workflow
from holdfast.workflows.common import (
    Agent,
    Goal,
    Model,
    Options,
    OutputPath,
    Report,
    line,
    read_goal,
    reader,
    vacant,
    write_files,
)

ENOUGH = "enough"


class Next(Struct):
    """The next question, or none where all is said. `proposal` is what the asker would answer."""

    question: str = ""
    why: str = ""
    proposal: str = ""


class Answer(Struct):
    """What was asked and answered."""

    question: str
    answer: str


class Spec(Struct):
    """What is wanted, in Markdown, and what is still open."""

    text: str
    open_questions: list[str] = []


class Grilled(Report, kw_only=True):
    """What is wanted, and the interview that it comes from."""

    spec: str
    interview: list[Answer]


@workflow(name="grill-me", budget=Budget(usd=5, each_usd=0.25))
async def grill_me(
    run: Run,
    goal: Goal,
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    path: OutputPath = "",
    max_questions: Annotated[int, Meta(description="How many questions at most.", ge=1)] = 20,
) -> Grilled:
    """Ask a person one question at a time until all is said, then write a specification."""
    who = reader(agent, model, options)
    if path:
        await run.step("free place", vacant, path)
    wanted = await read_goal(run, goal)

    interview: list[Answer] = []
    ended = f"ended at the ceiling of {max_questions} questions"
    async for _ in run.loop("question", max=max_questions, on_exhausted="stop"):
        asks = await run.agent("think", question_prompt(wanted, interview), output=Next, **who)
        if not asks.question:
            ended = "ended when the agent had nothing more to ask"
            break
        answer = await run.ask("answer", question_shown(asks))
        if answer.strip().lower() == ENOUGH:
            ended = "ended when the person had enough"
            break
        interview.append(Answer(asks.question, answer))

    spec = await run.agent("write down", spec_prompt(wanted, interview), output=Spec, **who)
    evidence = [f"an interview of {len(interview)} answers, {ended}"]
    if path:
        await run.step("write", write_files, {path: spec.text})
        evidence.append(f"written to `{path}`")
    return Grilled(
        title=f"What is wanted: {line(goal)}",
        done=spec.text,
        evidence=evidence,
        left=[f"open: {question}" for question in spec.open_questions],
        usage=run.usage,
        spec=spec.text,
        interview=interview,
    )


def question_shown(asks: Next) -> dict[str, str]:
    """Return a question as the person sees it."""
    facts = {"why": asks.why, "proposal": asks.proposal}
    shown = {"question": asks.question, **{name: text for name, text in facts.items() if text}}
    return {**shown, "to end": f"answer: {ENOUGH}"}


def told(interview: list[Answer]) -> str:
    return "\n\n".join(f"Q: {one.question}\nA: {one.answer}" for one in interview) or "Nothing yet."


def question_prompt(goal: str, interview: list[Answer]) -> str:
    """Return the task of asking the next question."""
    return (
        f"You interview somebody who wants this in the repository that you are in:\n\n{goal}\n\n"
        f"Said so far:\n\n{told(interview)}\n\n"
        "What is the one question whose answer would change most of what is built? Dig where an "
        "answer was vague, contradicts another, or hides a decision; ask for one thing at a time, "
        "and nothing that the repository tells: read it. Say why you ask and what you would "
        "propose. Leave the question empty once somebody could build it without guessing."
    )


def spec_prompt(goal: str, interview: list[Answer]) -> str:
    """Return the task of writing down what is wanted."""
    return (
        f"Write a specification in Markdown from this interview:\n\n{goal}\n\n{told(interview)}\n\n"
        "Its sections: purpose, what it does, what it does not do, decisions and their reasons, how "
        "one sees that it is done. Say only what was said or follows from it; the rest is an "
        "open question."
    )
