"""Research a question: split it, answer the parts side by side with sources, check these, put it together.

Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from holdfast import Budget, Run, step_folder, workflow
from holdfast.workflows.common import (
    Agent,
    Model,
    Options,
    OutputPath,
    Report,
    bullets,
    line,
    reader,
    slug,
    vacant,
    write_files,
)


class Source(Struct):
    """Where something stands: a path in the repository with its line, or a URL; and what it says."""

    place: str
    says: str
    line: int = 0

    @property
    def told(self) -> str:
        return f"{self.place}:{self.line}" if self.line else self.place

    @property
    def is_url(self) -> bool:
        return self.place.startswith(("https://", "http://"))


class Part(Struct):
    """The answer to a part of the question. `wrong` are sources that are not there."""

    question: str
    answer: str
    sources: list[Source] = []
    wrong: list[str] = []


class Answer(Struct):
    """An answer, what shows it, and whether that settles the question."""

    answer: str
    sources: list[Source]
    settled: bool = True


class Answered(Report, kw_only=True):
    """The answer, and the parts that it was put together from."""

    answer: str
    parts: list[Part]


@workflow(budget=Budget(usd=10, each_usd=0.25))
async def research(
    run: Run,
    question: Annotated[str, Meta(description="What you want to know.")],
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    path: OutputPath = "",
    max_parts: Annotated[int, Meta(description="In how many parts at most.", ge=1)] = 5,
    max_rounds: Annotated[
        int, Meta(description="How often a part is asked for sources that are there.", ge=1)
    ] = 2,
    limit: Annotated[int, Meta(description="How many agents at once.", ge=1)] = 4,
) -> Answered:
    """Answer a question about the repository from sources that are checked to be there."""
    who = reader(agent, model, options)
    if path:
        await run.step("free place", vacant, path)
    parts = await run.agent("split", split_prompt(question, max_parts), output=list[str], **who)

    async def look_up(part: str) -> Part:
        """Answer one part, until its sources are there."""
        found, wrong = Answer("", []), list[str]()
        async for _ in run.loop("round", max=max_rounds, on_exhausted="stop"):
            found = await run.agent(
                "answer", answer_prompt(question, part, wrong), output=Answer, **who
            )
            wrong = await run.step("check sources", not_there, found.sources)
            if not wrong:
                break
        good = [source for source in found.sources if source.told not in wrong]
        settled = found.answer if found.settled else f"(not settled) {found.answer}"
        return Part(part, settled, good, wrong)

    asked = parts[:max_parts] or [question]
    answered: list[Part] = await run.map(look_up, asked, key=slug, limit=limit)
    answer = await run.agent("put together", together_prompt(question, answered), **who)
    if path:
        await run.step("write", write_files, {path: f"# {line(question)}\n\n{answer}"})
    left = [f"{part.question}: no such source: {one}" for part in answered for one in part.wrong]
    left += [f"not settled: {p.question}" for p in answered if p.answer.startswith("(not settled)")]
    return Answered(
        title=line(question),
        done=answer,
        evidence=[source_told(source) for part in answered for source in part.sources],
        left=left
        + [f"not asked, for there were too many parts: {one}" for one in parts[max_parts:]],
        usage=run.usage,
        answer=answer,
        parts=answered,
    )


def not_there(sources: list[Source]) -> list[str]:
    """Return the sources that are no line of a file in the run's folder. URLs are not looked at."""
    root = step_folder().resolve()
    return [source.told for source in sources if not source.is_url and not _is_there(root, source)]


def _is_there(root: Path, source: Source) -> bool:
    path = (root / source.place).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        return False
    return 0 <= source.line <= path.read_bytes().count(b"\n") + 1


def source_told(source: Source) -> str:
    """Return a source as a line of evidence."""
    unchecked = " (a page of the web, not checked)" if source.is_url else ""
    return f"`{source.told}` {line(source.says)}{unchecked}"


def split_prompt(question: str, most: int) -> str:
    """Return the task of splitting the question."""
    return (
        f"Somebody wants to know of the repository that you are in: {question}\n\n"
        f"Into which questions does that fall, at most {most}, such that each can be answered by "
        "itself? One is enough where it is one question. Look around; answer nothing yet."
    )


def answer_prompt(question: str, part: str, wrong: list[str]) -> str:
    """Return the task for one part; which sources were not there comes last."""
    task = (
        f"Answer this from the repository; change nothing: {part}\n\n"
        f"It is a part of: {question}\n\n"
        "Give each source as a path relative to the repository's root with the line, and what it "
        "says. If you can read the web, pages may be sources too, by their URL. Say nothing "
        "that no source shows; if it cannot be settled, say that."
    )
    return (
        f"{task}\n\nThese sources of your last answer are not there:\n{bullets(wrong)}"
        if wrong
        else task
    )


def together_prompt(question: str, parts: list[Part]) -> str:
    """Return the task of putting the answers together."""
    known = "\n\n".join(
        f"{part.question}\n{part.answer}\n{bullets(map(source_told, part.sources))}"
        for part in parts
    )
    return (
        f"Answer in Markdown, from what follows and from nothing else: {question}\n\n"
        "The answer first, in a sentence or two; then what it rests on, with the sources as "
        f"path:line; then what stays open.\n\n{known}"
    )
