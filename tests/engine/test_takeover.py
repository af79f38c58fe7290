"""One run, one executor: whoever was replaced stops, and nobody replaces themselves."""

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.errors import RunBusy, RunReplaced
from holdfast.eventlog import Record, RunClaimed
from tests.support.lab import Counter, Lab

count = Counter()


@workflow
async def works(run: Run) -> str:
    return str(await run.step("work", count("work")))


async def test_a_claim_that_comes_while_the_history_is_read_is_seen(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    count.calls.clear()
    records, claims = lab.log.records, [RunClaimed("f" * 16, "elsewhere", 7)]

    def claimed_first(*place: Any) -> Iterator[Record]:
        if claims:
            lab.append_unheard(claims.pop())
        return records(*place)

    monkeypatch.setattr(lab.log, "records", claimed_first)
    with pytest.raises(RunReplaced, match="process 7 on 'elsewhere'"):
        await lab.run(works)

    assert count.calls == []
    assert lab.log.run("r").owner == "f" * 16


async def test_a_run_at_work_here_cannot_be_taken_over_from_here(
    lab: Lab, autojump_clock: object
) -> None:
    count.calls.clear()
    lab.workflows[works.reference] = works

    async with lab.engine() as engine, trio.open_nursery() as nursery:
        engine.create(works, {}, run="r", folder=str(lab.folder))
        nursery.start_soon(engine.execute, "r")
        await trio.sleep(0.005)
        with pytest.raises(RunBusy):
            await engine.execute("r", takeover=True)

    assert lab.state().status == "succeeded"
    assert count.calls == ["work"]
