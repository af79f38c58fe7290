"""`holdfast serve`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.option("--unit", is_flag=True, help="Print a systemd user unit that serves this project.")
@click.option(
    "--http",
    is_flag=False,
    flag_value="",
    metavar="[[ADDRESS:]PORT]",
    help="Serve the HTTP API and MCP as well, on this machine only; port 7463 by default.",
)
@json_option
@click.pass_obj
def serve(place: Place, unit: bool, http: str | None, as_json: bool) -> None:
    """Go on with all runs of the project, as soon as each one can.

    With those that are approved, answered, signalled or unpaused, whose time has come, whose process
    died, and that were left here with --detach. One line is printed for each thing that happens. A
    signal ends it in good order, with status 0; who serves next goes on. A second one kills.
    """
    from .. import served
    from ..http import address_of
    from ..tools import tools

    if unit:
        click.echo(served.unit(place, http), nl=False)
        return
    kit = tools(place.project())
    address = address_of(http, kit.config.serve)
    with place.log(create=True) as log:
        if kit.notifier is not None:
            kit.notifier.begin()
        served.serve(place, log, kit, served.Teller(as_json=as_json), address)
