"""Durable workflows for coding agents."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.eventlog import HoldfastError
    from holdfast.reducer import (
        ApprovalDenied,
        Cancelled,
        ChildFailed,
        Decision,
        GateExpired,
        LoopExhausted,
        Run,
        ShellResult,
        Skipped,
        StepFailed,
        Workflow,
        workflow,
    )

__all__ = [
    "ApprovalDenied",
    "Cancelled",
    "ChildFailed",
    "Decision",
    "GateExpired",
    "HoldfastError",
    "LoopExhausted",
    "Run",
    "ShellResult",
    "Skipped",
    "StepFailed",
    "Workflow",
    "workflow",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: half of the commands need none of them, and are quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    part = "eventlog" if name == "HoldfastError" else "reducer"
    value = globals()[name] = getattr(import_module(f"holdfast.{part}"), name)
    return value
