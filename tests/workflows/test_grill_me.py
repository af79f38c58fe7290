"""The shipped workflow `grill-me`."""

from holdfast.workflows.grill_me import Next, Spec, grill_me
from tests.workflows.conftest import MakeStage

ASK, WRITE = "You interview somebody", "Write a specification"
SPEC = Spec("## Purpose\n\nTo be good.", ["When?"])


async def test_each_question_waits_without_a_process_and_all_answers_are_written_down(
    stage: MakeStage,
) -> None:
    play = stage({ASK: [Next("Who?", "It matters.", "All"), Next("How?"), Next()], WRITE: [SPEC]})

    first = await play.play(grill_me, goal="be good", path="spec.md")
    play.answer("everybody")
    second = await play.go_on()
    play.answer("quickly")
    outcome = await play.go_on()

    assert first.waiting == ("question[1]/answer",)
    assert second.waiting == ("question[2]/answer",)
    assert len(play.cast.prompts(ASK)) == 3  # nobody was asked twice
    assert "Q: Who?\nA: everybody\n\nQ: How?\nA: quickly" in play.cast.prompts(WRITE)[0]
    assert outcome.output["left"] == ["open: When?"]
    assert "the agent had nothing more to ask" in outcome.output["markdown"]
    assert (play.root / "spec.md").read_text() == "## Purpose\n\nTo be good.\n"
    assert play.replays()


async def test_the_person_may_have_enough(stage: MakeStage) -> None:
    play = stage({ASK: [Next("Who?")], WRITE: [SPEC]})

    await play.play(grill_me, goal="be good")
    play.answer("Enough ")
    outcome = await play.go_on()

    assert "the person had enough" in outcome.output["markdown"]
    assert outcome.output["interview"] == []
    assert play.replays()


async def test_it_ends_at_the_ceiling_with_what_there_is(stage: MakeStage) -> None:
    play = stage({ASK: [Next("Who?")], WRITE: [SPEC]})

    await play.play(grill_me, goal="be good", max_questions=1)
    play.answer("me")
    outcome = await play.go_on()

    assert "ended at the ceiling of 1 questions" in outcome.output["markdown"]
    assert play.replays()
