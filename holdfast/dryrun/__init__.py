"""Dry runs: what a workflow would do, shown without doing it."""

from .bound import bounded
from .errors import CannotSample, DryRunError, SampleInvalid, Unending
from .judging import Problem
from .nodes import Node
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
