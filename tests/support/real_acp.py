"""The same agents over the Agent Client Protocol: started and pointed at the model as by their own adapters."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from holdfast.plugins.agents import Acp
from tests.support.real_agents import AGENTS, CHOSEN, FOLDER, Real, codex

OWN = {each.name: each for each in AGENTS}


def find(program: str) -> str:
    inside = Path(FOLDER, "node_modules", ".bin", program)
    return shutil.which(str(inside)) or shutil.which(program) or ""


def claude_over_acp(home: Path, url: str) -> dict[str, str]:
    return {
        "CLAUDE_CODE_EXECUTABLE": find("claude"),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "any",
        "CLAUDE_CODE_MAX_RETRIES": "1",
    }


def codex_over_acp(home: Path, url: str) -> dict[str, str]:
    return {**codex(home, url), "CODEX_PATH": find("codex")}


def over_acp(name: str, *cannot: str, can: str = "") -> Real:
    """Return an agent that differs from its own adapter's only in what it cannot do."""
    own = OWN[name]
    return replace(
        own,
        name=f"acp:{name}",
        agent=partial(Acp, f"acp:{name}"),
        cannot=(own.cannot | set(cannot)) - set(can.split()),
    )


ACP = [
    Real(
        "acp:claude-code",
        partial(Acp, "acp:claude-code"),
        "CLAUDE_AGENT_ACP_EXECUTABLE",
        ".bin/claude-agent-acp",
        "claude-sonnet-4-5",
        claude_over_acp,
        cannot=frozenset({"resumed cost"}),
        writes=[
            {"tool": "Write", "args": {"file_path": "hello.txt", "content": "hello"}},
            {"tool": "Bash", "args": {"command": "touch hello.txt", "description": "try"}},
        ],
    ),
    replace(
        over_acp("codex"),
        variable="CODEX_ACP_EXECUTABLE",
        program=".bin/codex-acp",
        prepare=codex_over_acp,
    ),
    over_acp("copilot"),
    over_acp("gemini", "limits", "outages", "read", "resume", "tool output"),
    replace(
        over_acp("goose", "usage", can="read"),
        writes=[
            {"tool": "write", "args": {"path": "hello.txt", "content": "hello"}},
            {"tool": "shell", "args": {"command": "touch hello.txt"}},
        ],
    ),
    over_acp("kimi", "limits", "outages", "reasons", "usage", can="elsewhere"),
    over_acp("opencode", "resumed cost", "usage", can="elsewhere"),
    over_acp("qwen", "fork"),
]

REAL_ACP = [each for each in ACP if not CHOSEN or each.name in CHOSEN]
