"""`python -m benchmarks [NAME...]`: measure, print the tables, and keep all samples as JSON."""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from . import crowd, fanout, fork, listing, replay, resume, runs, sequence, snapshots, space
from .figures import Figure, table
from .machine import describe
from .peers import results
from .peers.compare import compare
from .peers.results import Column, Row
from .peers.systems import PEERS, System, chosen
from .peers.table import text
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
    "serve": crowd.measure,
}
Compared = tuple[list[Row], list[Column]]


def _systems(context: click.Context, option: click.Parameter, only: str) -> tuple[System, ...]:
    try:
        return chosen(only)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*BENCHMARKS, "peers"]))
@click.option("--json", "file", type=click.Path(dir_okay=False), help="Write all samples here.")
@click.option("--quick", is_flag=True, help="Measure less often, on smaller logs.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=tempfile.gettempdir(),
    help="Where the logs are made: on the disk that is to be measured.",
)
@click.option(
    "--only",
    default="",
    metavar="PEER,...",
    callback=_systems,
    help=f"With `peers`: only some of {', '.join(system.name for system in PEERS)}.",
)
def main(
    names: tuple[str, ...], file: str | None, quick: bool, folder: Path, only: tuple[System, ...]
) -> None:
    """Measure NAMES, or everything but `peers`, and mark what misses its target.

    `peers` measures Holdfast beside other systems that keep runs, on the same work.
    """
    machine = describe(folder)
    click.echo("; ".join(f"{name}: {value}" for name, value in machine.items()))
    bench = Bench(folder, quick=quick)
    figures = _figures(bench, [name for name in names or BENCHMARKS if name != "peers"])
    compared = _compared(bench, only) if "peers" in names else None
    if file is not None:
        Path(file).write_text(json.dumps(_document(machine, figures, compared), indent=1) + "\n")
    if compared is not None and any(column.errors for column in compared[1]):
        sys.exit(1)


def _figures(bench: Bench, names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    for name in names:
        click.echo(f"measuring {name} ...", err=True)
        figures += BENCHMARKS[name](bench)
    if figures:
        click.echo(table(figures))
    return figures


def _compared(bench: Bench, systems: tuple[System, ...]) -> Compared:
    rows, columns = compare(bench, systems, lambda line: click.echo(line, err=True))
    click.echo(text(rows, columns))
    return rows, columns


def _document(
    machine: Mapping[str, str], figures: list[Figure], compared: Compared | None
) -> dict[str, Any]:
    rows = [
        {**msgspec.to_builtins(figure), "median": figure.value, "missed": figure.is_missed}
        for figure in figures
    ]
    peers = {} if compared is None else {"peers": results.document(*compared)}
    return {"command": sys.argv, "machine": machine, "figures": rows, **peers}


if __name__ == "__main__":
    main()
