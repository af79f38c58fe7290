"""Dry runs: what a workflow would do, shown without doing it."""

from .errors import CannotSample, DryRunError, SampleInvalid
from .nodes import Node
from .playing import Problem
from .trying import DryRun, dry_run, with_samples

__all__ = [
    "CannotSample",
    "DryRun",
    "DryRunError",
    "Node",
    "Problem",
    "SampleInvalid",
    "dry_run",
    "with_samples",
]
