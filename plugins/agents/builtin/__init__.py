"""The `builtin` agent: a loop of model and tools, whose every call is in the log."""

from .agent import Builtin
from .tools import TOOLS

__all__ = ["TOOLS", "Builtin"]
