"""`holdfast show`."""

from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.reducer import State


@click.command()
@click.argument("run")
@click.option("--at", type=click.IntRange(0), metavar="N", help="As it was after N events.")
@json_option
@click.pass_obj
def show(place: Place, run: str, at: int | None, as_json: bool) -> None:
    """Show a run: its state, steps and what it waits for."""
    from ..shapes import show_object
    from ..values import print_json
    from ..view import print_state

    with place.log() as log:
        row = log.run(run)
        state = state_at(log, run, row.branch, at)
        if as_json:
            print_json(show_object(log, state, row))
        else:
            print_state(place, log, state, row, at)


def state_at(log: "Log", run: str, branch: int, at: int | None) -> "State":
    from holdfast.errors import NoSuchFrame
    from holdfast.runs import read_state

    if at is not None and at > (head := log.head(branch)):
        raise NoSuchFrame(run, at, head)
    state = read_state(log, branch, at)
    if state.run == run:
        return state
    import msgspec

    # Its history has no name before the first event, and before a fork that of another run.
    return msgspec.structs.replace(state, run=run)
