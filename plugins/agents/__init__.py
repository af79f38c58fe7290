"""The bundled coding agents."""

from .claude_code import ClaudeCode
from .codex import Codex
from .command import Command

__all__ = ["ClaudeCode", "Codex", "Command"]
