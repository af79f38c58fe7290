"""`holdfast signal`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.argument("run")
@click.argument("name")
@click.argument("payload", required=False)
@json_option
@click.pass_obj
def signal(place: Place, run: str, name: str, payload: str | None, as_json: bool) -> None:
    """Send the signal NAME to RUN, with PAYLOAD as JSON or @FILE.

    It is kept for the run when nothing waits for it yet.
    """
    from holdfast.runs import send_signal

    from ..inputs import parse
    from ..rows import is_alive
    from ..values import print_json

    example = place.command("signal", run, name, '{"answer": 42}')
    value = None if payload is None else parse(payload, "PAYLOAD", example)
    with place.log() as log:
        send_signal(log, run, name, value, place.actor)
        row = log.run(run)
        alive = is_alive(log, row)
    if as_json:
        print_json({"run": run, "signal": name, "offset": row.head, "owner_alive": alive})
        return
    click.echo(f"sent {name!r} to {run}")
    if not alive:
        click.echo(f"go on with: {place.command('resume', row.parent_run or run)}")
