"""`holdfast signal`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.argument("run")
@click.argument("name")
@click.argument("payload", required=False)
@click.option("--key", default="", help="For whoever waits for it with this key.")
@click.option("--data", metavar="JSON|@FILE", help="The payload; @- reads it.")
@json_option
@click.pass_obj
def signal(
    place: Place,
    run: str,
    name: str,
    payload: str | None,
    key: str,
    data: str | None,
    as_json: bool,
) -> None:
    """Send the signal NAME to RUN, with PAYLOAD as JSON or @FILE.

    It is kept for the run when nothing waits for it yet, in the order in which signals came.
    """
    from holdfast.runs import send_signal

    from ..hints import going_on
    from ..inputs import parse
    from ..rows import is_alive
    from ..values import print_json

    if payload is not None and data is not None:
        raise click.UsageError("PAYLOAD and --data are the same: give one of them")
    example = place.command("signal", run, name, '{"answer": 42}')
    option = "PAYLOAD" if data is None else "--data"
    given = payload if data is None else data
    value = None if given is None else parse(given, option, example)
    with place.log() as log:
        send_signal(log, run, name, value, place.actor, key=key)
        row = log.run(run)
        alive = is_alive(log, row)
        hint = going_on(place, log, row)
    if as_json:
        print_json(
            {
                "run": run,
                "signal": name,
                "key": key or None,
                "offset": row.head,
                "owner_alive": alive,
            }
        )
        return
    click.echo(f"sent {name!r} to {run}")
    if hint:
        click.echo(hint)
