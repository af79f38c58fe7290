"""What others append in between: the log's order and times are those that the workflow saw live."""

from typing import Any

import msgspec
import trio

from holdfast import Run, workflow
from holdfast.eventlog import NONE, ApprovalDecided, SignalReceived
from holdfast.limits import Limits
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


async def test_an_attempt_that_a_lost_batch_replaced_gives_its_slot_back(
    lab: Lab, autojump_clock: object
) -> None:
    limits, calls = Limits(steps=1), Counter()

    async def stumbles() -> str:
        calls.calls.append("try")
        if len(calls.calls) == 1:
            lab.append_unheard(SignalReceived("between", NIL))
            raise ValueError("once")
        return "done"

    @workflow
    async def retried(run: Run) -> list[str]:
        first = await run.step("stumbles", stumbles, retries=1, backoff=0)
        return [first, await run.step("next", calls("next"))]

    with trio.fail_after(60):
        outcome = await lab.run(retried, limits=limits)

    assert outcome.output == ["done", "next"]
