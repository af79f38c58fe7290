"""OpenTelemetry: a span for each run, step and decision. Nothing is imported until one is recorded."""

from .choose import EXTRA, is_wanted, lacking, telemetry
from .spans import Span, Spans, run_ids, step_id

__all__ = ["EXTRA", "Span", "Spans", "is_wanted", "lacking", "run_ids", "step_id", "telemetry"]
