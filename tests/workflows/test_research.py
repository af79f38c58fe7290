"""The shipped workflow `research`."""

from holdfast.workflows.research import Answer, Source, research
from tests.workflows.conftest import MakeStage

SPLIT, ANSWER, TOGETHER = "Into which questions", "Answer this from", "Answer in Markdown"
GOOD = Source("a.txt", "one", 1)
BAD = [Source("a.txt", "two", 99), Source("../outside", "no"), Source("none.txt", "no", 1)]
PAGE = Source("https://example.org/x", "a page")


async def test_a_source_that_is_not_there_sends_a_part_back(stage: MakeStage) -> None:
    play = stage(
        {
            SPLIT: [["What is it?", "Why?"]],
            ANSWER: [Answer("It is one.", [GOOD, *BAD]), Answer("It is one.", [GOOD, PAGE])],
            TOGETHER: ["One, see a.txt:1."],
        }
    )

    outcome = await play.play(research, question="What and why?", path="answer.md", limit=1)

    again = play.cast.prompts(ANSWER)[1]
    assert "- a.txt:99\n- ../outside\n- none.txt:1" in again
    assert len(play.cast.prompts(ANSWER)) == 3
    report = outcome.output["markdown"]
    assert "`a.txt:1` one" in report
    assert "`https://example.org/x` a page (a page of the web, not checked)" in report
    assert "## Left\n\nNothing." in report
    assert (play.root / "answer.md").read_text() == "# What and why?\n\nOne, see a.txt:1.\n"
    assert play.replays()


async def test_sources_that_never_are_there_and_what_stays_open_are_left(stage: MakeStage) -> None:
    play = stage(
        {
            SPLIT: [["What?", "too many"]],
            ANSWER: [Answer("Perhaps.", [GOOD, BAD[2]], settled=False)],
            TOGETHER: ["Nobody knows."],
        }
    )

    outcome = await play.play(research, question="What?", max_parts=1)

    assert outcome.output["left"] == [
        "What?: no such source: none.txt:1",
        "not settled: What?",
        "not asked, for there were too many parts: too many",
    ]
    assert "none.txt" not in play.cast.prompts(TOGETHER)[0]
    assert play.replays()
