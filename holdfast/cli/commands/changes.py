"""`holdfast changes`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.argument("run")
@click.argument("step")
@click.option("--patch/--stat", "whole", help="Print the whole difference, or only how much of it.")
@json_option
@click.pass_obj
def changes(place: Place, run: str, step: str, whole: bool, as_json: bool) -> None:
    """Show what a step changed in the files: from when it first began until it ended.

    With --patch it is a patch that `git apply` takes. Ignored files are not recorded.
    """
    from ..changed import show_changes

    with place.log() as log:
        show_changes(log, log.run(run), step, whole=whole, as_json=as_json)
