"""`holdfast resume`."""

import click

from ..options import progress_options
from ..place import Place


@click.command()
@click.argument("run")
@click.option("--takeover", is_flag=True, help="Even when another process executes it.")
@click.option("--detach", is_flag=True, help="Execute it in the background.")
@progress_options
@click.pass_obj
def resume(
    place: Place, run: str, takeover: bool, detach: bool, as_json: bool, verbose: bool
) -> int:
    """Go on with a run that waits or was interrupted.

    What is recorded is not done again. The exit status is that of `holdfast run`.
    """
    from holdfast.errors import RunEnded
    from holdfast.reducer import ENDED

    from ..tools import tools
    from .run import run_in_background, run_in_foreground

    with place.log() as log:
        row = log.run(run)
        if row.status in ENDED:
            raise RunEnded(run, row.status, "resumed")
        if detach:
            return run_in_background(place, log, run, takeover=takeover, as_json=as_json)
        kit = tools(place.project())
        return run_in_foreground(
            place, log, kit, run, takeover=takeover, as_json=as_json, verbose=verbose
        )
