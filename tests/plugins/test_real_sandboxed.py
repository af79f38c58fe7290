"""Real coding agents in the sandbox: each finds its settings, reaches its model and keeps its session.

HOLDFAST_AGENTS=FOLDER pytest -m real_agents tests/plugins/test_real_sandboxed.py
"""

from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from holdfast.config import SandboxConfig
from holdfast.plugins import Plugins, marks
from holdfast.plugins.confining import confined
from holdfast.reducer import AgentCall
from holdfast.sandboxing import Rules, surroundings
from tests.support.cage import needs_bubblewrap
from tests.support.model_server import ModelServer
from tests.support.real_acp import REAL_ACP
from tests.support.real_agents import REAL, Real

TITLE = {"when": {"tools": False}, "turns": [{"text": "A title"}]}
NAMES = ["SCRIPTED_KEY", "XDG_CACHE_HOME"]

pytestmark = [pytest.mark.real_agents, needs_bubblewrap]


@pytest.mark.parametrize("real", [*REAL, *REAL_ACP], ids=lambda real: real.name)
async def test_a_confined_agent_goes_on_where_it_was(
    real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if real.locate() is None:
        pytest.skip(f"{real.name} is not installed")
    with ModelServer([{"text": "hello"}]) as server:
        server.play({"rules": [TITLE] if real.has_tools else [], "turns": [{"text": "hello"}]})
        tasks = [real.task(tmp_path, server.url, prompt) for prompt in ("Do it.", "Go on.")]
        session = None
        for task in tasks:
            for name, value in task.env.items():
                monkeypatch.setenv(name, value)
            call = AgentCall(task.prompt, real.name, sandbox="bubblewrap", network=True)
            rules = Rules(SandboxConfig(env=NAMES))
            agent = real.agent()
            around = await surroundings(
                call, rules, task.folder, Plugins.load(installed=False), agent
            )
            env = {**around.env, marks.MARK: task.env[marks.MARK]}
            with confined(around.confined), trio.fail_after(90):
                result = await agent.run(replace(task, env=env, session=session), lambda _: None)
            assert "hello" in result.text
            assert session in (None, result.session)
            session = None if "resume" in real.cannot else result.session
