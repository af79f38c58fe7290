"""Driving anew through a history: accepted where the code asks the same, refused where it does not."""

from collections.abc import Callable
from typing import Any

import pytest

from holdfast import Run, Workflow, workflow
from holdfast.reducer import WorkflowDiverged
from tests.support.player import Player, work


def original() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        """Ask twice."""
        plan = await run.agent("plan", "Plan it.\nBe brief.", agent="codex")
        await run.approve("go", subject=plan)
        await run.wait("ready")
        await run.child("other.py:go", {"n": 1}, name="kid")
        return await run.shell("test", "pytest -q")

    return flow


def commented() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        """Ask two times, as the specification wants it."""
        # the plan comes first
        plan = await run.agent("plan", "Plan it.\nBe brief.", agent="codex")
        await run.approve("go", subject=plan)
        await run.wait("ready")
        await run.child("other.py:go", {"n": 1}, name="kid")

        return await run.shell("test", "pytest -q")

    return flow


def other_prompt() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        return await run.agent("plan", "Plan it.\nBe thorough.", agent="codex")

    return flow


def other_agent() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        return await run.agent("plan", "Plan it.\nBe brief.", agent="pi")

    return flow


def other_kind() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        return await run.shell("plan", "make plan")

    return flow


def other_output() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        return await run.agent("plan", "Plan it.\nBe brief.", agent="codex", output=list[str])

    return flow


def other_order() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        await run.approve("go")
        return await run.agent("plan", "Plan it.\nBe brief.", agent="codex")

    return flow


def without_gate() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        await run.agent("plan", "Plan it.\nBe brief.", agent="codex")
        return await run.wait("ready")

    return flow


def other_subject() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        plan = await run.agent("plan", "Plan it.\nBe brief.", agent="codex")
        return await run.approve("go", subject=[plan])

    return flow


def other_child() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        plan = await run.agent("plan", "Plan it.\nBe brief.", agent="codex")
        await run.approve("go", subject=plan)
        await run.wait("ready")
        return await run.child("other.py:go", {"n": 2}, name="kid")

    return flow


def step_as_gate() -> Workflow:
    @workflow
    async def flow(run: Run) -> Any:
        return await run.approve("plan")

    return flow


@pytest.fixture
def player() -> Player:
    return Player(original()).answer("plan", "a plan").answer("go").answer("ready").answer("kid")


def test_every_beginning_of_a_history_leads_to_where_the_run_was(player: Player) -> None:
    player.answer("test", {"code": 0, "stdout": "", "stderr": "", "seconds": 1.0})

    for length in range(1, len(player.records) + 1):
        driver, state = player.redriven(records=player.records[:length])
        assert list(driver.pending) == player.pending[length - 1]
        assert state.offset == length
        driver.close()


def test_comments_docstrings_and_layout_are_no_change(player: Player) -> None:
    driver, state = player.redriven(commented())

    assert list(driver.pending) == ["test"]
    assert state == player.state


@pytest.mark.parametrize(
    ("changed", "key", "difference"),
    [
        (other_prompt, "plan", "prompt changed:\n.*    -Be brief.\n    \\+Be thorough."),
        (other_agent, "plan", "agent changed:\n    @@ -1 \\+1 @@\n    -codex\n    \\+pi"),
        (other_kind, "plan", "its kind was 'agent' and is 'shell' now"),
        (other_output, "plan", "the type of its output changed"),
        (other_order, "plan", "the log has StepStarted, the workflow asks for nothing there"),
        (without_gate, "go", "the log has ApprovalRequested, the workflow asks for nothing there"),
        (other_subject, "go", "the log has ApprovalRequested.*now asks for ApprovalRequest"),
        (other_child, "kid", "the log has ChildStarted.*now asks for ChildRequest"),
        (step_as_gate, "plan", "the log has StepStarted.*asks for ApprovalRequest there"),
    ],
)
def test_a_changed_workflow_is_refused_with_the_difference(
    player: Player, changed: Callable[[], Workflow], key: str, difference: str
) -> None:
    with pytest.raises(WorkflowDiverged, match=f"(?s)at step {key!r}: .*{difference}") as caught:
        player.redriven(changed())

    assert (caught.value.run, caught.value.key) == ("r", key)
    assert caught.value.edited
    assert "The workflow's code was changed since" in str(caught.value)


def test_an_impure_workflow_is_told_that_its_code_is_unchanged() -> None:
    days = iter(["monday", "tuesday"])

    @workflow
    async def moody(run: Run) -> None:
        await run.step("work", work, next(days))

    player = Player(moody)

    with pytest.raises(WorkflowDiverged, match=r"(?s)-\(?.*monday.*\+.*tuesday") as caught:
        player.redriven()

    assert not caught.value.edited
    assert "The code is unchanged, so it reads something that is not recorded" in str(caught.value)


def test_a_cancel_that_nobody_acted_on_yet_is_acted_on_when_driven_anew() -> None:
    player = Player(original()).cancel("enough")
    only_asked = [r for r in player.records if type(r.event).__name__ != "StepCancelled"]

    driver, state = player.redriven(records=only_asked)

    assert state.cancelling == "enough"
    assert dict(driver.abandoned) == {"plan": "enough"}
    assert dict(player.redriven()[0].abandoned) == {}
