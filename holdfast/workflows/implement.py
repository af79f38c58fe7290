"""Implement a goal: an agent works, the project's own tests judge, a reviewer reads, a person decides.

Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from holdfast import Run, workflow

# Prints the command that runs the tests of the repository in the working directory.
FIND_TESTS = """
if [ -f Cargo.toml ]; then echo cargo test
elif [ -f go.mod ]; then echo go test ./...
elif [ -f package.json ]; then echo npm test
elif [ -f pytest.ini ] || [ -f pyproject.toml ] || [ -d tests ]; then echo python -m pytest -q
elif grep -q '^test:' Makefile 2>/dev/null; then echo make test
else echo 'no tests were found: say how to run them with the input "test"' >&2; exit 1
fi
"""

# Prints all that differs from the last commit, new files included, without touching the index.
DIFF = """
git diff HEAD -- . ':!.holdfast'
git ls-files --others --exclude-standard -z -- . ':!.holdfast' |
    xargs -0 -r -n 1 git diff --no-index -- /dev/null
"""
STAT = "git diff --stat HEAD -- . ':!.holdfast'; git status --short -- . ':!.holdfast'"

TEST_CHARACTERS = 8_000
DIFF_CHARACTERS = 100_000


class Review(Struct):
    """What a reviewer says of a change. Without approval, the comments say what to do."""

    approved: bool
    comments: list[str] = []


class Report(Struct):
    """What came of it."""

    summary: str
    rounds: int
    tests: str
    comments: list[str] = []


@workflow
async def implement(
    run: Run,
    goal: Annotated[str, Meta(description="What is to be done, in your words.")],
    test: Annotated[
        str, Meta(description="The command that runs the tests; else it is found.")
    ] = "",
    agent: Annotated[str, Meta(description="The coding agent; else the role default's.")] = "",
    model: Annotated[str | None, Meta(description="The agent's model.")] = None,
    options: Annotated[dict[str, Any], Meta(description="Options for the agents.")] = {},  # noqa: B006
    review_agent: Annotated[str, Meta(description="Who reviews; else the coding agent.")] = "",
    review_model: Annotated[
        str | None, Meta(description="Review by one call of this model instead.")
    ] = None,
    max_rounds: Annotated[int, Meta(description="How many rounds at most.", ge=1)] = 5,
    approve: Annotated[bool, Meta(description="Ask a person at the end.")] = True,
) -> Report:
    """Implement a goal until its tests are green and a reviewer approves, then ask a person."""
    test = test or (await run.shell("find tests", FIND_TESTS)).stdout.strip()
    feedback, summary, rounds, review = "", "", 0, Review(approved=False)
    async for rounds in run.loop("round", max=max_rounds):  # noqa: B007 - told in the report
        prompt = coding_prompt(goal, test, feedback)
        summary = await run.agent("code", prompt, agent=agent, model=model, options=options)

        tests = await run.shell("test", test, check=False, timeout="1h")
        if not tests.ok:
            feedback = f"The tests fail:\n{(tests.stdout + tests.stderr)[-TEST_CHARACTERS:]}"
            continue

        diff = await run.shell("diff", DIFF, check=False)
        prompt = review_prompt(goal, diff.stdout)
        if review_model:
            review = await run.model("review", prompt, model=review_model, output=Review)
        else:
            review = await run.agent(
                "review",
                prompt,
                agent=review_agent or agent,
                options=options,
                output=Review,
                permissions="read",
            )
        if review.approved:
            break
        feedback = "The tests pass. The reviewer asks for:\n" + "\n".join(
            f"- {comment}" for comment in review.comments
        )

    if approve:
        changes = (await run.shell("changes", STAT, check=False)).stdout
        subject = {"goal": goal, "changes": changes, "tests": f"{test}: green"}
        await run.approve("accept the change", {**subject, "review": review.comments})
    return Report(summary, rounds, f"{test}: green", review.comments)


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
        f"The goal was: {goal}\n\nThe tests pass. The change:\n{diff[:DIFF_CHARACTERS]}"
    )
