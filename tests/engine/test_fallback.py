"""Who goes on where an agent or a model cannot: recorded, survived, taken along."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.eventlog import FellBack, StepReused, StepStarted
from holdfast.plugins import Crashed, NotLoggedIn, RateLimited, Refused
from holdfast.travel import Change, fork, plan
from tests.support.crew import Answer, Crew, Script
from tests.support.lab import EPOCH, Lab, virtual_now

HOUR = 3600
OK: Script = [Answer()]


def limited(hours: float) -> RateLimited:
    return RateLimited("the quota is used up", until=EPOCH + int(hours * HOUR * 10**9))


@workflow
async def one(run: Run, fallback: list[str] = ["b", "c:big"]) -> str:  # noqa: B006
    return str(await run.agent("do", "Do it", agent="a", fallback=fallback, retries=1))


def tried(lab: Lab, run: str = "r") -> list[str]:
    return [event.by for event in lab.events(run, kind=StepStarted)]


@pytest.mark.parametrize(
    ("script", "before"),
    [
        ([limited(2)], ["a"]),
        ([Refused("no")], ["a"]),
        ([NotLoggedIn("who are you?")], ["a"]),
        ([Crashed("bang")], ["a", "a"]),
    ],
)
async def test_the_next_goes_on(
    tmp_path: Path, autojump_clock: object, script: Script, before: Sequence[str]
) -> None:
    lab = Lab(tmp_path, Crew(a=script, b=OK))

    outcome = await lab.run(one)

    assert outcome.output == "b: done"
    assert tried(lab) == [*before, "b"]
    assert lab.state().steps["do"].by == "b"
    assert lab.replays()
    lab.log.close()


async def test_an_agent_that_is_not_there_is_passed_over(
    tmp_path: Path, autojump_clock: object
) -> None:
    crew = Crew(c=OK)
    lab = Lab(tmp_path, crew)

    outcome = await lab.run(one)

    assert outcome.output == "c: done"
    assert tried(lab) == ["a", "b", "c:big"]
    assert crew.tasks[0][1].model == "big"
    lab.log.close()


async def test_a_model_falls_back_to_a_model(tmp_path: Path, autojump_clock: object) -> None:
    @workflow
    async def ask(run: Run) -> str:
        return str(await run.model("ask", "?", model="x/one", fallback=["y/two"]))

    lab = Lab(tmp_path, Crew({"x/": [limited(2)], "y/": OK}))

    assert (await lab.run(ask)).output == "y/two: done"
    lab.log.close()


async def test_nobody_gets_another_s_session(tmp_path: Path, autojump_clock: object) -> None:
    crew = Crew(a=[limited(2), Answer()], b=[limited(3)])
    lab = Lab(tmp_path, crew)

    await lab.run(one, {"fallback": ["b"]})
    await trio.sleep(3 * HOUR)
    outcome = await lab.resume()

    assert outcome.output == "a: done"
    assert [(name, task.session) for name, task in crew.tasks] == [
        ("a", None),
        ("b", None),
        ("a", None),
    ]
    lab.log.close()


async def test_a_quota_on_all_parks_the_run_until_the_first_reset(
    tmp_path: Path, autojump_clock: object
) -> None:
    crew = Crew(a=[limited(9)], b=[limited(5), Answer()], c=[Refused("no")])
    lab = Lab(tmp_path, crew)

    parked = await lab.run(one)
    early = await lab.resume()
    await trio.sleep(5 * HOUR)
    outcome = await lab.resume()

    assert (parked.status, parked.waiting, parked.until) == (
        "waiting",
        ("do",),
        EPOCH + 5 * HOUR * 10**9,
    )
    assert early.status == "waiting"
    assert outcome.output == "b: done"
    assert tried(lab) == ["a", "b", "c:big", "b"]
    assert virtual_now() - EPOCH < 9 * HOUR * 10**9, "it did not wait for a as well"
    lab.log.close()


async def test_when_nobody_can_the_failure_tells_of_all(
    tmp_path: Path, autojump_clock: object
) -> None:
    lab = Lab(tmp_path, Crew(a=[Refused("not this")], b=[NotLoggedIn("who are you?")]))

    outcome = await lab.run(one, {"fallback": ["b"]})

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "who are you? Before that it was left by: a (refused)." in outcome.error.message
    assert outcome.error.type == "not_logged_in"
    lab.log.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 6))
async def test_a_crash_anywhere_goes_on_with_the_agent_that_it_was_at(
    tmp_path: Path, autojump_clock: object, at: int, *, after: bool
) -> None:
    crew = Crew(a=[Refused("no")], b=[limited(0.5), Answer()], c=[limited(2)])
    lab = Lab(tmp_path, crew)

    crashed = await lab.crash(one, {}, at=at, after=after)
    step = lab.state().steps.get("do")
    crew.asked.clear()
    await trio.sleep(HOUR)
    outcome = await lab.resume()

    assert crashed
    assert outcome.output == "b: done"
    assert crew.asked[0] == ["a", "b", "c"][step.place if step else 0]
    assert lab.replays()
    lab.log.close()


async def test_a_fork_takes_over_what_a_fallback_did_and_says_who_did_it(
    tmp_path: Path, autojump_clock: object
) -> None:
    @workflow
    async def two(run: Run) -> list[Any]:
        first = await run.agent("first", "One", agent="a")
        return [first, await run.agent("do", "Do it", agent="a", fallback=["b"])]

    crew = Crew(a=[Answer(), Refused("no")], b=OK)
    lab = Lab(tmp_path, crew)
    await lab.run(two)
    change = Change("fork", "first", reuse=True)

    foreseen = plan(lab.log, lab.load, "r", change)
    fork(lab.log, lab.load, "r", change, actor="t", id="f")
    asked = len(crew.asked)
    outcome = await lab.resume("f")

    assert {item.action for item in foreseen.items} == {"reused"}
    assert outcome.output == ["a: done", "b: done"]
    assert [event.by for event in lab.events("f", kind=StepReused)] == ["a", "b"]
    assert len(crew.asked) == asked
    lab.log.close()


async def test_a_frame_between_two_agents_goes_on_with_the_second(
    tmp_path: Path, autojump_clock: object
) -> None:
    crew = Crew(a=[Refused("no")], b=OK)
    lab = Lab(tmp_path, crew)
    await lab.run(one)
    offsets = [r.offset for r in lab.log.records(1) if isinstance(r.event, FellBack)]

    fork(lab.log, lab.load, "r", Change("fork", offsets[0] + 1), actor="t", id="f")
    fork(lab.log, lab.load, "r", Change("rewind", "do"), actor="t")
    crew.asked.clear()
    forked = await lab.resume("f")
    rewound = await lab.resume()

    assert (forked.output, rewound.output) == ("b: done", "b: done")
    assert crew.asked == ["b", "a", "b"]
    lab.log.close()
