"""How much is at work at once: of each agent, each model, each run; first come, first served."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from holdfast import Run, workflow
from holdfast.config import Config, LimitsConfig
from holdfast.limits import Limits
from holdfast.reducer import AgentCall, ModelAsk, Policy, ShellCall, StepRequest
from tests.support.crew import Answer, Crew
from tests.support.lab import Counter, Lab


def request(call: Any, kind: Any) -> StepRequest:
    return StepRequest("k", kind, call, Policy(), str)


@pytest.mark.parametrize(
    ("call", "kind", "slots"),
    [
        (ShellCall("ls"), "shell", ("run/7", "shell")),
        (AgentCall("do", "codex"), "agent", ("run/7", "agent/codex")),
        (AgentCall("do", "codex", "gpt"), "agent", ("run/7", "agent/codex", "model/gpt")),
        (AgentCall("do", "codex", "other"), "agent", ("run/7", "agent/codex")),
        (ModelAsk([], "other"), "model", ("run/7", "model/other")),
    ],
)
def test_an_attempt_needs_a_slot_of_each_that_limits_it(call: Any, kind: Any, slots: Any) -> None:
    limits = Limits(run=3, models={"gpt": 1})

    assert limits.slots(request(call, kind), 7) == slots


def test_who_waits_for_his_run_stands_in_nobody_s_way() -> None:
    limits, turns = Limits(shell=2, run=1), list[str]()

    def ask(who: str, *slots: str) -> bool:
        return limits.acquire(who, slots, lambda: turns.append(who))

    assert ask("first", "run/1", "shell")
    assert not ask("second", "run/1", "shell")
    assert ask("elsewhere", "run/2", "shell")
    assert not ask("third", "run/3", "shell")

    limits.release(("run/1", "shell"))

    assert turns == ["third"]  # the second came to the line for a shell when its run let it
    limits.release(("run/2", "shell"))
    assert turns == ["third", "second"]


def test_who_asks_again_keeps_his_place() -> None:
    limits, turns = Limits(steps=1), list[str]()
    for who in ("first", "second", "third", "second"):
        limits.acquire(who, ("step",), lambda who=who: turns.append(who))  # type: ignore[misc]

    limits.release(("step",))

    assert turns == ["second"]


def test_who_leaves_the_line_lets_the_next_go_on() -> None:
    limits, turns = Limits(steps=1), list[str]()
    for who in ("first", "second", "third"):
        limits.acquire(who, ("step",), lambda who=who: turns.append(who))  # type: ignore[misc]

    limits.leave("second")
    limits.leave("nobody")
    limits.release(("step",))

    assert turns == ["third"]


SLOTS = st.tuples(
    st.sampled_from([(), ("run/1",), ("run/2",)]),
    st.sampled_from([("step",), ("shell",), ("agent/x",), ("agent/x", "model/m")]),
).map(lambda parts: (*parts[0], *parts[1]))


@given(st.lists(SLOTS, max_size=30), st.lists(st.booleans(), min_size=30, max_size=30))
def test_everybody_s_turn_comes_and_no_limit_is_passed(
    wanted: list[tuple[str, ...]], ends: list[bool]
) -> None:
    room: Mapping[str, int] = {"step": 2, "shell": 1, "agent/x": 2, "model/m": 1}
    room = {**room, "run/1": 2, "run/2": 2}
    limits, at_work = Limits(steps=2, shell=1, agent=2, model=1, run=2), list[int]()
    served: list[int] = []

    def begin(who: int) -> None:
        served.append(who)
        at_work.append(who)
        for slot, most in room.items():
            assert sum(slot in wanted[one] for one in at_work) <= most

    for who, slots in enumerate(wanted):
        if limits.acquire(who, slots, lambda who=who: begin(who)):  # type: ignore[misc]
            begin(who)
        if at_work and ends[who]:
            limits.release(wanted[at_work.pop(0)])
    while at_work:
        limits.release(wanted[at_work.pop(0)])

    assert sorted(served) == [*range(len(wanted))]
    assert not +limits._taken
    for slots in set(wanted):
        order = [who for who in served if wanted[who] == slots]
        assert order == sorted(order), slots


async def test_the_settings_limit_agents_and_models_by_name(
    tmp_path: Path, autojump_clock: object
) -> None:
    @workflow
    async def many(run: Run) -> None:
        await run.map(lambda _: run.agent("do", "Do it", agent="a"), range(6))

    crew = Crew(a=[Answer(seconds=1)])
    lab = Lab(tmp_path, crew)

    await lab.run(many, config=Config(limits=LimitsConfig(agents={"a": 2})))
    first = crew.most
    crew.most = 0
    await lab.run(many, run="s", config=Config(limits=LimitsConfig(run=3)))

    assert (first, crew.most) == (2, 3)
    lab.log.close()


async def test_a_small_run_is_not_kept_waiting_by_a_large_one(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def fan(run: Run, name: str, width: int) -> None:
        await run.map(lambda i: run.step(f"{name}{i}", count(name)), range(width))

    lab.workflows[fan.reference] = fan
    async with lab.engine(limits=Limits(steps=2)) as engine, trio.open_nursery() as nursery:
        engine.create(fan, {"name": "large", "width": 40}, run="l", folder=str(lab.folder))
        engine.create(fan, {"name": "small", "width": 2}, run="s", folder=str(lab.folder))
        nursery.start_soon(engine.execute, "l")
        await trio.sleep(0.005)
        nursery.start_soon(engine.execute, "s")

    last_small = max(i for i, name in enumerate(count.calls) if name == "small")
    assert last_small == len(count.calls) - 1  # it came last, and was served in its turn

    await _in_turns(lab)


async def _in_turns(lab: Lab) -> None:
    """Two runs that ask again and again share the slots evenly."""
    count = Counter()

    @workflow
    async def chain(run: Run, name: str) -> None:
        for _ in range(10):
            await run.step(name, count(name))

    lab.workflows[chain.reference] = chain
    async with lab.engine(limits=Limits(steps=1)) as engine, trio.open_nursery() as nursery:
        for name in ("x", "y"):
            engine.create(chain, {"name": name}, run=name, folder=str(lab.folder))
            nursery.start_soon(engine.execute, name)

    ahead = [count.calls[:n].count("x") - count.calls[:n].count("y") for n in range(21)]
    assert max(ahead) - min(ahead) <= 2


async def test_a_step_that_nobody_wants_any_more_leaves_the_line(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def race(run: Run) -> None:
        await run.race(run.sleep(1), run.step("never", count("never")))
        await run.step("then", count("then"))

    @workflow
    async def slow(run: Run) -> None:
        await run.step("slow", trio.sleep, 5)

    lab.workflows |= {race.reference: race, slow.reference: slow}
    limits = Limits(steps=1)
    async with lab.engine(limits=limits) as engine, trio.open_nursery() as nursery:
        engine.create(slow, {}, run="s", folder=str(lab.folder))
        engine.create(race, {}, run="r", folder=str(lab.folder))
        nursery.start_soon(engine.execute, "s")
        await trio.sleep(0.1)
        nursery.start_soon(engine.execute, "r")

    assert count.calls == ["then"]
    assert not +limits._taken
    assert not limits._tickets
