"""Improve coverage: agents write tests for the least covered files, side by side, until a target.

Nothing is believed: a piece of work is taken only where the measurement, run again upon it, is green and
higher, and where git says that nothing but tests was added or changed. Copy this file into
.holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated

from msgspec import Meta, Struct

from holdfast import Budget, Run, StepFailed, workflow
from holdfast.workflows.bringing import bring_in
from holdfast.workflows.common import (
    Agent,
    Model,
    Options,
    Report,
    Rounds,
    counted,
    doer,
    line,
    said,
)
from holdfast.workflows.kanban import TARGET
from holdfast.workflows.measuring import TOTAL, coverage, least_covered, wrong_paths

# Prints the command that runs the tests, prints their coverage, and fails where they fail.
FIND_MEASURE = r"""
if [ -f pytest.ini ] || [ -f pyproject.toml ] || [ -f setup.cfg ] || [ -d tests ]; then
    source=--source=.
    [ -f .coveragerc ] || grep -qs '^\[tool.coverage\|^\[coverage:' pyproject.toml setup.cfg tox.ini && source=
    echo "d=\$(mktemp -d) && trap 'rm -rf \$d' EXIT && export COVERAGE_FILE=\$d/c PYTHONDONTWRITEBYTECODE=1" \
        "&& python -m coverage run $source -m pytest -q -p no:cacheprovider" \
        "&& python -m coverage report -m --precision=2"
else echo 'no way to measure was found: give a command with the input "measure"' >&2; exit 1
fi
"""
TESTS = ["tests/*", "*/tests/*", "test/*", "test_*", "*/test_*", "*_test.*", "*.test.*", "*.spec.*"]
TIDY = "git reset -q --hard && git clean -fdq"  # a measurement may leave files behind


class Piece(Struct):
    """What came of the tests for a file. Where they are not taken, `why` says so."""

    path: str
    before: float
    after: float = 0.0
    why: str = ""
    branch: str = ""


class Improved(Report, kw_only=True):
    """How far it came."""

    before: float
    after: float
    target: float
    pieces: list[Piece]


@workflow(name="improve-coverage", budget=Budget(usd=30, each_usd=0.25))
async def improve_coverage(
    run: Run,
    target: Annotated[
        float, Meta(description="The coverage to reach, in percent.", ge=0, le=100)
    ] = 80,
    measure: Annotated[
        str, Meta(description="Runs the tests and prints their coverage; else it is found.")
    ] = "",
    pattern: Annotated[
        str,
        Meta(description="Regular expression for the total; its first group is the percentage."),
    ] = TOTAL,
    tests: Annotated[
        list[str], Meta(description="Patterns of paths that are tests; nothing else may change.")
    ] = TESTS,
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    limit: Annotated[int, Meta(description="How many files a round, side by side.", ge=1)] = 4,
    max_rounds: Rounds = 5,
    max_tries: Annotated[int, Meta(description="How many tries for a file in a round.", ge=1)] = 2,
) -> Improved:
    """Write tests for the least covered files until the coverage is reached."""
    branch = (await run.shell("target", TARGET)).stdout.strip()
    measure = measure or (await run.shell("find measure", FIND_MEASURE)).stdout.strip()
    pieces: list[Piece] = []

    async def write(path: str) -> Piece:
        """Let an agent write tests for a file in a worktree; merge what stands up to the checks."""
        piece = Piece(path, now.files[path])
        async with run.workspace("work") as ws:
            piece.branch = (await run.shell("branch", "git branch --show-current")).stdout.strip()
            async for _ in run.loop("try", max=max_tries, on_exhausted="stop"):
                prompt = test_prompt(piece, measure, tests)
                try:
                    await run.agent("write", prompt, **doer(agent, model, options))
                    await ws.commit(f"Test {path}")
                    piece.why = await faults(piece, ws.base)
                except StepFailed as failure:
                    piece.why = str(failure)
                if not piece.why:
                    break
            if not piece.why:
                piece.why = await bring_in(ws, f"Test {path}")
        return piece

    async def faults(piece: Piece, base: str) -> str:
        """Return why a commit is not taken: what git says of its paths, then the measurement."""
        command = ["git", "diff", "--name-status", "--no-renames", "-z", base, "HEAD"]
        if wrong := wrong_paths((await run.shell("changed", command)).stdout, tests):
            return wrong
        result = await run.shell("measure", measure, check=False, timeout="1h")
        await run.shell("tidy", TIDY)
        if not result.ok:
            return f"The tests fail:\n{said(result)}"
        after = coverage(result, measure, pattern)
        piece.after = after.files.get(piece.path, after.total)
        rose = after.total > now.total or (after.total == now.total and piece.after > piece.before)
        return (
            ""
            if rose
            else f"The coverage did not rise: {piece.before}% before and {piece.after}% now."
        )

    async def leave(found: list[Piece], why: str) -> None:
        """Say of the pieces that were taken why they go no further, and which branch has them."""
        together = (await run.shell("branch", "git branch --show-current")).stdout.strip()
        for piece in found:
            if not piece.why:
                piece.why, piece.branch = why, together

    async with run.workspace("together") as ws:
        before = now = coverage(await run.shell("measure", measure, timeout="1h"), measure, pattern)
        await run.shell("tidy", TIDY)
        stopped = f"the ceiling of {counted(max_rounds, 'round')} is reached"
        async for _ in run.loop("round", max=max_rounds, on_exhausted="stop"):
            refused = {piece.path for piece in pieces if piece.why}
            worst = least_covered(now, target, tests, refused)[:limit]
            if now.total >= target or not worst:
                stopped = "no file is left to try"
                break
            found = await run.map(write, worst, limit=limit)
            pieces += found
            if all(piece.why for piece in found):
                stopped = "the last round made no progress"
                break
            result = await run.shell("measure", measure, check=False, timeout="1h")
            await run.shell("tidy", TIDY)
            if not result.ok:
                stopped = f"the tests of the last round fail together:\n{said(result)}"
                await leave(found, "The tests of its round fail together.")
                break
            if why := await bring_in(ws, "Test what was covered least"):
                stopped = f"the last round is not merged: {why}"
                await leave(found, why)
                break
            now = coverage(result, measure, pattern)
    rows = [row(piece) for piece in pieces]
    left = [
        f"{piece.path}, on the branch `{piece.branch}`: {piece.why}"
        for piece in pieces
        if piece.why
    ]
    return Improved(
        title=f"Coverage is {now.total:g}% in {branch}, {before.total:g}% before",
        done="\n".join(["| file | before | after | tests |", "|---|---|---|---|", *rows]),
        evidence=[f"`{line(measure)}`: green, {now.total:g}%"],
        left=[*([] if now.total >= target else [f"The target is {target:g}%: {stopped}"]), *left],
        usage=run.usage,
        before=before.total,
        after=now.total,
        target=target,
        pieces=pieces,
    )


def test_prompt(piece: Piece, measure: str, tests: list[str]) -> str:
    """Return the task for whoever writes tests; why the last try was refused comes last."""
    task = (
        f"Write tests for {piece.path}, of which {piece.before:g}% is covered by tests. Test what it "
        "shall do, with assertions that would fail if it did not; a line that only runs is not tested. "
        f"Change nothing but tests (paths such as {', '.join(tests)}), remove none, and do not commit. "
        f"The tests are run and measured with: {measure}"
    )
    return f"{task}\n\nThe last try was refused. {piece.why}" if piece.why else task


def row(piece: Piece) -> str:
    """Return a piece as a row of the table."""
    return f"| {piece.path} | {piece.before:g}% | {piece.after:g}% | {'left' if piece.why else 'merged'} |"
