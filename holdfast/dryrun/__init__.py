"""Dry runs: what a workflow would do, shown without doing it."""

from .bound import bounded
from .errors import CannotSample, DryRunError, SampleInvalid, Unending
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
    "Unending",
    "bounded",
    "dry_run",
    "with_samples",
]
