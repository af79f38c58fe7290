"""What the workflows of the pack share: reports, the run's usage in them, and budgets that they come with."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from holdfast import Budget, Run, workflow
from holdfast.cli.view import report_of
from holdfast.config import Config, LimitsConfig, RoleConfig
from holdfast.eventlog import RunStarted, StepStarted, Usage
from holdfast.reducer import NotAWorkflow
from holdfast.workflows.common import (
    CHANGES,
    GoalMissing,
    Report,
    Review,
    bullets,
    counted,
    line,
    spent,
    text_or_file,
    verdict,
)
from holdfast.workflows.implement import implement
from tests.support.crew import Answer, Crew
from tests.support.lab import Lab
from tests.support.repos import Repo
from tests.workflows.conftest import MakeStage


def test_another_change_with_as_many_lines_is_another_subject(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path)
    repo.write({"a.txt": "one\n"})
    repo.commit()

    def seen(tracked: str, new: str) -> str:
        repo.write({"a.txt": tracked, "new.txt": new})
        env = {**os.environ, "BASE": "HEAD"}
        command = ["sh", "-c", CHANGES]
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        ).stdout

    found = [seen("two\n", "new\n"), seen("ten\n", "new\n"), seen("two\n", "old\n")]

    assert len({text.partition("change ")[0] for text in found}) == 1
    assert len(set(found)) == 3
    assert found[0] == seen("two\n", "new\n")


@workflow
async def small(run: Run) -> Report:
    await run.agent("work", "Do it", agent="a")
    return Report(title="A part", usage=run.usage)


@workflow(budget=Budget(usd=2, each_usd=0.25))
async def parent(run: Run) -> Report:
    await run.agent("work", "Do it", agent="a")
    below = await run.child(small)
    return Report(title="All of it", evidence=["seen"], left=["one\ntwo"], usage=spent(run, below))


async def test_a_report_tells_what_the_run_and_its_children_have_used(
    tmp_path: Path, autojump_clock: object
) -> None:
    lab = Lab(tmp_path, Crew(a=[Answer(usd=0.5, tokens=1000)]))
    lab.workflows[small.reference] = small

    outcome = await lab.run(parent)

    assert report_of(outcome.output) == (
        "# All of it\n\n## Evidence\n\n- seen\n\n## Left\n\n- one\n  two\n\nCost: $1.00, 2,000 tokens."
    )
    assert lab.replays()
    lab.log.close()


async def test_a_workflow_s_budget_holds_where_neither_run_nor_project_says_another(
    tmp_path: Path, autojump_clock: object
) -> None:
    lab = Lab(tmp_path, Crew(a=[Answer()]))
    lab.workflows |= {small.reference: small, parent.reference: parent}
    config = Config(limits=LimitsConfig(budget_usd=7))

    await lab.run(parent, run="own")
    await lab.run(parent, run="project", config=config)
    async with lab.engine(config=config) as engine:
        engine.create(parent, {}, run="asked", folder=str(tmp_path), budget=Budget(3))

    def budget(run: str) -> Budget | None:
        return lab.events(run, kind=RunStarted)[0].budget

    assert budget("own") == Budget(usd=2, each_usd=0.25)
    assert budget("project") == Budget(7)
    assert budget("asked") == Budget(3)
    lab.log.close()


def test_a_workflow_s_budget_is_dollars_or_a_budget_and_allows_something() -> None:
    assert workflow(budget=2)(small.function).budget == Budget(usd=2)

    for nothing in (0, -1.0, Budget()):
        with pytest.raises(NotAWorkflow, match=r"'small' has budget=.* allows nothing"):
            workflow(budget=nothing)(small.function)


CODER, CRITIC = RoleConfig("cast", model="coder"), RoleConfig("cast", model="critic")
ROLES = {"default": RoleConfig("cast"), "implementer": CODER, "reviewer": CRITIC}


@pytest.mark.parametrize(
    ("missing", "given", "did"),
    [
        (set[str](), {}, ["cast:coder", "cast:critic"]),
        ({"reviewer"}, {}, ["cast:coder", "cast"]),
        ({"implementer", "reviewer"}, {}, ["cast", "cast"]),
        (set[str](), {"agent": "cast"}, ["cast", "cast"]),
        (set[str](), {"model": "mine"}, ["cast:mine", "cast:critic"]),
    ],
)
async def test_who_is_not_named_is_whoever_has_the_role_in_the_project(
    stage: MakeStage, missing: set[str], given: dict[str, str], did: list[str]
) -> None:
    play = stage({"Review this change": [Review(True)], "be good": ["done"]})
    config = Config(roles={name: role for name, role in ROLES.items() if name not in missing})
    play.workflows[implement.reference] = implement
    inputs = {"goal": "be good", "test": "true", "approve": False, **given}

    async with play.engine(config=config) as engine:
        engine.create(implement, inputs, run="r", folder=str(play.root))
        await engine.execute("r")

    assert [step.by for step in play.events(kind=StepStarted) if step.by] == did
    assert play.replays()


def test_a_report_says_that_nothing_is_left_and_that_no_cost_was_told() -> None:
    assert Report(title="Two\nlines").markdown == (
        "# Two lines\n\n## Left\n\nNothing.\n\nCost: not told."
    )
    assert Report(title="T", usage=Usage(cost_usd=0.5)).markdown.endswith("Cost: $0.50.")


def test_what_is_no_report_is_shown_as_it_is() -> None:
    assert report_of({"markdown": "", "a": 1}) == "markdown: \na: 1"
    assert report_of("plain") == "plain"


def test_lines_of_a_report_stay_in_their_item() -> None:
    assert bullets(["a\n\nb", "c"]) == "- a\n\n  b\n- c"
    assert (counted(1, "part"), counted(2, "part")) == ("1 part", "2 parts")
    assert line("a  b\n" + "c" * 200, 6) == "a b c…"
    assert verdict(Review(False, ["x"]), "review") == (
        "not approved by the reviewer (step `review`):\n- x"
    )


def test_words_that_could_name_no_file_are_words(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "goal.md").write_text("be good")

    assert text_or_file("goal.md") == "be good"
    with pytest.raises(GoalMissing, match=r"no file 'goals\.md' here\. Name one"):
        text_or_file("goals.md")
    for words in ("字" * 200, "", ".", "be\ngood", "a/b.c"):
        assert text_or_file(words) == words
