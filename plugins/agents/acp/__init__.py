"""Agents that speak the Agent Client Protocol."""

from .adapter import Acp
from .known import KNOWN

__all__ = ["KNOWN", "Acp"]
