"""The shipped workflow `review`."""

from typing import Any

import pytest

from holdfast.plugins import AgentTask
from holdfast.workflows.review import Finding, Findings, SecondLook, review
from tests.workflows.conftest import MakeStage

LOOK, AGAIN = "Review this change with one question", "Try to refute it"
BUG = Finding("a.txt", 1, "minor", "Wrong word", "It says two.", "Say one.")
TWIN = Finding("a.txt", 1, "major", "Two is wrong", "It says two.")
FALSE = Finding("a.txt", 9, "critical", "No such line", "It is not there.")


def look(task: AgentTask) -> Findings:
    """Correctness and simplicity see the same; security sees what is not there."""
    if "who means harm" in task.prompt:
        return Findings([FALSE])
    if "races" in task.prompt:
        return Findings([BUG])
    return Findings([TWIN] if "more plainly" in task.prompt else [])


def look_again(task: AgentTask) -> SecondLook:
    return SecondLook("No such line" not in task.prompt, "major", "I looked.")


PARTS: dict[str, Any] = {LOOK: look, AGAIN: look_again}


async def test_what_stands_a_second_look_is_told_once_with_all_who_saw_it(stage: MakeStage) -> None:
    play = stage(PARTS)
    play.repo.write({"a.txt": "two\n", "new.txt": "new\n"})

    outcome = await play.play(review)

    (finding,) = outcome.output["findings"]
    assert (finding["title"], finding["severity"]) == ("Two is wrong", "major")
    assert finding["lens"] == "simplicity, correctness"
    assert [one["title"] for one in outcome.output["dropped"]] == ["No such line"]
    assert "# 1 finding in what is not committed" in outcome.output["markdown"]
    assert "2 found, 2 looked at again, 1 dropped" in outcome.output["markdown"]
    assert all("+two" in p and "+new" in p for p in play.cast.prompts(LOOK))
    assert all(task.permissions == "read" for task in play.cast.tasks)
    assert play.replays()


CHANGES = {
    "main..side": ["first", "second"],
    "side": ["first", "second"],
    "origin/side": ["first", "second"],
    "v1": ["first", "second"],
    "twin": ["first", "second"],  # a branch and a tag at once
    "side~0": ["second"],
    "HEAD": ["one"],
}


async def test_a_range_a_name_or_a_commit_is_reviewed_as_it_is(stage: MakeStage) -> None:
    play = stage({LOOK: [Findings()]})
    play.repo.git("switch", "-qc", "side")
    for word in ("first", "second"):
        play.repo.write({f"{word}.txt": f"{word}\n"})
        play.repo.commit()
    play.repo.git("update-ref", "refs/remotes/origin/side", "side")
    play.repo.git("tag", "-am", "one", "v1")
    play.repo.git("branch", "twin")
    play.repo.git("tag", "twin")
    play.repo.git("switch", "-q", "main")

    for number, change in enumerate(CHANGES):
        given = {"agent": "cast", "change": change, "lenses": ["tests"]}
        outcome = await play.go(review, given, run=f"r{number}")
        assert "Nothing was found" in outcome.output["markdown"]

    def seen(prompt: str) -> list[str]:
        return [word for word in ("one", "first", "second") if f"+{word}" in prompt]

    assert dict(zip(CHANGES, map(seen, play.cast.prompts(LOOK)), strict=True)) == CHANGES


async def test_a_severe_finding_fails_the_run_with_the_report(stage: MakeStage) -> None:
    play = stage(PARTS)
    play.repo.write({"a.txt": "two\n"})

    outcome = await play.play(review, fail_on="major", max_findings=1, lenses=["correctness"])

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error.code == "findings_remain"
    assert "# 1 finding in" in outcome.error.message
    assert play.replays()


@pytest.mark.parametrize(("fail_on", "status"), [("critical", "succeeded"), ("major", "failed")])
async def test_what_is_beyond_the_ceiling_is_left_and_said_and_may_fail_the_run(
    stage: MakeStage, fail_on: str, status: str
) -> None:
    play = stage(PARTS)
    play.repo.write({"a.txt": "two\n"})

    outcome = await play.play(review, max_findings=1, fail_on=fail_on)

    told = outcome.error.message if outcome.error else outcome.output["markdown"]
    assert outcome.status == status
    assert "- not looked at again: major: a.txt:1 Two is wrong" in told
    assert "# 0 findings" in told  # the one that was looked at again is none


async def test_without_a_change_nobody_is_asked(stage: MakeStage) -> None:
    play = stage(PARTS)

    outcome = await play.play(review)

    assert outcome.output["title"].startswith("Nothing to review")
    assert play.cast.tasks == []


async def test_what_cannot_be_compared_fails_and_is_not_taken_for_nothing(stage: MakeStage) -> None:
    play = stage(PARTS)

    unknown = await play.play(review, change="no-such-branch")
    play.repo.git("update-ref", "-d", "HEAD")
    empty = await play.go(review, {"agent": "cast"}, run="empty")

    assert unknown.error is not None
    assert "no-such-branch" in unknown.error.message
    assert empty.error is not None
    assert "there is no commit to compare with" in empty.error.message
