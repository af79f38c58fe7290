"""The comparison as text: ratios, medians, and all that a reader must know of each system. Pure."""

from collections.abc import Callable, Sequence

from ..figures import number
from .results import Column, Row, holdfast_of, ratio

Cell = Callable[[Row, Column], str]
HEADING = "times what Holdfast takes: 2 is twice as much, and what is marked * takes less"


def text(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Return both tables and what stands below them."""
    holdfast = holdfast_of(columns)
    present = [column for column in columns if not column.missing]

    def times(row: Row, column: Column) -> str:
        if column is holdfast:
            return "1" if holdfast.value(row) is not None else _gap(row, column)
        found = ratio(row, column, holdfast)
        return _gap(row, column) if found is None else number(found) + "*" * (found < 1)

    def median(row: Row, column: Column) -> str:
        value = column.value(row)
        return _gap(row, column) if value is None else number(value)

    return "\n".join(
        [
            HEADING,
            _table(rows, present, times),
            "",
            "medians",
            _table(rows, present, median),
            "",
            *(line for column in columns for line in _about(column)),
        ]
    )


def _gap(row: Row, column: Column) -> str:
    return "ERROR" if row.task in column.errors else "-"


def _table(rows: Sequence[Row], columns: Sequence[Column], cell: Cell) -> str:
    head = ["", "", *(column.system.title for column in columns)]
    body = [[row.title, row.unit, *(cell(row, column) for column in columns)] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(head, *body, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if index < 2 else text.rjust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (head, *body)
    )


def _about(column: Column) -> list[str]:
    system = column.system
    if column.missing:
        return [f"{system.title}: {column.missing}"]
    versions = ", ".join(f"{name} {version}" for name, version in column.versions.items())
    return [
        f"{system.title} ({versions})",
        f"  flush: {system.flush}",
        *(f"  {note}" for note in system.notes),
        *(f"  no {task} (-): {why}" for task, why in system.lacks.items()),
        *(f"  ERROR in {task}: {_last_line(error)}" for task, error in column.errors.items()),
    ]


def _last_line(error: str) -> str:
    return error.strip().rpartition("\n")[2]
