"""Durable workflows for coding agents."""

from holdfast.eventlog import HoldfastError
from holdfast.reducer import (
    ApprovalDenied,
    Cancelled,
    ChildFailed,
    Decision,
    LoopExhausted,
    Run,
    ShellResult,
    StepFailed,
    Workflow,
    workflow,
)

__all__ = [
    "ApprovalDenied",
    "Cancelled",
    "ChildFailed",
    "Decision",
    "HoldfastError",
    "LoopExhausted",
    "Run",
    "ShellResult",
    "StepFailed",
    "Workflow",
    "workflow",
]
