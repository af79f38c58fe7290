"""Real coding agents, each pointed at a scripted model and given a home of its own.

They are looked for in the folder HOLDFAST_AGENTS, as tests/support/install_agents.sh leaves it, then in
the PATH. Which of them a test run takes may be narrowed: HOLDFAST_REAL_AGENTS="codex pi".
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.plugins import Agent, AgentTask
from holdfast.plugins.agents import Aider, Codex, Copilot, Gemini, Goose, Kimi, OpenCode, Pi, Qwen
from holdfast.plugins.testing import agent_task

Turn = dict[str, Any]
FOLDER = os.environ.get("HOLDFAST_AGENTS", "")
CHOSEN = os.environ.get("HOLDFAST_REAL_AGENTS", "").split()
CODEX_CONFIG = """\
model_provider = "scripted"
[model_providers.scripted]
name = "scripted"
base_url = "{url}/v1"
env_key = "SCRIPTED_KEY"
wire_api = "responses"
request_max_retries = 1
stream_max_retries = 1
supports_websockets = false
"""


@dataclass(frozen=True)
class Real:
    """How to run one agent against the scripted model, and what it cannot do."""

    name: str
    agent: Callable[[], Agent]
    variable: str
    program: str  # below HOLDFAST_AGENTS/node_modules
    model: str | None
    prepare: Callable[[Path, str], dict[str, str]]  # (home, URL of the model) -> environment
    cannot: frozenset[str] = frozenset()
    writes: Sequence[Turn] = ()  # what a model would try in order to change a file all the same
    unknown_session: str = "11111111-2222-3333-4444-555555555555"
    has_tools: bool = True

    def locate(self) -> str | None:
        """Return the path of the program, if it is installed."""
        return shutil.which(str(Path(FOLDER, "node_modules", self.program))) or shutil.which(
            Path(self.program).name
        )

    def task(self, folder: Path, url: str, prompt: str = "Do it.", **fields: Any) -> AgentTask:
        """Return a task in FOLDER/repository, or in another folder below it: `where`."""
        home, repository = folder / "home", folder / fields.pop("where", "repository")
        home.mkdir(exist_ok=True)
        repository.mkdir(exist_ok=True)
        node = str(Path(FOLDER, "node_modules", "node", "bin"))
        env = {
            self.variable: self.locate() or "",
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "PATH": os.pathsep.join([node, os.environ["PATH"]]),
            **self.prepare(home, url),
            **fields.pop("env", {}),
        }
        return agent_task(repository, prompt, env=env, model=self.model, **fields)


def write(file: Path, content: str | dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def codex(home: Path, url: str) -> dict[str, str]:
    write(home / "codex" / "config.toml", CODEX_CONFIG.format(url=url))
    return {"CODEX_HOME": str(home / "codex"), "SCRIPTED_KEY": "any"}


def opencode(home: Path, url: str) -> dict[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "any"},
        "models": {
            "scripted": {
                "tool_call": True,
                "cost": {"input": 1, "output": 2},
                "limit": {"context": 200_000, "output": 8192},
            }
        },
    }
    config = {
        "share": "disabled",
        "small_model": "scripted/scripted",
        "enabled_providers": ["scripted"],
        "provider": {"scripted": provider},
        # What people have, and what must not soften a step's permissions.
        "permission": {"edit": "allow", "bash": "allow"},
        "agent": {"build": {"permission": {"edit": "allow", "bash": "allow"}}},
    }
    write(home / ".config" / "opencode" / "opencode.json", config)
    names = ("MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
    return {f"OPENCODE_DISABLE_{name}": "1" for name in names}


def gemini(home: Path, url: str) -> dict[str, str]:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        # What people have, and what must not soften a step's permissions.
        "tools": {"allowed": ["write_file", "run_shell_command"]},
    }
    write(home / ".gemini" / "settings.json", settings)
    return {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "any"}


def pi(home: Path, url: str) -> dict[str, str]:
    model = {
        "id": "scripted",
        "name": "Scripted",
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 1, "output": 2, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 200_000,
        "maxTokens": 8192,
    }
    provider = {
        "baseUrl": f"{url}/v1",
        "api": "openai-completions",
        "apiKey": "SCRIPTED_KEY",
        "models": [model],
    }
    write(home / ".pi" / "agent" / "models.json", {"providers": {"scripted": provider}})
    return {"PI_OFFLINE": "1", "SCRIPTED_KEY": "any"}


def aider(home: Path, url: str) -> dict[str, str]:
    # A list of prices younger than a day, or it fetches one.
    write(home / ".aider" / "caches" / "model_prices_and_context_window.json", {})
    return {"OPENAI_API_KEY": "any", "OPENAI_API_BASE": f"{url}/v1"}


def copilot(home: Path, url: str) -> dict[str, str]:
    return {
        "COPILOT_OFFLINE": "true",
        "COPILOT_PROVIDER_BASE_URL": f"{url}/v1",
        "COPILOT_PROVIDER_API_KEY": "scripted-key",  # it blots out what it finds of it in its output
        "COPILOT_AUTO_UPDATE": "false",
        "XDG_CACHE_HOME": str(Path(FOLDER, "cache")),  # where it unpacks 235 MB of itself
    }


def goose(home: Path, url: str) -> dict[str, str]:
    return {"OPENAI_HOST": url, "OPENAI_API_KEY": "any", "GOOSE_DISABLE_KEYRING": "1"}


def kimi(home: Path, url: str) -> dict[str, str]:
    return {
        "KIMI_MODEL_NAME": "scripted",
        "KIMI_MODEL_PROVIDER_TYPE": "openai",
        "KIMI_MODEL_API_KEY": "any",
        "KIMI_MODEL_BASE_URL": f"{url}/v1",
    }


def qwen(home: Path, url: str) -> dict[str, str]:
    settings = {
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "security": {"auth": {"selectedType": "openai"}},
        "tools": {"allowed": ["write_file", "run_shell_command"], "approvalMode": "yolo"},
    }
    write(home / ".qwen" / "settings.json", settings)
    return {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "any"}


AGENTS = [
    Real(
        "aider",
        Aider,
        "AIDER_EXECUTABLE",
        ".bin/aider",
        "openai/scripted",
        aider,
        cannot=frozenset({"cost", "tools"}),
        writes=[{"text": "hello.txt\n```\nhello\n```\n"}],
        has_tools=False,
    ),
    Real(
        "codex",
        Codex,
        "CODEX_EXECUTABLE",
        ".bin/codex",
        "openai/gpt-5.5",
        codex,
        cannot=frozenset({"cost"}),
        writes=[{"bash": "touch hello.txt"}],
    ),
    Real(
        "opencode",
        OpenCode,
        "OPENCODE_EXECUTABLE",
        ".bin/opencode",
        "scripted/scripted",
        opencode,
        cannot=frozenset({"elsewhere"}),
        writes=[
            {"tool": "write", "args": {"filePath": "hello.txt", "content": "hello"}},
            {"tool": "bash", "args": {"command": "touch hello.txt", "description": "try"}},
        ],
        unknown_session="ses_nowhere",
    ),
    Real(
        "copilot",
        Copilot,
        "COPILOT_EXECUTABLE",
        ".bin/copilot",
        "gpt-4.1",
        copilot,
        cannot=frozenset({"cost", "fork"}),
        writes=[
            {"tool": "create", "args": {"path": "hello.txt", "file_text": "hello"}},
            {"tool": "bash", "args": {"command": "touch hello.txt", "description": "try"}},
        ],
    ),
    Real(
        "goose",
        Goose,
        "GOOSE_EXECUTABLE",
        "@aaif/goose-binary-linux-x64/bin/goose",
        "openai/scripted",
        goose,
        cannot=frozenset({"cost", "fork", "read"}),
    ),
    Real(
        "kimi",
        Kimi,
        "KIMI_EXECUTABLE",
        ".bin/kimi",
        None,
        kimi,
        cannot=frozenset({"cost", "elsewhere", "read"}),
        unknown_session="session_11111111-2222-3333-4444-555555555555",
    ),
    Real(
        "gemini",
        Gemini,
        "GEMINI_EXECUTABLE",
        ".bin/gemini",
        "gemini/gemini-2.5-pro",
        gemini,
        cannot=frozenset({"cost", "elsewhere", "fork"}),
        writes=[
            {"tool": "write_file", "args": {"file_path": "hello.txt", "content": "hello"}},
            {"tool": "run_shell_command", "args": {"command": "touch hello.txt"}},
        ],
    ),
    Real(
        "pi",
        Pi,
        "PI_EXECUTABLE",
        ".bin/pi",
        "scripted/scripted",
        pi,
        writes=[
            {"tool": "write", "args": {"path": "hello.txt", "content": "hello"}},
            {"tool": "bash", "args": {"command": "touch hello.txt"}},
        ],
    ),
    Real(
        "qwen",
        Qwen,
        "QWEN_EXECUTABLE",
        ".bin/qwen",
        "qwen3-coder-plus",
        qwen,
        cannot=frozenset({"cost", "elsewhere", "limits"}),
        writes=[
            {"tool": "run_shell_command", "args": {"command": "touch hello.txt"}},
            {"tool": "notebook_edit", "args": {"notebook_path": "hello.ipynb"}},
        ],
    ),
]

REAL = [each for each in AGENTS if not CHOSEN or each.name in CHOSEN]
