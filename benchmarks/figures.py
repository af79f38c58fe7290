"""Figures, their targets, and the table that shows which of them were missed. Pure."""

from collections.abc import Sequence
from statistics import median

import msgspec


class Target(msgspec.Struct, frozen=True):
    """What a figure is to reach: `limit` or more, or `limit` or less."""

    limit: float
    at_least: bool

    def is_met_by(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {number(self.limit)}"


class Figure(msgspec.Struct, frozen=True):
    """One measured thing: all of its samples, and what its median is to reach."""

    name: str
    unit: str
    samples: list[float]
    target: Target | None = None

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def is_missed(self) -> bool:
        return self.target is not None and not self.target.is_met_by(self.value)


def at_least(limit: float) -> Target:
    return Target(limit, at_least=True)


def at_most(limit: float) -> Target:
    return Target(limit, at_least=False)


def ratios(
    name: str, over: Sequence[float], under: Sequence[float], target: Target | None
) -> Figure:
    """Return the figure of what was measured in pairs: each sample is one pair's ratio."""
    pairs = zip(over, under, strict=True)
    return Figure(name, "ratio", [one / other for one, other in pairs], target)


def number(value: float) -> str:
    """Return a number with three digits that count, or all of those before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned lines: median, unit, range, number of samples, target."""
    rows = [("", "median", "", "from - to", "n", "target", ""), *map(_row, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in (1, 3, 4) else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(figure: Figure) -> tuple[str, ...]:
    samples = figure.samples
    return (
        figure.name,
        number(figure.value),
        figure.unit,
        f"{number(min(samples))} - {number(max(samples))}",
        str(len(samples)),
        str(figure.target or ""),
        "MISSED" if figure.is_missed else "",
    )
