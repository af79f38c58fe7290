"""Deciding from a second process: heard within the same second by a run at work, kept for one at rest."""

from statistics import median

import pytest

from holdfast.eventlog import ApprovalDecided, ApprovalRequested, RunReleased, StepStarted
from tests.support.site import Site, until

GATES = 5
BUSY = """
    from holdfast import Run, workflow


    @workflow
    async def busy(run: Run) -> int:
        async def gates() -> int:
            for number in range(5):
                await run.approve(f"gate-{number}")
                await run.step(f"after-{number}", int)
            return number

        async def other() -> None:
            await run.shell("work", "while [ ! -e go ]; do sleep 0.02; done")

        return (await run.parallel(gates(), other()))[0]


    @workflow
    async def resting(run: Run) -> str:
        decision = await run.approve("go", subject="all of it")
        payload = await run.wait("news", output=int)
        return f"{decision.by} {decision.note} {payload}"
"""


@pytest.fixture
def asking(site: Site) -> Site:
    site.write("busy.py", BUSY)
    return site


def times(site: Site, kind: type) -> dict[str, int]:
    """Return when each event of a kind happened, by the last letter of its key."""
    records = site.records("r")
    return {r.event.key[-1]: r.time for r in records if isinstance(r.event, kind)}


def test_an_approval_reaches_a_run_at_work_within_the_same_second(asking: Site) -> None:
    process = asking.start("run", "busy.py:busy", "--id", "r", "--json")

    for number in range(GATES):
        until(lambda number=number: asking.keys("r", ApprovalRequested)[f"gates/gate-{number}"], "a gate")
        assert asking.call("approve", "r", f"gates/gate-{number}").status == 0
        until(lambda number=number: asking.keys("r", StepStarted)[f"gates/after-{number}"], "the next step")
    (asking.folder / "go").touch()

    assert process.ended().json["output"] == GATES - 1
    assert not asking.events("r", RunReleased)
    decided, begun = times(asking, ApprovalDecided), times(asking, StepStarted)
    waits = [(begun[number] - decided[number]) / 1e9 for number in map(str, range(GATES))]
    assert max(waits) < 1
    assert median(waits) < 0.25  # without the bell, it would be half the pause between two looks


def test_decisions_made_while_nothing_runs_are_found_on_resume(asking: Site) -> None:
    waiting = asking.call("run", "busy.py:resting", "--id", "r", "--json")
    approved = asking.call("approve", "r", "--by", "ben", "--note", "fine", "--json")
    more = asking.call("resume", "r", "--json")
    signalled = asking.call("signal", "r", "news", "7")

    ended = asking.call("resume", "r", "--json")

    assert (waiting.status, waiting.json["waiting"]) == (3, ["go"])
    assert (approved.status, approved.json["owner_alive"]) == (0, False)
    assert (more.status, more.json["waiting"]) == (3, ["news"])
    assert signalled.status == 0
    assert (ended.status, ended.json["output"]) == (0, "ben fine 7")
    assert asking.verified()
