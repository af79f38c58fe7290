"""The bundled coding agents."""

from .claude_code import ClaudeCode
from .command import Command

__all__ = ["ClaudeCode", "Command"]
