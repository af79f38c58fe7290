"""Calendar months, from what the log says it was: alike in a replay, on whatever day that is."""

import datetime

import trio

from holdfast import Run, workflow
from holdfast.eventlog import ApprovalRequested, GateReminded, TimerSet
from tests.support.lab import EPOCH, Lab

DAY_S = 86_400


def date_of(moment: int) -> str:
    return str(datetime.datetime.fromtimestamp(moment // 10**9, datetime.UTC).date())


@workflow
async def naps(run: Run) -> str:
    await run.sleep("1mo")
    return str(run.now().date())


async def test_a_sleep_ends_on_the_last_day_of_a_shorter_month_and_replays(
    lab: Lab, autojump_clock: object
) -> None:
    assert date_of(EPOCH) == "2027-01-15"
    await trio.sleep(16 * DAY_S)

    assert (await lab.run(naps)).status == "waiting"
    assert [date_of(event.until) for event in lab.events(kind=TimerSet)] == ["2027-02-28"]
    await trio.sleep(28 * DAY_S)

    assert (await lab.resume()).output == "2027-02-28"
    assert lab.replays()


async def test_a_gate_is_called_to_mind_each_month(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def patient(run: Run) -> bool:
        return (await run.approve("go", expires="1mo", on_expire="remind")).approved

    await lab.run(patient)
    await trio.sleep(31 * DAY_S)
    assert (await lab.resume()).status == "waiting"

    assert date_of(lab.events(kind=ApprovalRequested)[0].expires_at) == "2027-02-15"
    assert [date_of(event.until) for event in lab.events(kind=GateReminded)] == ["2027-03-15"]


async def test_a_question_is_called_to_mind_each_month_too(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def asks(run: Run) -> str:
        return await run.ask("why", "Why?", expires="1mo", on_expire="remind")

    await lab.run(asks)
    await trio.sleep(31 * DAY_S)
    await lab.resume()

    assert [date_of(event.until) for event in lab.events(kind=GateReminded)] == ["2027-03-15"]
