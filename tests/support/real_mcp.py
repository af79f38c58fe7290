"""Real coding agents with Holdfast's tools: set up for it with their own commands, as the README says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.plugins import AgentTask
from holdfast.plugins.agents import ClaudeCode
from tests.support.real_agents import AGENTS, CHOSEN, Real, write

ROOT = Path(__file__).parents[2]
SHIM = """\
#!/bin/sh
PYTHONPATH={root} exec {python} -m holdfast "$@"
"""
SERVER: dict[str, object] = {"command": "holdfast", "args": ["mcp"]}
CODEX_SETTINGS = """\
required = true
default_tools_approval_mode = "approve"
env_vars = ["SCRIPTED_KEY"]
"""


@dataclass(frozen=True)
class Client:
    """An agent, how it is given a server, and the name that it gives itself there."""

    real: Real
    calls_itself: str
    add: Callable[[AgentTask], None]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.real.name

    def task(self, folder: Path, url: str) -> AgentTask:
        """Return a task in FOLDER/repository of an agent that has been given the server."""
        env = {"PATH": install_holdfast(folder / "bin")}
        task = self.real.task(folder, url, env=env, options=self.options)
        self.add(task)
        return task


def install_holdfast(folder: Path) -> str:
    """Put a program `holdfast` there that runs this checkout, and return a PATH with it."""
    folder.mkdir()
    program = folder / "holdfast"
    program.write_text(SHIM.format(root=ROOT, python=sys.executable))
    program.chmod(0o755)
    node = Path(os.environ.get("HOLDFAST_AGENTS", ""), "node_modules", "node", "bin")
    return os.pathsep.join([str(folder), str(node), os.environ["PATH"]])


def claude(home: Path, url: str) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "any",
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }


CLAUDE = Real(
    "claude-code",
    ClaudeCode,
    "CLAUDE_CODE_EXECUTABLE",
    os.environ.get("HOLDFAST_CLAUDE") or ".bin/claude",
    "claude-sonnet-4-5",
    claude,
)
REALS = {real.name: real for real in AGENTS}


def by_command(variable: str) -> Callable[[AgentTask], None]:
    def add(task: AgentTask) -> None:
        words = [task.env[variable], "mcp", "add", "holdfast", "--", "holdfast", "mcp"]
        subprocess.run(
            words, cwd=task.folder, env=dict(task.env), check=True, stdout=subprocess.DEVNULL
        )

    return add


def codex(task: AgentTask) -> None:
    by_command("CODEX_EXECUTABLE")(task)
    config = Path(task.env["CODEX_HOME"], "config.toml")
    config.write_text(config.read_text() + CODEX_SETTINGS)


def in_settings(file: str, section: str, server: dict[str, object]) -> Callable[[AgentTask], None]:
    """Return what adds the server to a file of settings below the home."""

    def add(task: AgentTask) -> None:
        path = Path(task.env["HOME"], file)
        settings = json.loads(path.read_text()) if path.exists() else {}
        write(path, {**settings, section: {"holdfast": server}})

    return add


ALL = [
    Client(
        CLAUDE,
        "claude-code",
        by_command("CLAUDE_CODE_EXECUTABLE"),
        {"args": ["--allowedTools", "mcp__holdfast"]},
    ),
    Client(REALS["codex"], "codex-mcp-client", codex),
    Client(
        REALS["copilot"],
        "copilot-cli",
        in_settings(
            ".copilot/mcp-config.json", "mcpServers", {**SERVER, "type": "local", "tools": ["*"]}
        ),
    ),
    Client(
        REALS["gemini"],
        "gemini-cli-mcp-client",
        in_settings(".gemini/settings.json", "mcpServers", {**SERVER, "trust": True}),
    ),
    Client(REALS["kimi"], "kimi-code", in_settings(".kimi-code/mcp.json", "mcpServers", SERVER)),
    Client(
        REALS["opencode"],
        "opencode",
        in_settings(
            ".config/opencode/opencode.json",
            "mcp",
            {"type": "local", "command": ["holdfast", "mcp"]},
        ),
    ),
]
CLIENTS = [each for each in ALL if not CHOSEN or each.name in ("claude-code", *CHOSEN)]
