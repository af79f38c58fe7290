"""The `builtin` agent in a sandbox: its own hands keep to the bounds that hold its programs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import Run, workflow
from holdfast.config import Config, SandboxConfig
from holdfast.eventlog import StepFailed
from holdfast.plugins import AgentTask, Confinement, Tool, ToolSetting
from holdfast.plugins.agents.builtin import Builtin
from holdfast.plugins.confining import Confined, confined
from holdfast.plugins.errors import NotConfinable
from holdfast.plugins.testing import agent_task
from tests.support.cage import SANDBOX, needs_bubblewrap
from tests.support.lab import Lab
from tests.support.scripted import Scripted, ScriptedPlugin, calls, says

NET = "python3 -c 'import socket; socket.create_connection((\"192.0.2.1\", 9), 1)' 2>&1 | tail -1"


async def phone(arguments: dict[str, Any], setting: ToolSetting) -> str:
    raise AssertionError("it is not to be called in a sandbox")


PHONE = Tool(description="Call.", schema={"type": "object"}, run=phone, needs="read")


@pytest.fixture
def model() -> Scripted:
    return Scripted([says("done")])


@pytest.fixture
def lab(tmp_path: Path, model: Scripted) -> Iterator[Lab]:
    made = Lab(tmp_path / "project", ScriptedPlugin(model, {"phone": PHONE}))
    yield made
    made.log.close()


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> Path:
    """A project with a log that is not called .holdfast, and a secret beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "code.py").write_text("one = 1\n")
    (folder / "holdfast.toml").write_text("kept = 1\n")
    (folder / ".git").mkdir()
    (folder / "link").symlink_to(tmp_path)
    return folder


@workflow
async def work(run: Run, options: dict[str, Any]) -> Any:
    """One task in the project's sandbox."""
    return await run.agent(
        "code", "Go.", agent="builtin", model="scripted/one", options=options, retries=0
    )


CONFINED = Config(sandbox=SandboxConfig(default="bubblewrap", network=False))


@needs_bubblewrap
async def test_neither_its_hands_nor_its_commands_reach_out_of_the_sandbox(
    lab: Lab, model: Scripted, project: Path, tmp_path: Path
) -> None:
    os.link(project / "holdfast.toml", project / "innocent")
    refused = [
        ("read", {"path": "log/data.mdb"}),
        ("list", {"path": "log"}),
        ("write", {"path": "log/new", "content": "x"}),
        ("write", {"path": "innocent", "content": "x"}),
        ("write", {"path": "holdfast.toml", "content": "x"}),
        ("edit", {"path": "holdfast.toml", "old": "kept", "new": "lost"}),
        ("write", {"path": ".git/config", "content": "x"}),
        ("write", {"path": ".holdfast/x", "content": "x"}),
        ("read", {"path": "../secret"}),
        ("read", {"path": "link/secret"}),
        ("write", {"path": "link/escaped", "content": "x"}),
    ]
    allowed = [
        ("grep", {"pattern": "one"}),
        ("glob", {"pattern": "log/*"}),
        ("write", {"path": "made/by.hand", "content": "hello"}),
        ("edit", {"path": "code.py", "old": "1", "new": "2"}),
        ("shell", {"command": "cat log/* made/by.hand; echo x > holdfast.toml; ls link/"}),
        ("shell", {"command": f"echo x > {tmp_path}/escaped; {NET}"}),
    ]
    model.turns[:0] = [calls(*refused), calls(*allowed)]

    outcome = await lab.run(work, {"options": {}}, config=CONFINED)

    assert outcome.output == "done"
    results = model.results()
    assert [result.startswith("error: ") for result in results[: len(refused)]] == [True] * len(
        refused
    )
    assert "the sandbox hides it" in results[0]
    assert "the sandbox lets nobody change it" in results[4]
    found, names, _, _, shown, online = results[len(refused) :]
    assert (found, names) == ("code.py:1: one = 1", "[nothing found]")
    assert "hello" in shown
    assert "Read-only file system" in shown
    assert "secret" not in shown
    assert "Network is unreachable" in online
    assert (project / "code.py").read_text() == "one = 2\n"
    assert (project / "made" / "by.hand").read_text() == "hello"
    assert (project / "holdfast.toml").read_text() == "kept = 1\n"
    assert not (tmp_path / "escaped").exists()


@needs_bubblewrap
async def test_a_tool_that_nothing_confines_is_not_offered_in_there(
    lab: Lab, model: Scripted, autojump_clock: object
) -> None:
    await lab.run(work, {"options": {}}, run="out")
    await lab.run(work, {"options": {}}, run="in", config=CONFINED)
    outcome = await lab.run(work, {"options": {"tools": ["phone"]}}, run="on", config=CONFINED)

    out, inside = ({tool.name for tool in call.tools} for call in model.asked)
    assert out - inside == {"phone"}
    assert outcome.status == "failed"
    (failed,) = lab.events("on", kind=StepFailed)
    assert failed.error.code == NotConfinable.code
    assert "'phone' works in Holdfast's own process" in failed.error.message


def confinement(folder: Path) -> Confined:
    return Confined(SANDBOX, Confinement(folder=folder))


async def finish(task: AgentTask) -> None:
    await Builtin().run(task, lambda _: None)


async def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(
    lab: Lab, model: Scripted, project: Path, autojump_clock: object
) -> None:
    model.turns[:0] = [calls(("read", {"path": "secret"}))]
    task = agent_task(project / "link", "Go.", model="scripted/one", offers=lab.plugins)

    with confined(confinement(project)):
        await finish(task)

    assert "'link' in 'secret' is a symbolic link" in model.results()[0]


async def test_a_folder_outside_of_the_sandbox_is_refused(
    lab: Lab, model: Scripted, project: Path, tmp_path: Path, autojump_clock: object
) -> None:
    model.turns[:0] = [calls(("read", {"path": "secret"}))]
    task = agent_task(project / "..", "Go.", model="scripted/one", offers=lab.plugins)

    with confined(confinement(project)), pytest.raises(NotConfinable, match="is not in"):
        await finish(task)
