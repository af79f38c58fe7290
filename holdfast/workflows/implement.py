"""Implement a goal: an agent works, the project's own tests judge, a reviewer reads, a person decides.

Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from holdfast import Budget, Run, workflow
from holdfast.workflows.common import (
    CHANGES,
    DIFF,
    DIFF_CHARACTERS,
    WHERE,
    Agent,
    Approve,
    Goal,
    Model,
    Options,
    Report,
    Review,
    ReviewAgent,
    ReviewModel,
    Rounds,
    TestCommand,
    ask_reviewer,
    bullets,
    doer,
    find_base,
    find_tests,
    line,
    proof,
    read_goal,
    said,
    verdict,
)


class Implemented(Report, kw_only=True):
    """What came of it."""

    summary: str
    rounds: int
    tests: str
    comments: list[str]


@workflow(budget=Budget(usd=10, each_usd=0.25))
async def implement(
    run: Run,
    goal: Goal,
    test: TestCommand = "",
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    review_agent: ReviewAgent = "",
    review_model: ReviewModel = None,
    max_rounds: Rounds = 5,
    approve: Approve = True,
) -> Implemented:
    """Implement a goal until its tests are green and a reviewer approves, then ask a person."""
    base = await find_base(run)
    wanted = await read_goal(run, goal)
    test = await find_tests(run, test)
    feedback, summary, rounds, review = "", "", 0, Review(approved=False)
    evidence: list[str] = []
    async for rounds in run.loop("round", max=max_rounds):
        prompt = coding_prompt(wanted, test, feedback)
        summary = await run.agent("code", prompt, **doer(agent, model, options))

        tests = await run.shell("test", test, check=False, timeout="1h")
        if not tests.ok:
            feedback = f"The tests fail:\n{said(tests)}"
            continue

        diff = await run.shell("diff", DIFF, env=base, check=False)
        prompt = review_prompt(wanted, diff.stdout)
        review = await ask_reviewer(
            run, prompt, agent=review_agent or agent, model=review_model, options=options
        )
        evidence = [
            proof(test, tests, f"round[{rounds}]/test"),
            verdict(review, f"round[{rounds}]/review"),
        ]
        if review.approved:
            break
        feedback = f"The tests pass. The reviewer asks for:\n{bullets(review.comments)}"

    if approve:
        changes = (await run.shell("changes", CHANGES, env=base, check=False)).stdout
        subject = {"goal": wanted, "changes": changes, "tests": f"{test}: green"}
        decision = await run.approve("accept the change", {**subject, "review": review.comments})
        evidence.append(f"accepted by {decision.by}")
    where = (await run.shell("where", WHERE, env=base)).stdout
    return Implemented(
        title=f"Implemented: {line(goal)}",
        done=summary,
        evidence=evidence,
        left=where.splitlines(),
        usage=run.usage,
        summary=summary,
        rounds=rounds,
        tests=f"{test}: green",
        comments=review.comments,
    )


def coding_prompt(goal: str, test: str, feedback: str) -> str:
    """Return the task for the coding agent; what was wrong so far comes last."""
    task = (
        f"{goal}\n\nWork in this repository. The tests are run with: {test}\n"
        "Do not weaken tests. Do not commit. End with one sentence on what you changed."
    )
    return f"{task}\n\n{feedback}" if feedback else task


def review_prompt(goal: str, diff: str) -> str:
    """Return the task for the reviewer."""
    return (
        "Review this change; edit nothing. Approve it if you would merge it as it is. Otherwise "
        "say in short comments what has to change, and nothing that is a matter of taste.\n\n"
        f"The goal was: {goal}\n\nThe tests pass. The change:\n{diff[:DIFF_CHARACTERS] or 'nothing differs'}"
    )
