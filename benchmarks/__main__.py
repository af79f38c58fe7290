"""`python -m benchmarks [NAME...]`: measure, print the table, and keep all samples as JSON."""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from . import fanout, fork, listing, replay, resume, runs, sequence, snapshots, space
from .figures import Figure, table
from .machine import describe
from .sample import Bench

BENCHMARKS: Mapping[str, Callable[[Bench], list[Figure]]] = {
    "sequence": sequence.measure,
    "fanout": fanout.measure,
    "runs": runs.measure,
    "resume": resume.measure,
    "replay": replay.measure,
    "memory": space.memory,
    "size": space.size,
    "ps": listing.measure,
    "fork": fork.measure,
    "snapshot": snapshots.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "file", type=click.Path(dir_okay=False), help="Write all samples here.")
@click.option("--quick", is_flag=True, help="Measure less often, on smaller logs.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=tempfile.gettempdir(),
    help="Where the logs are made: on the disk that is to be measured.",
)
def main(names: tuple[str, ...], file: str | None, quick: bool, folder: Path) -> None:
    """Measure NAMES, or everything, and mark what misses its target."""
    machine = describe(folder)
    click.echo("; ".join(f"{name}: {value}" for name, value in machine.items()))
    bench = Bench(folder, quick=quick)
    figures: list[Figure] = []
    for name in names or BENCHMARKS:
        click.echo(f"measuring {name} ...", err=True)
        figures += BENCHMARKS[name](bench)
    click.echo(table(figures))
    if file is not None:
        Path(file).write_text(json.dumps(_document(machine, figures), indent=1) + "\n")


def _document(machine: Mapping[str, str], figures: list[Figure]) -> dict[str, Any]:
    rows = [
        {**msgspec.to_builtins(figure), "median": figure.value, "missed": figure.is_missed}
        for figure in figures
    ]
    return {"command": sys.argv, "machine": machine, "figures": rows}


if __name__ == "__main__":
    main()
