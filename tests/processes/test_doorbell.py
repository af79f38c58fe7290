"""Deciding from a second process: heard within the same second by a run at work, kept for one at rest."""

import time
from functools import partial
from statistics import median

import pytest
import trio

from holdfast.engine import Engine
from holdfast.eventlog import ApprovalDecided, ApprovalRequested, Log, RunReleased, StepStarted
from holdfast.loading import Loader
from holdfast.plugins import Plugins
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


    @workflow
    async def strict(run: Run) -> None:
        await run.parallel(
            run.approve("late", expires="10m"), run.approve("picky", by=["ben"], expires="2h")
        )
"""


@pytest.fixture
def asking(site: Site) -> Site:
    site.write("busy.py", BUSY)
    return site


def happened(site: Site, kind: type, key: str) -> bool:
    return key in site.keys("r", kind)


def times(site: Site, kind: type[ApprovalDecided | StepStarted]) -> dict[str, int]:
    """Return when each event of a kind happened, by the last letter of its key."""
    records = site.records("r")
    return {r.event.key[-1]: r.time for r in records if isinstance(r.event, kind)}


def test_an_approval_reaches_a_run_at_work_within_the_same_second(asking: Site) -> None:
    process = asking.start("run", "busy.py:busy", "--id", "r", "--json")

    for number in range(GATES):
        asked, after = f"gates/gate-{number}", f"gates/after-{number}"
        until(partial(happened, asking, ApprovalRequested, asked), "the gate to open")
        assert asking.call("approve", "r", asked).status == 0
        until(partial(happened, asking, StepStarted, after), "the next step")
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


def test_a_word_after_the_end_of_time_or_of_somebody_else_is_refused_and_changes_nothing(
    asking: Site,
) -> None:
    trio.run(an_hour_ago, asking)

    late, eve = [
        asking.start("approve", "r", *words, "--json")
        for words in (("late",), ("picky", "--by", "eve"))
    ]

    assert [late.ended().status, eve.ended().status] == [2, 2]
    assert [late.ended().error[0], eve.ended().error[0]] == ["gate_overdue", "not_allowed"]
    assert not asking.events("r", ApprovalDecided)
    assert asking.call("approve", "r", "picky", "--by", "ben").status == 0


async def an_hour_ago(site: Site) -> None:
    """Let a run come to its gates with a clock that is late."""
    with Log.open(site.log_folder) as log:
        load = Loader({})
        found = load(f"{site.folder}/busy.py:strict")
        engine = Engine(
            log, Plugins.load(installed=False), load, now=lambda: time.time_ns() - 3600 * 10**9
        )
        async with engine:
            await engine.start(found, {}, run="r", folder=str(site.folder))
