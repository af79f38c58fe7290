"""What the workflows of the pack share: inputs, commands, the review of a change, and the report at the end."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

from msgspec import Meta, Struct

from holdfast import HoldfastError, Run, ShellResult, step_folder
from holdfast.eventlog import Usage

# --- inputs ----------------------------------------------------------------------------------------

Agent = Annotated[
    str, Meta(description="Who does it; else who has the role for it, or the default role.")
]
Model = Annotated[str | None, Meta(description="The agent's model.")]
Options = Annotated[dict[str, Any], Meta(description="Options for the agents.")]
ReviewAgent = Annotated[
    str, Meta(description="Who reviews; else the agent, or who has the role reviewer.")
]
ReviewModel = Annotated[str | None, Meta(description="Review by one call of this model instead.")]
TestCommand = Annotated[str, Meta(description="The command that runs the tests; else it is found.")]
Rounds = Annotated[int, Meta(description="How many rounds at most.", ge=1)]
Approve = Annotated[bool, Meta(description="Ask a person at the end.")]
Goal = Annotated[
    str, Meta(description="What is to be done, in your words, or a file that says it.")
]
OutputPath = Annotated[str, Meta(description="A new file to write the result to; else none.")]

# --- commands --------------------------------------------------------------------------------------

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

# Prints the commit that is checked out. Without one every comparison would be empty: that is said early.
BASE = """
git rev-parse -q --verify HEAD || {
    echo 'there is no commit to compare with: make a git repository and commit to it' >&2; exit 1; }
"""

# Prints all that differs from the commit $BASE, new files included, without touching the index. An agent
# may commit, asked or not: what differs from HEAD is what it has left.
DIFF = """
git diff "$BASE" -- . ':!.holdfast'
git ls-files --others --exclude-standard -z -- . ':!.holdfast' |
    xargs -0 -r -n 1 git diff --no-index -- /dev/null || true
"""
STAT = "git diff --stat \"$BASE\" -- . ':!.holdfast'; git status --short -- . ':!.holdfast'"

# Prints the same and what stands for the change itself: a fork does not take over the approval of another
# change with as many lines.
CHANGES = f"""{STAT}
printf 'change %.12s\\n' "$({{ {DIFF} }} | git hash-object --stdin)"
"""

# Says where that is now, in a line or two.
WHERE = """
commits=$(git rev-list --count "$BASE..HEAD") || exit 1
open=$(git status --short -- . ':!.holdfast')
if [ "$commits" != 0 ]; then
    echo "Look at what was committed: git log -p $(git rev-parse --short "$BASE")..$(git rev-parse --short HEAD)"
    [ -z "$open" ] || echo 'The rest of the change is in the working tree and not committed.'
elif [ "$open" ]; then echo 'The change is in the working tree and not committed.'
else echo 'Nothing has changed that git can see.'
fi
"""

TEST_CHARACTERS = 8_000
DIFF_CHARACTERS = 100_000


async def find_tests(run: Run, test: str) -> str:
    """Return the command that runs the tests: what was given, else what the files tell."""
    return test or (await run.shell("find tests", FIND_TESTS)).stdout.strip()


async def find_base(run: Run) -> dict[str, str]:
    """Return the commit that a run begins with, as the environment of DIFF, STAT and WHERE."""
    return {"BASE": (await run.shell("base", BASE)).stdout.strip()}


def said(result: ShellResult) -> str:
    """Return the end of what a command printed, as much as an agent should read."""
    return (result.stdout + result.stderr).strip()[-TEST_CHARACTERS:]


# --- who does it -----------------------------------------------------------------------------------


def named(agent: str, model: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return who was named, as inputs of another workflow."""
    return {"agent": agent, "model": model, "options": options}


def doer(
    agent: str, model: str | None, options: Mapping[str, Any], role: str = ""
) -> dict[str, Any]:
    """Return who does a step, as arguments of `run.agent`: who is named, else the implementer."""
    usually = usual("implementer", agent, model)
    return {**named(agent, model, options), "role": role or usually}


def reader(
    agent: str, model: str | None, options: Mapping[str, Any], usually: str = "planner"
) -> dict[str, Any]:
    """Return who does a step and may change nothing, as arguments of `run.agent`."""
    role = usual(usually, agent, model)
    return {**named(agent, model, options), "role": role, "permissions": "read"}


def usual(role: str, agent: str, model: str | None) -> str | list[str]:
    """Return the role for a step that names nobody: the project may have it, else its default one does it."""
    return "" if agent or model else [role, "default"]


# --- reviews ---------------------------------------------------------------------------------------


class Review(Struct):
    """What a reviewer says. Without approval, the comments say what to do."""

    approved: bool
    comments: list[str] = []


async def ask_reviewer(
    run: Run, prompt: str, *, agent: str, model: str | None, options: Mapping[str, Any]
) -> Review:
    """Ask for a review: with one call of the model where one is named, else a read-only agent."""
    if model:
        review: Review = await run.model("review", prompt, model=model, output=Review)
    else:
        who = reader(agent, None, options, "reviewer")
        review = await run.agent("review", prompt, output=Review, **who)
    return review


