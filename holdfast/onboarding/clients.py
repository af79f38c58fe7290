"""Where each coding agent looks for skills and for MCP servers in a project. Data only.

Agents that are no plugin of ours are known by their program: people work in them and runs do not.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

Style = Literal["servers", "opencode", "vscode", "codex"]
SHARED = ".agents/skills"  # what most of them read, beside folders of their own


class Client(NamedTuple):
    """An agent. It reads the first file of `mcp` that is there, else the first is made."""

    name: str
    title: str
    skills: str
    mcp: Sequence[str] = ()
    style: Style = "servers"
    note: str = ""
    programs: Sequence[str] = ()

    @property
    def is_plugin(self) -> bool:
        return not self.programs


CLIENTS = {
    client.name: client
    for client in (
        Client(
            "claude-code", "Claude Code", ".claude/skills", [".mcp.json"],
            note="asks once whether to use the project's MCP server",
        ),
        Client(
            "codex", "Codex", SHARED, [".codex/config.toml"], "codex",
            note="reads .codex/config.toml in projects that it trusts, and starts there only where the server "
            "does",
        ),
        Client("opencode", "opencode", SHARED, ["opencode.json", "opencode.jsonc"], "opencode"),
        Client("gemini", "Gemini CLI", SHARED, [".gemini/settings.json"],
            note="uses the project's settings in folders that it trusts",
        ),
        Client("copilot", "Copilot CLI", SHARED, [".mcp.json"],
            note="uses .mcp.json in folders that it trusts",
        ),
        Client("qwen", "Qwen Code", SHARED, [".qwen/settings.json"]),
        Client("kimi", "Kimi Code", SHARED, [".kimi-code/mcp.json"]),
        Client("pi", "pi", SHARED,
            note="has no MCP and uses the command line; it reads a project's skills with --approve",
        ),
        Client("goose", "goose", SHARED,
            note="has no MCP settings for one project: it uses the command line, or the server after "
            "goose configure",
        ),
        Client("cursor", "Cursor", SHARED, [".cursor/mcp.json"], programs=["cursor-agent", "cursor"]),
        Client("vscode", "VS Code", SHARED, [".vscode/mcp.json"], "vscode", programs=["code"]),
    )
}  # fmt: skip

# Agents that cannot be held to reading.
FULL_ONLY = {"goose", "kimi"}


def entry(style: Style, command: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Return where the server stands in a JSON file of settings, and what stands there."""
    program, *args = command
    match style:
        case "opencode":
            return ["mcp", "holdfast"], {"type": "local", "command": [*command], "enabled": True}
        case "vscode":
            return ["servers", "holdfast"], {"type": "stdio", "command": program, "args": args}
        case _:
            return ["mcpServers", "holdfast"], {"command": program, "args": args}
