"""`holdfast gc`."""

from typing import TYPE_CHECKING, NamedTuple

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.cleaning import Cleaned
    from holdfast.eventlog import Compacted, HoldfastError, Spare


class Outcome(NamedTuple):
    """What became of everything: of the log what could go, what was done, or why not."""

    dry_run: bool
    cleaned: "Cleaned"
    spare: "Spare"
    compacted: "Compacted | None"
    error: "HoldfastError | None"


@click.command()
@click.option("--dry-run", is_flag=True, help="Tell what would go, and remove nothing.")
@click.option(
    "--unmerged", is_flag=True,
    help="Worktrees with unmerged work too: the run's snapshots keep it then.",
)  # fmt: skip
@json_option
@click.pass_obj
def gc(place: Place, dry_run: bool, unmerged: bool, as_json: bool) -> int:
    """Remove what nobody needs: worktrees of ended runs, snapshots of no run, space in the log.

    A worktree goes when its run has ended and its work is in your branches. No event is ever removed:
    the log is written anew without free pages, which needs that nothing else has it open.
    """
    from ..cleanup import lines, notes, outcome_object
    from ..failures import tell
    from ..values import print_json

    done = _clean(place, dry_run=dry_run, unmerged=unmerged)
    if as_json:
        print_json(outcome_object(done))
    else:
        for line in lines(done):
            click.echo(line)
        for note in notes(done, place.command("workspaces")):
            click.echo(note, err=True)
    if done.error is None:
        return 0
    return done.error.exit_status if as_json else tell(done.error, place, as_json=False)


def _clean(place: Place, *, dry_run: bool, unmerged: bool) -> Outcome:
    from functools import partial

    import trio

    from holdfast.cleaning import clean
    from holdfast.eventlog import HoldfastError, compact, spare

    from ..cleanup import Meter

    project = place.project()
    with place.log() as log, Meter() as meter:
        meter.tell("looking at worktrees and snapshots", 0, 1)
        work = partial(clean, log, project.root, dry_run=dry_run, unmerged_too=unmerged)
        cleaned = trio.run(work)
        meter.tell("looking for what nobody needs in the log", 0, 1)
        could_go = spare(log)
    if dry_run or not could_go.is_worthwhile:
        return Outcome(dry_run, cleaned, could_go, None, None)
    with Meter() as meter:
        try:
            compacted = compact(project.log_folder, meter.tell)
        except HoldfastError as error:
            return Outcome(dry_run, cleaned, could_go, None, error)
    return Outcome(dry_run, cleaned, could_go, compacted, None)