# --- files -----------------------------------------------------------------------------------------
# These are functions for run.step(...): a workflow itself touches no file.


class WouldOverwrite(HoldfastError):
    """There is something where the result is to be written; nothing was begun."""

    code = "would_overwrite"

    def __init__(self, path: str) -> None:
        super().__init__(f"{path!r} is there already. Name another place, or move it away.")
        self.path = path


class GoalMissing(HoldfastError):
    """A goal names a file by its ending, and there is none."""

    code = "goal_missing"

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no file {path!r} here. Name one that is, or say it in words.")
        self.path = path


async def read_goal(run: Run, goal: str) -> str:
    """Return what a goal says, in words or in a file: one word with a dot or a slash may name one."""
    may_be_file = re.fullmatch(r"\S*[./]\S*", goal)
    return await run.step("goal", text_or_file, goal) if may_be_file else goal


def text_or_file(words: str) -> str:
    """Return the text of a file where the words name one, relative to the run's folder; else the words.

    Raises GoalMissing for NAME.md or NAME.txt where there is no such file.
    """
    path = step_folder() / words
    try:
        if words.strip() and path.is_file():
            return path.read_text(encoding="utf-8")
    except OSError:  # no file has so long a name
        return words
    if re.fullmatch(r"\S+\.(md|txt)", words):
        raise GoalMissing(words)
    return words


def vacant(place: str) -> str:
    """Return a place at which nothing is yet, or an empty folder. Raises WouldOverwrite."""
    path = step_folder() / place
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise WouldOverwrite(place)
    return place


def write_files(texts: dict[str, str]) -> list[str]:
    """Write texts to paths relative to the run's folder, and return the paths."""
    for place, text in texts.items():
        path = step_folder() / Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip() + "\n", encoding="utf-8")
    return list(texts)


# --- reports ---------------------------------------------------------------------------------------


class Report(Struct, kw_only=True):
    """What came of a run, in parts, and as a page in `markdown`, which is what `holdfast run` prints.

    A workflow that has more to tell makes a class of its own of it: class Found(Report, kw_only=True).
    """

    title: str
    done: str = ""
    evidence: list[str] = []
    left: list[str] = []
    usage: Usage = Usage()  # that of the run, run.usage, or with its children: spent(run, ...)
    markdown: str = ""

    def __post_init__(self) -> None:
        self.markdown = self.markdown or page(self)


def spent(run: Run, *children: Report) -> Usage:
    """Return what a run has used, and its children as their reports tell it."""
    each = [run.usage, *(child.usage for child in children)]
    return Usage(
        input_tokens=sum(one.input_tokens for one in each),
        output_tokens=sum(one.output_tokens for one in each),
        cached_tokens=sum(one.cached_tokens for one in each),
        cost_usd=sum(one.cost_usd for one in each),
    )


def page(report: Report) -> str:
    """Return a report as Markdown: what was done, what shows it, what is left, what it cost."""
    parts = [f"# {line(report.title)}", report.done.strip()]
    if report.evidence:
        parts += ["## Evidence", bullets(report.evidence)]
    parts += ["## Left", bullets(report.left) or "Nothing.", f"Cost: {cost(report.usage)}."]
    return "\n\n".join(part for part in parts if part)


def proof(command: str, result: ShellResult, step: str) -> str:
    """Return how a command ended as a line of evidence; the step's key is where its output is kept."""
    how = "green" if result.ok else f"exit status {result.code}"
    return f"`{line(command)}`: {how} (step `{step}`)"


def verdict(review: Review, step: str, by: str = "the reviewer") -> str:
    """Return what a reviewer said as a line of evidence."""
    word = "approved by" if review.approved else "not approved by"
    remarks = "".join(f"\n- {comment}" for comment in review.comments)
    return f"{word} {by} (step `{step}`){':' if remarks else ''}{remarks}"


def bullets(items: Iterable[str]) -> str:
    """Return a Markdown list; what has several lines stays one item."""
    return "\n".join("- " + indent(item.strip(), "  ")[2:] for item in items)


def line(text: str, most: int = 120) -> str:
    """Return a text in one line, cut where it is long."""
    whole = " ".join(text.split())
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def slug(text: str, most: int = 40) -> str:
    """Return a short name for a text, to key what is done about it."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:most].strip("-") or "it"


def counted(number: int, what: str) -> str:
    """Return how many there are: "1 ticket", "2 tickets"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def money(cost_usd: float) -> str:
    """Return dollars; agents that tell no cost count nothing."""
    return f"${cost_usd:.2f}" if cost_usd else "not told"


def cost(usage: Usage) -> str:
    """Return what was used: dollars and tokens, as far as agents and models told."""
    tokens = usage.input_tokens + usage.output_tokens
    return money(usage.cost_usd) + (f", {tokens:,} tokens" if tokens else "")
