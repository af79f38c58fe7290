"""`holdfast retry`."""

import click

from ..options import progress_options
from ..place import Place


@click.command()
@click.argument("run")
@click.argument("step", required=False)
@click.option("--no-run", is_flag=True, help="Only prepare it; go on with: holdfast resume.")
@progress_options
@click.pass_obj
def retry(
    place: Place, run: str, step: str | None, no_run: bool, as_json: bool, verbose: bool
) -> int:
    """Try a failed step again in place, after its cause was mended, and go on.

    Without STEP it is the one that the run failed for. What was done well is not done again.
    """
    from holdfast.travel import retry_change

    from ..tools import lazily
    from .fork import make

    with place.log() as log:
        wanted = retry_change(log, run, step)
        kit = lazily(place.project())
        return make(
            place, log, kit, run, wanted, go_on=not no_run, as_json=as_json, verbose=verbose
        )
