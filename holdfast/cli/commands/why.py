"""`holdfast why`."""

import time

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.argument("run")
@json_option
@click.pass_obj
def why(place: Place, run: str, as_json: bool) -> None:
    """Say what RUN waits for or why it failed, since when, and what to type next."""
    from holdfast.runs import read_state

    from ..reasons import reasons
    from ..values import print_json
    from ..words import duration, moment, printable, rfc3339

    now = time.time_ns()
    with place.log() as log:
        row = log.run(run)
        state = read_state(log, row.branch)
        found = reasons(place, log, row, state, now)
    told = [
        {"kind": r.kind, "reason": r.text, "since": rfc3339(r.since), "command": r.command}
        for r in found
    ]
    if as_json:
        print_json({"run": run, "status": state.status, **told[0], "also": told[1:]})
        return
    first, *others = found
    ago = duration(max(0, now - first.since) / 1e9)
    more = f"; {len(others)} more: {place.command('why', run, '--json')}" if others else ""
    click.echo(printable(f"{run} {first.text}"))
    click.echo(f"since {moment(first.since)}, {ago} ago{more}")
    click.echo(first.command)
