"""A failure's traceback begins in the code that the author wrote."""

from holdfast import Run, workflow
from holdfast.eventlog import StepFailed
from tests.support.lab import Lab


def breaks() -> None:
    raise ValueError("no")


@workflow
async def failing(run: Run) -> None:
    await run.step("it", breaks)


@workflow
async def wrong(run: Run) -> int:
    await run.step("it", len, "abc")
    return 1 // 0


async def test_a_steps_traceback_begins_in_its_function(lab: Lab) -> None:
    await lab.run(failing)

    (failed,) = lab.events(kind=StepFailed)
    first = failed.error.detail.splitlines()[1]
    assert "test_traces.py" in first
    assert "in breaks" in first


async def test_a_workflows_traceback_begins_in_the_workflow(
    lab: Lab, autojump_clock: object
) -> None:
    outcome = await lab.run(wrong)

    assert outcome.error is not None
    first, second = outcome.error.detail.splitlines()[:2]
    assert first.startswith("Traceback")
    assert "in wrong" in second
    assert "ZeroDivisionError" in outcome.error.detail
