"""`holdfast resume`."""

from typing import TYPE_CHECKING, Literal

import click

from ..changes import changed_code_option
from ..options import progress_options
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.reducer import Edits


@click.command()
@click.argument("run")
@click.option("--takeover", is_flag=True, help="Even when another process executes it.")
@click.option(
    "--accept", is_flag=True, help="With the workflow's code as it is now, though it was changed."
)
@changed_code_option
@click.option(
    "--keep-edits",
    "edits",
    flag_value="keep",
    help="Where other files are to be brought back: go on with those that are there.",
)
@click.option(
    "--discard-edits",
    "edits",
    flag_value="discard",
    help="Bring them back though somebody edited them; the edits stay in a snapshot.",
)
@click.option("--detach", is_flag=True, help="Execute it in the background.")
@progress_options
@click.pass_obj
def resume(
    place: Place,
    run: str,
    takeover: bool,
    accept: bool,
    changed_code: Literal["keep", "rerun"],
    edits: "Edits | None",
    detach: bool,
    as_json: bool,
    verbose: bool,
) -> int:
    """Go on with a run that waits or was interrupted.

    What is recorded is not done again. With --accept, steps that the changed code asks for otherwise
    run again, and what depends on them; `holdfast plan resume` tells which. The exit status is that of
    `holdfast run`.
    """
    from holdfast.errors import RunEnded
    from holdfast.reducer import ENDED, changes_of_roles
    from holdfast.runs import roles_of_run
    from holdfast.settings import roles_of

    from ..tools import tools
    from .run import run_in_background, run_in_foreground

    if detach and edits:
        raise click.UsageError(
            "--keep-edits and --discard-edits need the foreground: leave out --detach"
        )
    with place.log() as log:
        row = log.run(run)
        if row.status in ENDED:
            raise RunEnded(run, row.status, "resumed")
        if accept or changed_code == "rerun":
            move_on(place, log, run, changed_code, quiet=as_json)
        if detach:
            return run_in_background(place, log, run, takeover=takeover, as_json=as_json)
        kit = tools(place.project())
        if not as_json:
            for change in changes_of_roles(roles_of_run(log, row), roles_of(kit.config)):
                click.echo(f"role {change}, for steps that have not begun", err=True)
        return run_in_foreground(
            place,
            log,
            kit,
            run,
            takeover=takeover,
            edits=edits or "refuse",
            as_json=as_json,
            verbose=verbose,
        )


def move_on(
    place: Place,
    log: "Log",
    run: str,
    changed_code: Literal["keep", "rerun"] = "keep",
    *,
    quiet: bool = False,
) -> None:
    """Let a run leave its history where the workflow's code asks for something else by now."""
    from holdfast.insiders import refuse_release, surroundings
    from holdfast.settings import roles_of
    from holdfast.travel import Change, depart, fork, plan

    from ..plans import print_plan
    from ..tools import lazily

    kit = lazily(place.project())
    load = kit.load
    wanted = Change("accept", changed_code=changed_code)
    refuse_release(log, run, wanted, surroundings())
    departure = depart(log, load, run, wanted)
    if departure.base == departure.at:
        return
    if not quiet:
        roles = roles_of(kit.config)
        print_plan(plan(log, load, run, wanted, departure=departure, roles=roles), err=True)
    fork(log, load, run, wanted, actor=place.actor, departure=departure)
