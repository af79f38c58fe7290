"""The shipped workflow `plan`."""

from holdfast.workflows.common import Review
from holdfast.workflows.plan import Plan, Questions, Step, plan
from tests.workflows.conftest import MakeStage

ASK, PLAN, REVIEW = "Which questions", "Plan this", "Review this plan"
ONE = Plan("Split it.", [Step("Cut", "Cut it in two.", ["a.txt"], "the tests")], ["a race"])
TWO = Plan("Split it well.", [Step("Cut", "Cut it in three.")])


async def test_a_plan_is_made_again_until_the_reviewer_approves_then_a_person_accepts(
    stage: MakeStage,
) -> None:
    play = stage(
        {
            REVIEW: [Review(False, ["three parts"]), Review(True)],
            ASK: [Questions()],
            PLAN: [ONE, TWO],
        }
    )

    waiting = await play.play(plan, goal="split it", path="docs/plan.md")
    play.approve()
    outcome = await play.go_on()

    assert waiting.waiting == ("accept the plan",)
    assert "three parts" in play.cast.prompts(PLAN)[1]
    assert "Cut it in two" in play.cast.prompts(PLAN)[1]
    assert all(task.permissions == "read" for task in play.cast.tasks)
    assert outcome.output["plan"]["summary"] == "Split it well."
    assert outcome.output["left"] == []
    assert "accepted by anna" in outcome.output["markdown"]
    assert "Cut it in three" in (play.root / "docs/plan.md").read_text()
    assert play.replays()


async def test_a_question_goes_to_the_person_and_its_answer_into_the_plan(stage: MakeStage) -> None:
    questions = Questions(["Which half?", "Why?", "too many"])
    play = stage({ASK: [questions], REVIEW: [Review(True)], PLAN: [ONE]})

    waiting = await play.play(plan, goal="split it", approve=False, max_questions=2)
    play.answer("the left one")
    outcome = await play.go_on()

    assert waiting.waiting == ("clarify",)
    (prompt,) = play.cast.prompts(PLAN)
    assert "Which half?" in prompt
    assert "the left one" in prompt
    assert "too many" not in prompt
    assert outcome.output["approved"]
    assert play.replays()


async def test_at_the_ceiling_the_person_sees_what_the_reviewer_still_wants(
    stage: MakeStage,
) -> None:
    play = stage({ASK: [Questions()], REVIEW: [Review(False, ["more"])], PLAN: [ONE]})

    waiting = await play.play(plan, goal="split it", max_rounds=2)
    play.approve(approved=False, note="not this way")
    denied = await play.go_on()

    assert waiting.status == "waiting"
    assert len(play.cast.prompts(PLAN)) == 2
    assert denied.status == "failed"
    assert denied.error is not None
    assert "not this way" in denied.error.message
    assert play.replays()


async def test_without_a_person_what_the_reviewer_wants_is_left(stage: MakeStage) -> None:
    play = stage({REVIEW: [Review(False, ["more"])], PLAN: [ONE]})

    outcome = await play.play(plan, goal="split it", approve=False, max_rounds=1, max_questions=0)

    assert outcome.output["left"] == ["The reviewer still wants: more"]
    assert "Risks" in outcome.output["markdown"]


async def test_what_is_there_is_not_overwritten_and_nothing_is_begun(stage: MakeStage) -> None:
    play = stage({})

    refused = await play.play(plan, goal="split it", path="a.txt")

    assert refused.error is not None
    assert "'a.txt' is there already" in refused.error.message
    assert play.cast.tasks == []


async def test_a_file_may_say_what_is_wanted(stage: MakeStage) -> None:
    play = stage({PLAN: [ONE], REVIEW: [Review(True)]})
    (play.root / "wanted.md").write_text("make it so\nquickly")

    await play.play(plan, goal="wanted.md", approve=False, max_questions=0)

    assert "make it so\nquickly" in play.cast.prompts(PLAN)[0]
