"""`holdfast ps`."""

import time
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log, RunRow

STATUSES = ("running", "waiting", "succeeded", "failed", "cancelled")


@click.command()
@click.option("--all", "every", is_flag=True, help="All runs, not only the newest ones.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="Only these.")
@json_option
@click.pass_obj
def ps(place: Place, every: bool, limit: int, status: tuple[str, ...], as_json: bool) -> None:
    """List the runs, newest first.

    A run whose process is gone is shown as interrupted: it can be resumed.
    """
    from ..rows import row_object
    from ..values import print_json

    with place.log() as log:
        rows = log.runs(limit=None if every else limit, statuses=status)
        if as_json:
            print_json([row_object(log, row) for row in rows])
        elif rows:
            _print(place, log, rows)
        elif status and log.runs(limit=1):
            which = " or ".join(status)
            click.echo(f"no run is {which}. List all with: {place.command('ps')}", err=True)
        else:
            start = place.command("run")
            click.echo(f"no runs yet. Start one with: {start} FILE", err=True)


def _print(place: Place, log: "Log", rows: "list[RunRow]") -> None:
    from ..words import table

    now = time.time_ns()
    lines = [_cells(log, row, now) for row in rows]
    click.echo(table(["RUN", "WORKFLOW", "STATUS", "UPDATED", ""], lines))
    interrupted = [row for row, cells in zip(rows, lines, strict=True) if "interrupted" in cells[2]]
    if interrupted:
        from ..reasons import root_of

        run = root_of(log, interrupted[0])
        click.echo(f"go on with: {place.command('resume', run)}", err=True)


def _cells(log: "Log", row: "RunRow", now: int) -> list[str]:
    from ..rows import is_alive
    from ..words import duration, one_line

    status = row.status
    if status == "running" and not is_alive(log, row):
        status = "interrupted"
    if row.paused:
        status = "paused"
    ago = f"{duration(max(0, now - row.updated) / 1e9)} ago"
    about = row.error_message or (f"waits for {', '.join(row.waiting)}" if row.waiting else "")
    return [row.run, row.workflow, status, ago, one_line(about, 80)]
