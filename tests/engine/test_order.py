"""What others append in between: the log's order and times are those that the workflow saw live."""

from typing import Any

import msgspec
import trio

from holdfast import Run, workflow
from holdfast.eventlog import NONE, ApprovalDecided, SignalReceived
from tests.support.lab import EPOCH, Counter, Lab

NIL = msgspec.Raw(b"\xc0")


async def test_two_events_that_came_together_are_taken_in_before_anything_is_recorded(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    async def meanwhile() -> None:
        await trio.sleep(5)
        approval = ApprovalDecided("race/approved/go", True, "anna", "", NONE, b"")
        lab.append_unheard(approval, SignalReceived("stop", NIL))
        await trio.sleep(5)

    async def approved(run: Run) -> str:
        await run.approve("go")
        return str(await run.step("deploy", count("deploy")))

    async def race(run: Run) -> Any:
        return await run.race(approved(run), run.wait("stop"))

    @workflow
    async def contest(run: Run) -> str:
        await run.parallel(run.step("meanwhile", meanwhile), race(run))
        await run.approve("last")
        return "done"

    await lab.run(contest)
    lab.approve("last")

    assert (await lab.resume()).output == "done"
    assert count.calls == []


async def test_steps_that_share_a_commit_share_its_time(lab: Lab) -> None:
    ticks = iter(range(EPOCH, EPOCH + 10**12, 10**6))

    async def same(moment: str) -> str:
        return moment

    @workflow
    async def computes(run: Run) -> str:
        for _ in range(5):
            await run.step("same", same, run.now().isoformat(), pure=True)
        await run.approve("last")
        return "done"

    await lab.run(computes, now=lambda: next(ticks))
    lab.approve("last")

    assert (await lab.resume(now=lambda: next(ticks))).output == "done"
