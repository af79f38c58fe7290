"""Best of N: the same task in N worktrees side by side; tests and judges rank them, the best is merged.

All candidates have one prefix in common: the steps before them and the commit that they begin with. They
are branches of one run, not forks of its log (`holdfast fork` makes those by hand), so that they can be
compared and the best be merged within it. Copy this file into .holdfast/workflows/ and change it: it is
written to be read.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from holdfast import Budget, Conflict, Merged, Run, StepFailed, Workspace, workflow
from holdfast.workflows.bringing import bring_in
from holdfast.workflows.candidates import (
    Candidate,
    Maker,
    NoCandidate,
    Score,
    Scores,
    changed_lines,
    leaders,
    others,
    remarks,
    table,
    weigh,
)
from holdfast.workflows.common import (
    DIFF_CHARACTERS,
    Agent,
    Goal,
    Model,
    Options,
    Report,
    TestCommand,
    doer,
    find_tests,
    line,
    read_goal,
    reader,
    said,
)
from holdfast.workflows.implement import coding_prompt
from holdfast.workflows.kanban import TARGET

NOBODY = "none"


class Chosen(Report, kw_only=True):
    """Which candidate won; nobody where a person took none."""

    winner: str
    candidates: list[Candidate]


@workflow(name="best-of", budget=Budget(usd=30, each_usd=0.25))
async def best_of(
    run: Run,
    goal: Goal,
    n: Annotated[int, Meta(description="How many candidates, unless they are named.", ge=2)] = 3,
    candidates: Annotated[
        list[Maker], Meta(description='Who makes each, as in [{"agent": "codex"}, {"model": "m"}].')
    ] = [],  # noqa: B006
    test: TestCommand = "",
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    judge_agent: Annotated[
        str, Meta(description="Who judges; else the agent, or who has the role reviewer.")
    ] = "",
    judges: Annotated[
        int, Meta(description="How many judges; each sees them in another order.", ge=1)
    ] = 2,
    max_rounds: Annotated[int, Meta(description="How many rounds for a candidate.", ge=1)] = 3,
    limit: Annotated[int, Meta(description="How many candidates at once.", ge=1)] = 3,
    on_tie: Annotated[
        Literal["ask", "smallest"],
        Meta(description="Who breaks a tie: a person, or the shorter diff."),
    ] = "ask",
) -> Chosen:
    """Do one task N times side by side, rank what is green, and merge the best."""
    target = (await run.shell("target", TARGET)).stdout.strip()
    test = await find_tests(run, test)
    goal = await read_goal(run, goal)
    makers = candidates or [Maker() for _ in range(n)]
    field = [Candidate(f"candidate-{place}", maker) for place, maker in enumerate(makers, start=1)]
    spaces: dict[str, Workspace] = {}
    diffs: dict[str, str] = {}
    evidence: list[str] = []

    async def attempt(one: Candidate) -> None:
        """Make a candidate in a worktree, and leave it committed on its branch."""
        ws = spaces[one.name] = run.workspace("work")
        async with ws:
            try:
                await code(one)
            except StepFailed as failure:
                one.why = str(failure)
            one.branch = (await run.shell("branch", "git branch --show-current")).stdout.strip()
            one.commit = await ws.commit(f"{line(goal, 60)}\n\n{one.name}")
            diff = (await run.shell("diff", ["git", "diff", ws.base, "HEAD"])).stdout
        diffs[one.name], one.lines = diff, changed_lines(diff)
        one.why = one.why or ("" if diff else "it changed nothing")

    async def code(one: Candidate) -> None:
        """Let the candidate's agent work until the tests are green."""
        who = one.maker
        async for _ in run.loop("round", max=max_rounds, on_exhausted="stop"):
            one.summary = await run.agent(
                "code",
                coding_prompt(goal, test, one.why),
                **doer(
                    who.agent or agent, who.model or model, {**options, **who.options}, who.role
                ),
            )
            one.why = await complaint()
            if not one.why:
                break

    async def complaint() -> str:
        tests = await run.shell("test", test, check=False, timeout="1h")
        return "" if tests.ok else f"The tests fail:\n{said(tests)}"

    async def judge(place: int) -> list[Score]:
        """Return what one judge says, nothing where that cannot be used."""
        order = [*good[place % len(good) :], *good[: place % len(good)]]
        try:
            found = await run.agent(
                "judge",
                judge_prompt(goal, order, diffs),
                output=Scores,
                **reader(judge_agent or agent, None, options, "reviewer"),
            )
        except StepFailed:
            return []
        scores: list[Score] = found.scores
        names = sorted(score.candidate for score in scores)
        return scores if names == sorted(one.name for one in good) else []

    async def choose() -> str:
        """Return the name of the best; a tie goes to a person, or to the shorter diff."""
        if len(good) > 1:
            found = await run.map(judge, range(judges), name="judges")
            if silent := weigh(good, found):
                evidence.append(f"the answer of {silent} of {judges} judges could not be used")
        tied = leaders(good)
        if len(tied) == 1 or on_tie == "smallest":
            return tied[0].name
        names: Any = Literal[*(one.name for one in tied), NOBODY]
        return str(await run.ask("break the tie", {"goal": goal, "tied": tied}, output=names))

    async def take(ws: Workspace, winner: str) -> str:
        """Merge the winner's worktree; return why it is not, or nothing."""
        message = f"{line(goal, 60)}\n\nThe best of {len(field)}: {winner}"

        async def settle(found: Conflict) -> Merged | Conflict:
            return await ws.resolve(found, check=complaint, **doer(agent, model, options))

        return await bring_in(ws, message, settle)

    await run.map(attempt, field, key=lambda one: one.name, limit=limit)
    good = [one for one in field if not one.why]
    if not good:
        raise NoCandidate([f"{one.name} ({one.branch}): {one.why}" for one in field])
    winner = await choose()
    left: list[str] = []
    if winner in spaces and (why := await take(spaces[winner], winner)):
        branch = next(one.branch for one in field if one.name == winner)
        left = [f"{winner}, on the branch `{branch}`, is not merged: {why}"]
    return Chosen(
        title=f"{winner} is in {target}" if winner in spaces and not left else "Nothing is merged",
        done=f"{goal}\n\n{table(field, winner)}",
        evidence=evidence + remarks(field),
        left=left + others(field, winner),
        usage=run.usage,
        winner="" if winner == NOBODY else winner,
        candidates=field,
    )


def judge_prompt(goal: str, order: list[Candidate], diffs: dict[str, str]) -> str:
    """Return the task for a judge: the candidates in this order, and nothing of who made them."""
    most = DIFF_CHARACTERS // len(order)
    shown = "\n\n".join(
        f"## {one.name}: {one.lines} changed lines\n\n{diffs[one.name][:most]}" for one in order
    )
    return (
        "Judge these changes, all made for the same goal and all with green tests; edit nothing. Give "
        "each from 0 to 10 points: does it reach the goal, is it right also where no test looks, would "
        "you want to maintain it. Of two that do the same, the simpler one is better. Say why in a "
        f"sentence. Their order means nothing.\n\nThe goal: {goal}\n\n{shown}"
    )
