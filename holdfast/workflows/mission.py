"""A mission: a goal too large for one sitting, reached milestone by milestone.

A plan of milestones, checked by an agent and approved by a person. Each milestone has a worktree, in which
its features are made side by side and merged; only what its tests and a fresh reviewer find good goes on
into your branch. Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated

from msgspec import Meta, convert
from msgspec.structs import replace

from holdfast import Budget, Run, StepFailed, Workspace, workflow
from holdfast.workflows.bringing import Settle, bring_in
from holdfast.workflows.common import (
    DIFF_CHARACTERS,
    Agent,
    Goal,
    Model,
    Options,
    Report,
    ReviewAgent,
    Rounds,
    TestCommand,
    bullets,
    counted,
    doer,
    find_tests,
    line,
    read_goal,
    reader,
    said,
)
from holdfast.workflows.kanban import TARGET
from holdfast.workflows.milestones import Check, Course, Feature, Milestone, Plan, Reached, outline


class Mission(Report, kw_only=True):
    """What came of it, milestone by milestone."""

    milestones: list[Reached]


@workflow(budget=Budget(usd=50, each_usd=0.25))
async def mission(
    run: Run,
    goal: Goal,
    test: TestCommand = "",
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    review_agent: ReviewAgent = "",
    max_plans: Annotated[int, Meta(description="How many plans at most.", ge=1)] = 3,
    max_rounds: Rounds = 4,
    limit: Annotated[int, Meta(description="How many features at once.", ge=1)] = 4,
    approve: Annotated[
        bool, Meta(description="Ask about the milestones; where they are in doubt, always.")
    ] = True,
) -> Mission:
    """Reach a large goal by milestones, each made good before the next one begins."""
    target = (await run.shell("target", TARGET)).stdout.strip()
    test = await find_tests(run, test)
    goal = await read_goal(run, goal)
    who = doer(agent, model, options)
    critic = reader(review_agent or agent, None, options, "reviewer")
    reached: list[Reached] = []

    async def draw_up() -> Plan:
        """Let an agent plan until another one finds it sound; then a person decides, who may edit it."""
        plan, wrong = Plan([]), list[str]()
        async for _ in run.loop("plan", max=max_plans, on_exhausted="stop"):
            plan = await run.agent(
                "draft", plan_prompt(goal, wrong), output=Plan, **reader(agent, model, options)
            )
            found = await ask_critic("check", check_prompt(goal, plan))
            wrong = [] if found.good else found.missing or ["It will not lead to the goal."]
            if not wrong:
                break
        if not approve and not wrong:
            return plan
        subject = {"goal": goal, "plan": plan, "not settled": wrong}
        decision = await run.approve("milestones", subject, edits=Plan)
        return plan if decision.edits is None else convert(decision.edits, Plan)

    async def ask_critic(name: str, prompt: str) -> Check:
        """Ask in a fresh session, which may look and change nothing."""
        found: Check = await run.agent(name, prompt, output=Check, **critic)
        return found

    async def reach(stone: Milestone) -> Reached:
        """Make a milestone in a worktree, and merge it once it is good, or a person stops it."""
        found = Reached(stone.name, stone.goal)
        async with run.workspace(stone.name) as ws:
            found.branch = (await run.shell("branch", "git branch --show-current")).stdout.strip()
            found.why = await build(stone)
            while True:
                await make_good(stone, found, ws)
                if not found.why:
                    why = await bring_in(ws, titled(stone), settler(ws))
                    if not why:
                        return found
                else:
                    why = found.why
                course: Course = await run.ask(
                    "how to go on", {"why": why, "milestone": stone}, output=Course
                )
                if course.then == "stop":
                    found.why = f"{why}\n\nA person stopped it."
                    return found
                if course.then == "rephrase":
                    stone = replace(
                        stone, goal=course.goal or stone.goal, accept=course.accept or stone.accept
                    )

    async def build(stone: Milestone) -> str:
        """Make the features of a milestone side by side; return what is wrong with some of them."""

        async def make(feature: Feature) -> str:
            async with run.workspace("work") as ws:
                try:
                    await code("code", feature_prompt(feature, stone, test, reached))
                except StepFailed as failure:
                    return f"{feature.name}: {feature.task}\nIts worker failed: {failure}"
                message = f"{feature.name}\n\nMilestone: {stone.name}"
                why = await bring_in(ws, message, settler(ws))
                return f"{feature.name}: {feature.task}\nIt is not merged: {why}" if why else ""

        wrong = await run.map(make, stone.features, key=lambda feature: feature.name, limit=limit)
        return "\n\n".join(filter(None, wrong))

    async def make_good(stone: Milestone, found: Reached, ws: Workspace) -> None:
        """Correct a milestone until tests and reviewer find it good; else `why` says what is missing."""
        async for _ in run.loop("round", max=max_rounds, on_exhausted="stop"):
            found.rounds += 1
            try:
                if found.why:
                    await code("correct", correct_prompt(stone, test, found.why))
                await ws.commit(titled(stone))
                found.why = await tested() or await reviewed(stone, found, ws)
            except StepFailed as failure:
                found.why = str(failure)
            if not found.why:
                break

    async def reviewed(stone: Milestone, found: Reached, ws: Workspace) -> str:
        diff = await run.shell("diff", ["git", "diff", ws.base, "HEAD"])
        seen = await ask_critic("review", review_prompt(stone, diff.stdout))
        found.handover = seen.handover
        return "" if seen.good else bullets(seen.missing) or "The reviewer is not content."

    async def tested() -> str:
        """Return what the tests say where they fail."""
        tests = await run.shell("test", test, check=False, timeout="1h")
        return "" if tests.ok else f"The tests fail:\n{said(tests)}"

    def settler(ws: Workspace) -> Settle:
        """Return who settles a conflict: an agent, held against the tests."""
        return lambda found: ws.resolve(found, check=tested, **who)

    async def code(name: str, prompt: str) -> None:
        await run.agent(name, prompt, **who)

    plan = await draw_up()
    for stone in plan.milestones:
        reached.append(await reach(stone))
        await run.note(f"{stone.name}: {reached[-1].why or reached[-1].handover or 'reached'}")
        if reached[-1].why:
            break
    return report(goal, target, test, plan, reached, run)


def plan_prompt(goal: str, wrong: list[str]) -> str:
    """Return the task for whoever plans; what was wrong with the last plan comes last."""
    task = (
        "Plan the way to this goal; edit nothing. Divide it into milestones: states of the project that "
        "are worth having, each upon the one before. For each give criteria that somebody else can "
        "check, and features that workers can make at the same time in different files. Prefer few "
        f"milestones.\n\nThe goal: {goal}"
    )
    return f"{task}\n\nAn earlier plan had these faults:\n{bullets(wrong)}" if wrong else task


def check_prompt(goal: str, plan: Plan) -> str:
    """Return the task for whoever checks the plan."""
    return (
        "Check this plan against the goal and the repository; edit nothing. It is good if the last "
        "milestone is the goal, each stands upon those before, the criteria can be checked, and the "
        "features of a milestone do not need each other. Else say in short what has to be different."
        f"\n\nThe goal: {goal}\n\nThe plan:\n{outline(plan.milestones)}"
    )


def feature_prompt(feature: Feature, stone: Milestone, test: str, reached: list[Reached]) -> str:
    """Return the task for a worker, with what those before hand over."""
    before = [f"{each.name}: {each.handover or each.goal}" for each in reached]
    known = f"\n\nWhat was done before:\n{bullets(before)}" if before else ""
    others = [each.name for each in stone.features if each is not feature]
    beside = f" Others work on {', '.join(others)} meanwhile: leave that to them." if others else ""
    return (
        f"{feature.task}\n\nIt is a part of: {stone.goal}{beside} The tests are run with: {test}\n"
        f"Write tests for what you make. Do not weaken tests. Do not commit.{known}"
    )


def correct_prompt(stone: Milestone, test: str, why: str) -> str:
    """Return the task for whoever corrects a milestone."""
    return (
        f"{stone.goal}\n\nMost of that is done in this folder, and not good yet. It must hold:\n"
        f"{bullets(stone.accept)}\n\nThe tests are run with: {test}\nDo not weaken tests. Do not "
        f"commit. What is wrong:\n\n{why}"
    )


def review_prompt(stone: Milestone, diff: str) -> str:
    """Return the task for the reviewer of a milestone."""
    return (
        "Say whether this milestone is reached; edit nothing. It is good if each criterion holds, "
        "whatever the tests say. Else say in short what is missing. In both cases write what the next "
        f"workers have to know.\n\nThe milestone: {stone.goal}\n{bullets(stone.accept)}\n\n"
        f"The tests pass. The change:\n{diff[:DIFF_CHARACTERS]}"
    )


def titled(stone: Milestone) -> str:
    """Return the message of a milestone's commits."""
    return f"{line(stone.goal, 70)}\n\nMilestone: {stone.name}"


def report(
    goal: str, target: str, test: str, plan: Plan, reached: list[Reached], run: Run
) -> Mission:
    """Return what came of it; `left` names what was not reached, and where its work is."""
    good = [each for each in reached if not each.why]
    left = [
        f"{each.name}, on the branch `{each.branch}`: {each.why}" for each in reached if each.why
    ]
    left += [f"{stone.name}: not begun" for stone in plan.milestones[len(reached) :]]
    return Mission(
        title=f"{len(good)} of {counted(len(plan.milestones), 'milestone')} in {target}: {line(goal, 60)}",
        done=bullets(
            f"{each.name}: {each.goal} ({counted(each.rounds, 'round')})" for each in good
        ),
        evidence=[
            f"{each.name}: `{test}` green, and accepted by a fresh reviewer" for each in good
        ],
        left=left,
        usage=run.usage,
        milestones=reached,
    )
