"""Plan a goal: an agent reads and asks, another reviews its plan, a person accepts it. Changes no code.

Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated

from msgspec import Meta, Struct

from holdfast import Budget, Run, workflow
from holdfast.workflows.common import (
    Agent,
    Approve,
    Goal,
    Model,
    Options,
    OutputPath,
    Report,
    Review,
    ReviewAgent,
    ReviewModel,
    Rounds,
    ask_reviewer,
    bullets,
    line,
    read_goal,
    reader,
    vacant,
    verdict,
    write_files,
)


class Questions(Struct):
    """What only a person can say, and the plan depends on; none where nothing is open."""

    questions: list[str] = []


class Step(Struct):
    """One step of a plan."""

    title: str
    what: str
    files: list[str] = []
    verified: str = ""


class Plan(Struct):
    """What is to be done, step by step."""

    summary: str
    steps: Annotated[list[Step], Meta(min_length=1)]
    risks: list[str] = []


class Planned(Report, kw_only=True):
    """A plan, as data and as `text` in Markdown, and what its reviewer still wants.

    `clarified` is what a person was asked and answered: whoever plans again or implements needs it, too.
    """

    plan: Plan
    text: str
    approved: bool
    clarified: str = ""


@workflow(budget=Budget(usd=5, each_usd=0.25))
async def plan(
    run: Run,
    goal: Goal,
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    review_agent: ReviewAgent = "",
    review_model: ReviewModel = None,
    path: OutputPath = "",
    max_questions: Annotated[int, Meta(description="Questions to you at most.", ge=0)] = 3,
    max_rounds: Rounds = 3,
    approve: Approve = True,
) -> Planned:
    """Plan a goal until a reviewer approves the plan, then ask a person; nothing is changed."""
    who = reader(agent, model, options)
    if path:
        await run.step("free place", vacant, path)
    wanted = await read_goal(run, goal)
    clarified = ""

    if max_questions:
        prompt = questions_prompt(wanted, max_questions)
        open_ = await run.agent("questions", prompt, output=Questions, **who)
        if open_.questions:
            asked = open_.questions[:max_questions]
            answers = await run.ask("clarify", asked)
            clarified = f"Asked:\n{bullets(asked)}\nThe answer:\n{answers}"
            wanted = f"{wanted}\n\n{clarified}"

    draft, review, evidence = Plan("", []), Review(approved=False), list[str]()
    async for number in run.loop("round", max=max_rounds, on_exhausted="stop"):
        draft = await run.agent("plan", plan_prompt(wanted, draft, review), output=Plan, **who)
        prompt = review_prompt(wanted, text_of(draft))
        review = await ask_reviewer(
            run, prompt, agent=review_agent or agent, model=review_model, options=options
        )
        evidence.append(verdict(review, f"round[{number}]/review"))
        if review.approved:
            break

    text, objections = text_of(draft), [] if review.approved else review.comments
    if approve:
        decision = await run.approve("accept the plan", {"plan": text, "objections": objections})
        evidence.append(f"accepted by {decision.by}")
    if path:
        await run.step("write", write_files, {path: text})
        evidence.append(f"written to `{path}`")
    return Planned(
        title=f"Plan: {line(goal)}",
        done=text.partition("\n")[2],
        evidence=evidence,
        left=[f"The reviewer still wants: {comment}" for comment in objections],
        usage=run.usage,
        plan=draft,
        text=text,
        approved=review.approved,
        clarified=clarified,
    )


def text_of(plan: Plan) -> str:
    """Return a plan in Markdown."""
    parts = ["# Plan", plan.summary]
    for number, step in enumerate(plan.steps, start=1):
        facts = [f"Files: {', '.join(f'`{file}`' for file in step.files)}"] if step.files else []
        facts += [f"Verified by: {step.verified}"] if step.verified else []
        parts += [f"## {number}. {line(step.title)}", step.what, bullets(facts)]
    if plan.risks:
        parts += ["## Risks", bullets(plan.risks)]
    return "\n\n".join(part for part in parts if part)


def questions_prompt(goal: str, most: int) -> str:
    """Return the task of finding out what is not said."""
    return (
        f"Somebody wants this in the repository that you are in:\n\n{goal}\n\n"
        "Read what it concerns and change nothing. Which questions must that person answer before "
        f"it can be planned? At most {most}, the weightiest first; only what neither the "
        "repository nor good practice settles. None is a good answer."
    )


def plan_prompt(goal: str, before: Plan, review: Review) -> str:
    """Return the task of planning; what was wrong with the plan before comes last."""
    task = (
        f"Plan this, and change nothing:\n\n{goal}\n\n"
        "Read the code first. Give small steps in order: what is done, in which files, and how one "
        "sees that it is right. Name the risks that you see. Plan nothing that was not asked for."
    )
    if not before.steps:
        return task
    wants = f"The reviewer of it wants:\n{bullets(review.comments)}"
    return f"{task}\n\nThe plan so far:\n\n{text_of(before)}\n\n{wants}"


def review_prompt(goal: str, text: str) -> str:
    """Return the task for the reviewer."""
    return (
        "Review this plan against the repository; edit nothing. Approve it if somebody who follows "
        "it reaches the goal. Otherwise say in short comments what is missing, wrong, or too much.\n\n"
        f"The goal: {goal}\n\n{text}"
    )
