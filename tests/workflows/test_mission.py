"""The shipped workflow `mission`: milestones, each made good before the next begins."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from holdfast.plugins import BadOptions
from holdfast.workflows.milestones import Feature, Milestone, Plan
from holdfast.workflows.mission import mission
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
        for opening, answers in (
            ("Plan", self.plans),
            ("Check", self.checks),
            ("Say whether", self.reviews),
        ):
            if prompt.startswith(opening):
                return answers.pop(0) if len(answers) > 1 else answers[0]
        return self.work(prompt, folder)

    def work(self, prompt: str, folder: Path) -> Any:
        for name in re.findall(r"write (\w+\.txt)", prompt):
            (folder / name).write_text(f"{name}\n")
        return "done"


@pytest.fixture
def team(lab: Hands) -> Team:
    lab.act = made = Team()
    return made


ALL = {f"{name}.txt": f"{name}.txt\n" for name in ("one", "two", "three")} | {"a.txt": "one\n"}


async def test_milestones_are_planned_checked_approved_made_and_merged(
    lab: Hands, team: Team
) -> None:
    team.checks = [{"good": False, "missing": ["say who"]}, GOOD]

    outcome = await lab.play(mission, goal="all", test=GREEN)
    assert outcome.waiting == ("milestones",)
    lab.approve("milestones")
    found = told(await lab.go_on(), mission)

    assert lab.files() == ALL
    assert found.markdown.startswith("# 2 of 2 milestones are in main: all\n")
    assert [each.rounds for each in found.milestones] == [1, 1]
    second_plan = [prompt for prompt in lab.prompts if prompt.startswith("Plan")][1]
    assert second_plan.endswith("An earlier plan had these faults:\n- say who")
    (handed,) = (prompt for prompt in lab.prompts if prompt.startswith("write three"))
    assert "What was done before:\n- base: mind the gap" in handed
    assert lab.branches() == ["main"]
    assert lab.replays()


async def test_the_person_may_edit_the_milestones(lab: Hands, team: Team) -> None:
    await lab.play(mission, goal="all", test=GREEN)
    shorter = Plan([stone("only", "two")])
    lab.approve("milestones", edits=Raw(msgspec.msgpack.encode(shorter)))
    found = told(await lab.go_on(), mission)

    assert [each.name for each in found.milestones] == ["only"]
    assert lab.files() == {"a.txt": "one\n", "two.txt": "two.txt\n"}


async def test_a_denied_plan_ends_it_before_anything_is_made(lab: Hands, team: Team) -> None:
    await lab.play(mission, goal="all", test=GREEN)
    lab.approve("milestones", approved=False, note="too much")
    outcome = await lab.go_on()

    assert outcome.error is not None
    assert "too much" in outcome.error.message
    assert lab.files() == {"a.txt": "one\n"}


async def test_a_milestone_is_corrected_until_tests_and_reviewer_agree(
    lab: Hands, team: Team
) -> None:
    team.plans = [Plan([stone("base", "broken")])]
    team.reviews = [{"good": False, "missing": ["write more.txt"]}, GOOD]
    write = team.work

    def work(prompt: str, folder: Path) -> Any:
        if "The tests fail:\nbroken.txt" in prompt:
            (folder / "broken.txt").unlink()
            return "mended"
        return write(prompt, folder)

    team.work = work  # type: ignore[method-assign]
    found = await lab.report(mission, goal="all", test=GREEN, approve=False)

    assert found.milestones[0].rounds == 3
    assert found.milestones[0].why == ""
    assert "more.txt" in lab.files()
    assert "broken.txt" not in lab.files()


async def test_a_person_decides_about_a_milestone_that_cannot_be_made_good(
    lab: Hands, team: Team
) -> None:
    team.reviews = [{"good": False, "missing": ["it is not there"]}]

    outcome = await lab.play(mission, goal="all", test=GREEN, max_rounds=2, approve=False)
    assert outcome.waiting == ("base/how to go on",)
    lab.answer({"then": "rephrase", "goal": "something easier"})
    outcome = await lab.go_on()
    assert "something easier" in lab.prompts[-1]
    lab.answer({"then": "stop"})
    found = told(await lab.go_on(), mission)

    assert found.title == "0 of 2 milestones are in main: all"
    assert lab.files() == {"a.txt": "one\n"}
    assert found.milestones[0].rounds == 4
    assert "- it is not there" in found.left[0]
    assert found.left[1] == "top: not begun"
    branch = found.milestones[0].branch
    assert lab.repo.git("show", f"{branch}:one.txt") == "one.txt"


async def test_a_feature_that_fails_is_made_up_for_by_a_correction(lab: Hands, team: Team) -> None:
    team.plans = [Plan([stone("base", "one", "two")])]
    write = team.work

    def work(prompt: str, folder: Path) -> Any:
        if prompt.startswith("write two"):
            raise BadOptions("I am ill")
        return write(prompt, folder)

    team.work = work  # type: ignore[method-assign]
    found = await lab.report(mission, goal="all", test=GREEN, approve=False)

    assert found.left == []
    assert "Its worker failed" in lab.prompts[-2]
    assert "two.txt" in lab.files()


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
