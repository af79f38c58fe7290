"""What was measured, as rows of systems, and how each relates to Holdfast. Pure."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import msgspec

from ..sample import Sample
from .systems import HOLDFAST, System


class Sizes(msgspec.Struct, frozen=True):
    """How much work there is in a round."""

    steps: int
    runs: int
    steps_of_run: int = 5


class Row(msgspec.Struct, frozen=True):
    """One cost: the field of a task's sample, times `factor`, is in `unit`."""

    name: str
    title: str
    unit: str
    task: str
    field: str
    factor: float


class Column(msgspec.Struct):
    """What one system took: samples by row, errors by task, or how to get what is missing."""

    system: System
    versions: Mapping[str, str] = {}
    missing: str = ""
    samples: dict[str, list[float]] = msgspec.field(default_factory=dict[str, list[float]])
    errors: dict[str, str] = msgspec.field(default_factory=dict[str, str])

    def add(self, rows: Sequence[Row], task: str, sample: Sample) -> None:
        """Take a task's sample into the rows that show it."""
        for row in rows:
            if row.task == task:
                self.samples.setdefault(row.name, []).append(sample[row.field] * row.factor)

    def fail(self, rows: Sequence[Row], task: str, error: str) -> None:
        """Keep why a task failed, and nothing else of it."""
        self.errors[task] = error
        for row in rows:
            if row.task == task:
                self.samples.pop(row.name, None)

    def value(self, row: Row) -> float | None:
        """Return the median of a row, where there is one."""
        samples = self.samples.get(row.name)
        return median(samples) if samples else None


def rows_of(sizes: Sizes) -> list[Row]:
    """Return all costs that are compared."""
    steps, each = f"{sizes.steps:,}", 1e3 / sizes.steps
    return [
        Row("sequence", f"a step of {steps}, one after another", "ms", "sequence", "seconds", each),
        Row("fanout", f"a step of {steps} at once", "ms", "fanout", "seconds", each),
        Row(
            "runs",
            f"a run of {sizes.steps_of_run} steps, {sizes.runs} runs",
            "ms",
            "runs",
            "seconds",
            1e3 / sizes.runs,
        ),
        Row("resume", f"kill -9 at {steps}, to first new step", "ms", "resume", "seconds", 1e3),
        Row("fork", f"fork at {sizes.steps // 2:,}, until made", "ms", "fork", "seconds", 1e3),
        Row("fork-first", "fork, to first new step", "ms", "fork", "first", 1e3),
        Row("fork-bytes", "fork, bytes added", "bytes", "fork", "bytes", 1),
        Row("replay", f"reading {steps} steps back", "ms", "replay", "seconds", 1e3),
        Row("disk", "disk for a step", "bytes", "sequence", "bytes", 1 / sizes.steps),
        Row("memory", "peak memory", "MB", "sequence", "resident", 1e-6),
    ]


def ratio(row: Row, column: Column, holdfast: Column) -> float | None:
    """Return how many times what Holdfast takes a system takes: the median over the rounds."""
    theirs, ours = column.samples.get(row.name), holdfast.samples.get(row.name)
    if not theirs or not ours or 0 in ours:
        return None
    return median(one / other for one, other in zip(theirs, ours, strict=True))


def holdfast_of(columns: Sequence[Column]) -> Column:
    return next(column for column in columns if column.system == HOLDFAST)


def document(rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, Any]:
    """Return everything as JSON has it."""
    return {
        "ratio": "times what Holdfast takes, the median over the rounds; less is better",
        "rows": [{"name": row.name, "title": row.title, "unit": row.unit} for row in rows],
        "systems": [_system(rows, column, holdfast_of(columns)) for column in columns],
    }


def _system(rows: Sequence[Row], column: Column, holdfast: Column) -> dict[str, Any]:
    system = column.system
    return {
        "name": system.name,
        "versions": dict(column.versions),
        "flush": system.flush,
        "notes": list(system.notes),
        "missing": column.missing,
        "lacks": dict(system.lacks),
        "errors": column.errors,
        "samples": column.samples,
        "medians": {row.name: column.value(row) for row in rows},
        "ratios": {row.name: ratio(row, column, holdfast) for row in rows},
    }
