"""The shipped workflow `implement`: what reviewers and people are shown, and what it says of it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.eventlog import ApprovalRequested
from holdfast.workflows.common import Review
from holdfast.workflows.implement import implement
from tests.support.cast import Stage, writes
from tests.workflows.conftest import MakeStage

CODE, REVIEW = "be good", "Review this change"


def staged(stage: MakeStage, act: Any) -> Stage:
    return stage({REVIEW: [Review(True)], CODE: act})


@pytest.mark.parametrize("rest", [False, True])
async def test_what_an_agent_commits_is_reviewed_shown_and_told(
    stage: MakeStage, rest: bool
) -> None:
    def act(task: Any) -> str:
        Path(task.folder, "state.txt").write_text("good\n")
        play.repo.commit("mine")
        if rest:
            Path(task.folder, "rest.txt").write_text("rest\n")
        return "Made it good."

    play = staged(stage, act)

    await play.play(implement, goal="be good", test=play.TEST)
    (asked,) = play.events(kind=ApprovalRequested)
    shown = msgspec.msgpack.decode(asked.subject)
    play.approve()
    outcome = await play.go_on()

    (prompt,) = play.cast.prompts(REVIEW)
    assert "+good" in prompt
    assert "state.txt | 1 +" in shown["changes"]
    committed, *more = outcome.output["left"]
    span = committed.removeprefix("Look at what was committed: git log -p ")
    assert play.repo.git("log", "--format=%s", span) == "mine"
    assert more == ["The rest of the change is in the working tree and not committed."] * rest
    assert play.replays()


async def test_a_change_that_is_not_committed_is_said_to_be_so_and_none_to_be_none(
    stage: MakeStage,
) -> None:
    play = staged(stage, [writes("Made it good.", state_txt="good\n")])
    given = {"agent": "cast", "goal": "be good", "test": play.TEST, "approve": False}

    changed = await play.go(implement, given)
    play.repo.commit()
    same = await play.go(implement, given, run="again")

    assert changed.output["left"] == ["The change is in the working tree and not committed."]
    assert same.output["left"] == ["Nothing has changed that git can see."]
    assert play.cast.prompts(REVIEW)[1].endswith("The change:\nnothing differs")


async def test_without_a_commit_it_is_refused_before_anybody_works(stage: MakeStage) -> None:
    play = staged(stage, ["nothing"])
    play.repo.git("update-ref", "-d", "HEAD")

    refused = await play.play(implement, goal="be good", test="true")

    assert refused.error is not None
    assert "there is no commit to compare with: make a git repository" in refused.error.message
    assert play.cast.tasks == []
