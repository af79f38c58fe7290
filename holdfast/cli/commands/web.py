"""`holdfast web`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.option(
    "--http",
    metavar="[ADDRESS:]PORT",
    default="0",
    help="Where, on this machine; by default at any port that is free.",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@json_option
@click.pass_obj
def web(place: Place, http: str, no_browser: bool, as_json: bool) -> None:
    """Look at runs in a browser: any frame of them, their steps, what they wait for.

    Prints the address, which opens the pages for whoever has it, and serves them until Ctrl-C. It executes
    no run: what is approved there goes on in `holdfast serve`, or in a process in the background.
    """
    import os

    from holdfast.config import ServeConfig
    from holdfast.insiders import surroundings

    from ..http import address_of

    address = address_of(http, ServeConfig())
    assert address is not None, "one was given"
    from ..debugger import can_open, show

    os.environ.update(surroundings())  # also for the runs that go on from here
    with place.log(create=True) as log:
        show(place, log, address, browser=not no_browser and can_open(os.environ))
