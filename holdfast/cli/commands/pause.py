"""`holdfast pause` and `holdfast unpause`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.argument("run")
@click.option("--reason", default="", metavar="TEXT", help="Why.")
@json_option
@click.pass_obj
def pause(place: Place, run: str, reason: str, as_json: bool) -> None:
    """Let RUN, and its children, begin no new step until `holdfast unpause`.

    Steps at work come to their end, and are recorded. People may decide and signals may come meanwhile.
    """
    from holdfast.pausing import pause as write

    from ..rows import is_alive
    from ..values import print_json

    with place.log() as log:
        is_news = write(log, run, place.actor, reason)
        row = log.run(run)
        alive = is_alive(log, row)
    if as_json:
        print_json({"run": run, "paused": True, "offset": row.head, "owner_alive": alive})
        return
    click.echo(f"paused {run}" if is_news else f"{run} is paused already")
    if alive:
        click.echo("what is at work comes to its end", err=True)
    click.echo(f"let it go on with: {place.command('unpause', run)}", err=True)


@click.command()
@click.argument("run")
@click.option("--reason", default="", metavar="TEXT", help="Why.")
@json_option
@click.pass_obj
def unpause(place: Place, run: str, reason: str, as_json: bool) -> None:
    """Let a paused RUN begin new steps again."""
    from holdfast.pausing import unpause as write

    from ..hints import going_on
    from ..rows import is_alive
    from ..values import print_json

    with place.log() as log:
        write(log, run, place.actor, reason)
        row = log.run(run)
        alive = is_alive(log, row)
        hint = going_on(place, log, row)
    if as_json:
        print_json({"run": run, "paused": False, "offset": row.head, "owner_alive": alive})
        return
    click.echo(f"{run} is paused no more")
    if hint:
        click.echo(hint)
