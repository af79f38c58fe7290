"""Research, plan, implement: readers look at a goal side by side, a person accepts a plan, agents do it.

The planning and the implementing are the workflows of these names, as runs of their own.
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
    Report,
    ReviewAgent,
    ReviewModel,
    Rounds,
    TestCommand,
    bullets,
    find_tests,
    line,
    named,
    read_goal,
    reader,
    slug,
    spent,
)
from holdfast.workflows.implement import implement
from holdfast.workflows.plan import plan

ASPECTS = [
    "where the change belongs: files, functions, data",
    "what is there already that it can use or must keep",
    "how such things are tested here",
    "what it could break, and who depends on that",
]


class Notes(Struct):
    """What a reader found out, with the places as `path:line`."""

    facts: list[str]
    open_questions: list[str] = []


class Implemented(Report, kw_only=True):
    """What came of it. `plan` is the text that was accepted."""

    plan: str
    rounds: int
    tests: str


@workflow(name="research-plan-implement", budget=Budget(usd=20, each_usd=0.25))
async def research_plan_implement(
    run: Run,
    goal: Goal,
    aspects: Annotated[list[str], Meta(description="What readers look at, one each.")] = ASPECTS,
    test: TestCommand = "",
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    review_agent: ReviewAgent = "",
    review_model: ReviewModel = None,
    limit: Annotated[int, Meta(description="How many readers at once.", ge=1)] = 4,
    max_plans: Annotated[int, Meta(description="How many plans you may refuse.", ge=1)] = 3,
    max_rounds: Rounds = 5,
    approve: Approve = True,
) -> Implemented:
    """Read up on a goal, plan it, have a person accept the plan, and implement it until it is green."""
    who = reader(agent, model, options)
    wanted = await read_goal(run, goal)
    test = await find_tests(run, test)
    common = {
        **named(agent, model, options),
        "review_agent": review_agent,
        "review_model": review_model,
    }

    async def read(aspect: str) -> str:
        """Let somebody read what concerns one aspect."""
        notes = await run.agent("read", reading_prompt(wanted, aspect), output=Notes, **who)
        found = [*notes.facts, *(f"Open: {question}" for question in notes.open_questions)]
        return "\n".join([f"{aspect}:", *(f"- {fact}" for fact in found)])

    notes = await run.map(read, aspects, key=slug, limit=limit)
    known = f"{wanted}\n\nWhat readers found out:\n\n" + "\n\n".join(notes)

    plans, remark, accepted_by, text = list[Report](), "", "", ""
    async for _ in run.loop("planning", max=max_plans):
        asked = f"{known}\n\n{remark}" if remark else known
        planned = await run.child(plan, {**common, "goal": asked, "approve": False})
        plans.append(planned)
        text = planned.text
        if planned.clarified:  # nobody is to ask that again
            known, wanted = f"{known}\n\n{planned.clarified}", f"{wanted}\n\n{planned.clarified}"
        subject = {"goal": wanted, "plan": text, "left open": planned.left or "nothing"}
        decision = await run.approve("accept the plan", subject, on_deny="return")
        if decision.approved:
            accepted_by = decision.by
            break
        remark = f"This plan was refused by a person, who said: {decision.note}\n\n{text}"

    made = await run.child(
        implement,
        {
            **common,
            "goal": f"{wanted}\n\nFollow this plan, which was accepted:\n\n{text}",
            "test": test,
            "max_rounds": max_rounds,
            "approve": approve,
        },
    )
    return Implemented(
        title=f"Implemented as planned: {line(goal)}",
        done=made.summary,
        evidence=[
            f"plan accepted by {accepted_by}",
            f"of the child run `implement`:\n{bullets(made.evidence)}",
        ],
        left=made.left,
        usage=spent(run, *plans, made),
        plan=text,
        rounds=made.rounds,
        tests=made.tests,
    )


def reading_prompt(goal: str, aspect: str) -> str:
    """Return the task for one reader."""
    return (
        f"Somebody will change this repository: {goal}\n\n"
        f"Find out, and change nothing: {aspect}.\n"
        "Give facts with their places as path:line, at most ten, and what stays open. No plan."
    )
