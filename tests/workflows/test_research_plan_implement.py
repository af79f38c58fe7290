"""The shipped workflow `research-plan-implement`."""

from collections.abc import Sequence

from holdfast.workflows.common import Review
from holdfast.workflows.implement import implement
from holdfast.workflows.plan import Plan, Questions, Step, plan
from holdfast.workflows.research_plan_implement import Notes, research_plan_implement
from tests.support.cast import Stage, writes
from tests.workflows.conftest import MakeStage

NOTES = [Notes(["state.txt:1 is read"], ["Who writes it?"])]
FIRST, SECOND = Plan("First.", [Step("One", "Be bad.")]), Plan("Second.", [Step("One", "Be good.")])


def staged(stage: MakeStage, questions: Sequence[Questions] = (Questions(),)) -> Stage:
    play = stage(
        {
            "Review this plan": [Review(True)],
            "Review this change": [Review(True)],
            "Which questions": questions,
            "Plan this": [FIRST, SECOND],
            "Find out, and change nothing": NOTES,
            "Follow this plan": [
                writes("tried", state_txt="bad\n"),
                writes("Made it good.", state_txt="good\n"),
            ],
        }
    )
    for each in (plan, implement):
        play.workflows[each.reference] = each
    return play


async def test_a_refused_plan_is_made_anew_and_the_accepted_one_is_followed_until_green(
    stage: MakeStage,
) -> None:
    play = staged(stage)
    given = {"goal": "be good", "aspects": ["where", "how"], "test": play.TEST, "approve": False}

    await play.play(research_plan_implement, **given)
    play.approve(approved=False, note="be better")
    again = await play.go_on()
    play.approve()
    outcome = await play.go_on()

    assert len(play.cast.prompts("Find out, and change nothing")) == 2
    first, second = play.cast.prompts("Plan this")
    assert "state.txt:1 is read" in first
    assert "be better" in second
    assert again.waiting == ("planning[2]/accept the plan",)
    assert "Second." in play.cast.prompts("Follow this plan")[0]
    assert play.files()["state.txt"] == "good\n"
    report = outcome.output["markdown"]
    assert outcome.output["rounds"] == 2
    assert "Made it good." in report
    assert "plan accepted by anna" in report
    assert "Cost: $0.11." in report  # two readers, and nine tasks in three children
    assert play.replays()


async def test_what_a_person_answered_is_known_to_the_next_planner_and_to_whoever_implements(
    stage: MakeStage,
) -> None:
    play = staged(stage, [Questions(["How good?"]), Questions()])
    given = {"goal": "be good", "aspects": ["where"], "test": play.TEST, "approve": False}

    await play.play(research_plan_implement, **given)
    (child,) = (child.run for child in play.state().children.values())
    play.answer("very", run=child)
    await play.go_on()
    play.approve(approved=False, note="be better")
    await play.go_on()
    play.approve()
    outcome = await play.go_on()

    told = "Asked:\n- How good?\nThe answer:\nvery"
    assert told not in play.cast.prompts("Which questions")[0]
    assert told in play.cast.prompts("Which questions")[1]
    assert all(told in prompt for prompt in play.cast.prompts("Plan this"))
    assert all(told in prompt for prompt in play.cast.prompts("Follow this plan"))
    assert outcome.status == "succeeded"
    assert play.replays()


async def test_after_so_many_refused_plans_it_ends(stage: MakeStage) -> None:
    play = staged(stage)
    given = {"goal": "be good", "aspects": ["where"], "test": play.TEST, "max_plans": 1}

    await play.play(research_plan_implement, **given)
    play.approve(approved=False, note="no")
    ended = await play.go_on()

    assert ended.error is not None
    assert "planning" in ended.error.message
    assert "state.txt" not in play.files()
    assert play.replays()
