"""The bundled coding agents."""

from .acp import KNOWN, Acp
from .aider import Aider
from .builtin import Builtin
from .claude_code import ClaudeCode
from .codex import Codex
from .command import Command
from .copilot import Copilot
from .gemini import Gemini
from .goose import Goose
from .kimi import Kimi
from .opencode import OpenCode
from .pi import Pi
from .qwen import Qwen

__all__ = [
    "KNOWN",
    "Acp",
    "Aider",
    "Builtin",
    "ClaudeCode",
    "Codex",
    "Command",
    "Copilot",
    "Gemini",
    "Goose",
    "Kimi",
    "OpenCode",
    "Pi",
    "Qwen",
]
