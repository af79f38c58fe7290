"""The bundled coding agents."""

from .claude_code import ClaudeCode
from .codex import Codex
from .command import Command
from .gemini import Gemini
from .opencode import OpenCode
from .pi import Pi
from .qwen import Qwen

__all__ = ["ClaudeCode", "Codex", "Command", "Gemini", "OpenCode", "Pi", "Qwen"]
