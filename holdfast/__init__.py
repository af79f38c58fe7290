"""Durable workflows for coding agents."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.eventlog import Budget, HoldfastError
    from holdfast.reducer import (
        ApprovalDenied,
        Cancelled,
        ChildFailed,
        Conflict,
        Decision,
        GateExpired,
        LoopExhausted,
        Merged,
        Reply,
        Run,
        ShellResult,
        Skipped,
        StepFailed,
        ToolResult,
        ToolUse,
        Workflow,
        Workspace,
        workflow,
    )

    from .where import step_folder

__all__ = [
    "ApprovalDenied",
    "Budget",
    "Cancelled",
    "ChildFailed",
    "Conflict",
    "Decision",
    "GateExpired",
    "HoldfastError",
    "LoopExhausted",
    "Merged",
    "Reply",
    "Run",
    "ShellResult",
    "Skipped",
    "StepFailed",
    "ToolResult",
    "ToolUse",
    "Workflow",
    "Workspace",
    "step_folder",
    "workflow",
]
_ELSEWHERE = {"Budget": "eventlog", "HoldfastError": "eventlog", "step_folder": "where"}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: half of the commands need none of them, and are quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    part = import_module(f"holdfast.{_ELSEWHERE.get(name, 'reducer')}")
    value = globals()[name] = getattr(part, name)
    return value
