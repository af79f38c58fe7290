"""The shipped workflow `mission`: milestones, each made good before the next begins."""

import re
from pathlib import Path
from typing import Any

import pytest

from holdfast import ApprovalDenied
from holdfast.workflows.milestones import Feature, Milestone, Plan
from holdfast.workflows.mission import mission
from tests.support.desk import Desk
from tests.support.hands import Hands, told
from tests.support.lab import Crash

GREEN = "test ! -e broken.txt || { cat broken.txt; exit 1; }"
GOOD = {"good": True}


def stone(name: str, *features: str) -> Milestone:
    pieces = [Feature(each, f"write {each}.txt") for each in features]
    return Milestone(name, f"the {name} stage", pieces, [f"{name} is there"])


PLAN = Plan([stone("base", "one", "two"), stone("top", "three")])


class Team:
    """Plans PLAN, writes the files that a task names, and is content with everything."""

    def __init__(self) -> None:
        self.plans: list[Any] = [PLAN]
        self.checks: list[Any] = [GOOD]
        self.reviews: list[Any] = [{"good": True, "handover": "mind the gap"}]

    def __call__(self, prompt: str, folder: Path) -> Any:
        return self.word(prompt) or self.work(prompt, folder)

    def word(self, prompt: str) -> Any:
        """Return what is said to a prompt that wants no work, or nothing."""
        for opening, answers in (
            ("Plan", self.plans),
            ("Check", self.checks),
            ("Say whether", self.reviews),
        ):
            if prompt.startswith(opening):
                return answers.pop(0) if len(answers) > 1 else answers[0]
        return None

    def work(self, prompt: str, folder: Path) -> Any:
        for name in re.findall(r"write (\w+\.txt)", prompt):
            (folder / name).write_text(f"{name}\n")
        return "done"


@pytest.fixture
def team(lab: Hands) -> Team:
    lab.act = made = Team()
    return made


ALL = {f"{name}.txt": f"{name}.txt\n" for name in ("one", "two", "three")} | {"a.txt": "one\n"}


async def test_milestones_are_planned_checked_approved_made_corrected_and_merged(
    lab: Hands, team: Team
) -> None:
    team.checks = [{"good": False, "missing": ["say who"]}, GOOD]
    team.plans = [PLAN, Plan([stone("base", "one", "broken"), stone("top", "three")])]
    team.reviews = [{"good": True, "handover": "mind the gap"}]
    write = team.work

    def work(prompt: str, folder: Path) -> Any:
        if "The tests fail:\nbroken.txt" in prompt:
            (folder / "broken.txt").rename(folder / "two.txt")
            return "mended"
        return write(prompt, folder)

    team.work = work  # type: ignore[method-assign]
    outcome = await lab.play(mission, goal="all", test=GREEN)
    assert outcome.waiting == ("milestones",)
    lab.approve("milestones")
    found = told(await lab.go_on(), mission)

    assert lab.files() == {**ALL, "two.txt": "broken.txt\n"}
    assert found.markdown.startswith("# 2 of 2 milestones in main: all\n")
    assert [each.rounds for each in found.milestones] == [2, 1]
    second_plan = [prompt for prompt in lab.prompts if prompt.startswith("Plan")][1]
    assert second_plan.endswith("An earlier plan had these faults:\n- say who")
    (handed,) = (prompt for prompt in lab.prompts if prompt.startswith("write three"))
    assert "What was done before:\n- base: mind the gap" in handed
    assert lab.branches() == ["main"]
    assert lab.replays()


@pytest.fixture
def staff() -> Team:
    return Team()


def at_desk(staff: Team, **more: Any) -> Desk:
    """Play a mission whose work is done by nobody."""
    more.setdefault("approve", False)
    return Desk(mission, lambda prompt: staff.word(prompt) or "done", goal="all", **more)


def test_the_person_may_edit_the_milestones(staff: Team) -> None:
    desk = at_desk(staff, approve=True).says(Plan([stone("only", "two")]))

    assert [each.name for each in desk.output.milestones] == ["only"]
    assert [prompt[:9] for prompt in desk.prompts[2:]] == ["write two", "Say wheth"]


def test_a_denied_plan_ends_it_before_anything_is_made(staff: Team) -> None:
    desk = at_desk(staff, approve=True).says(False)

    with pytest.raises(ApprovalDenied):
        print(desk.output)
    assert len(desk.prompts) == 2


def test_planning_has_a_ceiling_and_what_is_in_doubt_goes_to_a_person(staff: Team) -> None:
    staff.checks = [{"good": False, "missing": ["say who"]}]

    desk = at_desk(staff, max_plans=2)

    assert len(desk.prompts) == 4
    assert desk.request("milestones").subject["not settled"] == ["say who"]


def test_a_person_decides_about_a_milestone_that_cannot_be_made_good(staff: Team) -> None:
    staff.reviews = [{"good": False, "missing": ["it is not there"]}]

    desk = at_desk(staff, max_rounds=2)
    assert desk.open == ["base/how to go on"]
    assert desk.request("base/how to go on").question["why"] == "- it is not there"
    desk.says({"then": "rephrase", "goal": "something easier"})
    assert "something easier" in desk.prompts[-1]
    desk.says({"then": "stop"})

    found = desk.output
    assert found.title.startswith("0 of 2 milestones in ")
    assert found.milestones[0].rounds == 4
    assert "- it is not there" in found.left[0]
    assert found.left[1] == "top: not begun"
    assert "base/merge" not in desk.keys
    desk.redriven()


def test_a_person_may_have_it_go_on(staff: Team) -> None:
    staff.reviews = [{"good": False, "missing": ["it is not there"]}, GOOD]

    desk = at_desk(staff, max_rounds=1).says({"then": "continue"})

    assert desk.output.left == []
    assert "- it is not there" in desk.prompts[5]


def test_a_feature_that_fails_is_made_up_for_by_a_correction(staff: Team) -> None:
    def act(prompt: str) -> Any:
        if prompt.startswith("write two"):
            raise ValueError("I am ill")
        return staff.word(prompt) or "done"

    desk = Desk(mission, act, goal="all", approve=False)

    (corrected,) = (prompt for prompt in desk.prompts if "not good yet" in prompt)
    assert "two: write two.txt\nIts worker failed: " in corrected
    assert "I am ill" in corrected
    assert desk.output.left == []


async def test_crashes_in_the_middle_do_nothing_again_that_was_done(lab: Hands, team: Team) -> None:
    team.plans = [Plan([stone("base", "one", "two")])]
    deadly, crashed = ["write two", "Say whether"], list[str]()

    def act(prompt: str, folder: Path) -> Any:
        if deadly and prompt.startswith(deadly[0]):
            deadly.pop(0)
            crashed.append(prompt)
            raise Crash
        return team(prompt, folder)

    lab.act = act
    assert await lab.dies(lab.play(mission, goal="all", test=GREEN, approve=False, limit=1))
    assert await lab.dies(lab.go_on())
    found = told(await lab.go_on(), mission)

    assert found.left == []
    assert lab.files() == {"a.txt": "one\n", "one.txt": "one.txt\n", "two.txt": "two.txt\n"}
    assert lab.done_again() == []
    assert lab.branches() == ["main"]
    assert [prompt for prompt in crashed if lab.prompts.count(prompt) != 2] == []
    assert len(lab.prompts) == len(set(lab.prompts)) + len(crashed)
    assert lab.replays()
