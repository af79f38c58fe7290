"""Roles: recorded with each claim, so that a change of them reaches what has not begun, and no more."""

from pathlib import Path
from typing import Any

import pytest

from holdfast import Run, workflow
from holdfast.config import Config, RoleConfig
from holdfast.errors import ConfigInvalid
from holdfast.eventlog import RunClaimed, SignalReceived, StepReused, StepStarted
from holdfast.plugins import NotLoggedIn
from holdfast.reducer import UnknownRole
from holdfast.travel import Change, fork, plan, retry_change
from tests.support.crew import Answer, Crew
from tests.support.lab import Lab
from tests.support.player import raw


def roles(**given: RoleConfig | str) -> Config:
    found = {
        name: RoleConfig(role) if isinstance(role, str) else role for name, role in given.items()
    }
    return Config(roles=found)


def crew() -> Crew:
    return Crew(a=[Answer()], b=[Answer()], models={"m/": [Answer()]})


@workflow
async def planned(run: Run) -> list[Any]:
    plan = await run.agent("plan", "Plan", role="planner")
    await run.wait("go")
    code = await run.agent("code", "Code", role="planner")
    check = await run.agent("check", "Check")
    return [plan, code, check, await run.model("sum up", "?", role="cheap")]


CHEAP = RoleConfig(model="m/small")


async def start(folder: Path, config: Config, plugin: Crew) -> Lab:
    lab = Lab(folder, plugin)
    assert (await lab.run(planned, config=config)).status == "waiting"
    lab.append_unheard(SignalReceived("go", raw(None)))
    return lab


async def test_a_changed_role_reaches_the_steps_that_have_not_begun(
    tmp_path: Path, autojump_clock: object
) -> None:
    plugin = crew()
    lab = await start(tmp_path, roles(planner="a", default="a", cheap=CHEAP), plugin)

    outcome = await lab.resume(config=roles(planner="b", default="a", cheap=CHEAP))
    again = [step.by for step in lab.events(kind=StepStarted)]

    assert outcome.output == ["a: done", "b: done", "a: done", "m/small: done"]
    assert again == ["a", "b", "a", "m/small"]
    assert [claim.roles[-1].agent for claim in lab.events(kind=RunClaimed)] == ["a", "b"]
    lab.log.close()


async def test_a_role_that_is_gone_stops_the_run_until_it_is_back(
    tmp_path: Path, autojump_clock: object
) -> None:
    lab = await start(tmp_path, roles(planner="a", default="a", cheap=CHEAP), crew())

    with pytest.raises(UnknownRole) as stopped:
        await lab.resume(config=roles(default="b"))
    outcome = await lab.resume(config=roles(planner="a", default="b", cheap=CHEAP))

    assert "'code': there is no role 'planner' in holdfast.toml" in str(stopped.value)
    assert "Roles there: 'default'" in str(stopped.value)
    assert outcome.output == ["a: done", "a: done", "b: done", "m/small: done"]
    lab.log.close()


async def test_a_fork_is_planned_and_executed_with_the_roles_of_now(
    tmp_path: Path, autojump_clock: object
) -> None:
    plugin = crew()
    before = roles(planner="a", default="a", cheap=CHEAP)
    lab = await start(tmp_path, before, plugin)
    await lab.resume(config=before)
    now = roles(planner="b", default="a", cheap=CHEAP)
    change = Change("fork", "code", reuse=True)

    async with lab.engine(config=now) as engine:
        foreseen = plan(lab.log, lab.load, "r", change, roles=engine.roles)
        unchanged = plan(lab.log, lab.load, "r", change)
        fork(lab.log, lab.load, "r", change, actor="t", id="f")
        plugin.asked.clear()
        outcome = await engine.execute("f")

    actions = {item.key: item.action for item in foreseen.items}
    assert actions["code"] == "runs"
    assert "agent changed" in next(i.because for i in foreseen.items if i.key == "code")
    assert foreseen.roles == ["planner: a -> b"]
    assert {item.action for item in unchanged.items} <= {"kept", "reused"}
    assert outcome.output[1] == "b: done"
    assert plugin.asked == ["b"] + ["a"] * (actions["check"] == "runs")
    assert {e.key for e in lab.events("f", kind=StepReused)} >= {"sum up"}
    lab.log.close()


async def test_a_retry_asks_whoever_has_the_role_now(
    tmp_path: Path, autojump_clock: object
) -> None:
    plugin = Crew(a=[NotLoggedIn("who are you?")], b=[Answer()])

    @workflow
    async def single(run: Run) -> str:
        return str(await run.agent("do", "Do it", role="worker"))

    lab = Lab(tmp_path, plugin)
    failed = await lab.run(single, config=roles(worker="a"))
    fork(lab.log, lab.load, "r", retry_change(lab.log, "r"), actor="t")
    outcome = await lab.resume(config=roles(worker="b"))
    assert failed.status == "failed"
    assert outcome.output == "b: done"
    assert lab.replays()
    lab.log.close()


async def test_a_step_that_a_crash_cut_short_stays_with_its_agent(
    tmp_path: Path, autojump_clock: object
) -> None:
    plugin = crew()

    @workflow
    async def single(run: Run) -> str:
        return str(await run.agent("do", "Do it", role="worker"))

    lab = Lab(tmp_path, plugin)
    await lab.crash(single, {}, at=1, after=True, config=roles(worker="a"))

    outcome = await lab.resume(config=roles(worker="b"))

    assert outcome.output == "a: done"
    lab.log.close()


async def test_a_secret_in_a_role_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-very-secret-value-1234567890")
    lab = Lab(tmp_path, crew())
    config = roles(planner=RoleConfig("a", options={"key": "sk-very-secret-value-1234567890"}))

    with pytest.raises(ConfigInvalid, match=r"secret in \[roles.planner\]"):
        await lab.run(planned, config=config)

    assert not lab.log.runs()
    lab.log.close()
