"""`holdfast cancel`."""

from typing import TYPE_CHECKING

import click

from ..options import progress_options
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log


@click.command()
@click.argument("run")
@click.option("--reason", default="", metavar="TEXT", help="Why.")
@progress_options
@click.pass_obj
def cancel(place: Place, run: str, reason: str, as_json: bool, verbose: bool) -> int:
    """Cancel a run; its clean-up still happens.

    Where no process executes the run, this one does, so that its `finally` blocks run.
    """
    from holdfast.runs import request_cancel
    from holdfast.servers import is_served

    from ..rows import is_alive
    from ..values import print_json

    with place.log() as log:
        request_cancel(log, run, place.actor, reason)
        row = log.run(run)
        if not is_alive(log, row) and not is_served(log, row):
            return _finish_here(place, log, run, as_json=as_json, verbose=verbose)
    if as_json:
        print_json({"run": run, "status": row.status, "cancelling": True, "owner_alive": True})
    else:
        click.echo(f"asked the process that executes {run} to cancel it")
        click.echo(f"watch it with: {place.command('watch', run)}", err=True)
    return 0


def _finish_here(place: Place, log: "Log", run: str, *, as_json: bool, verbose: bool) -> int:
    from ..tools import tools
    from .run import run_in_foreground

    kit = tools(place.project())
    status = run_in_foreground(place, log, kit, run, as_json=as_json, verbose=verbose)
    return 0 if log.run(run).status == "cancelled" else status
