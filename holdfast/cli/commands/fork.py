"""`holdfast fork` and `holdfast rewind`."""

from typing import TYPE_CHECKING, Any

import click

from ..changes import change, change_options
from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.travel import Change

    from ..tools import Tools

GO_ON = click.option("--run", "go_on", is_flag=True, help="Execute it at once, in the foreground.")


@click.command()
@click.argument("run")
@click.option("--at", metavar="N|STEP", help="The frame, or the step before which to leave.")
@click.option("--id", "given_id", metavar="ID", help="The new run's id; by default one is made.")
@change_options
@GO_ON
@json_option
@click.pass_obj
def fork(
    place: Place, /, run: str, at: str | None, given_id: str | None, go_on: bool, as_json: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Make a new run that shares the history of RUN up to a frame. RUN stays as it is.

    --at STEP is before that step, which runs again, or takes the result given by --set. Without --at
    it is before the first step that is changed. In a fork every effect asks before it happens.
    """
    from ..inputs import run_id

    name = None if given_id is None else run_id(given_id, "")
    return _leave(place, "fork", run, at, name, go_on=go_on, as_json=as_json, options=options)


@click.command()
@click.argument("run")
@click.option("--to", "at", metavar="N|STEP", required=True, help="The frame, or a step.")
@change_options
@GO_ON
@json_option
@click.pass_obj
def rewind(place: Place, /, run: str, at: str, go_on: bool, as_json: bool, **options: Any) -> int:
    """Take RUN back to a frame, or to before a step.

    What came after stays: as RUN@BRANCH, listed by `holdfast tree RUN`.
    """
    return _leave(place, "rewind", run, at, None, go_on=go_on, as_json=as_json, options=options)


def _leave(
    place: Place, reason: str, run: str, at: str | None, name: str | None, *, go_on: bool,
    as_json: bool, options: dict[str, Any],
) -> int:  # fmt: skip
    from ..tools import lazily

    with place.log() as log:
        kit = lazily(place.project())
        wanted = change(log, kit.load, run, reason, at, options)
        return make(place, log, kit, run, wanted, name=name, go_on=go_on, as_json=as_json)


def make(
    place: Place, log: "Log", kit: "Tools", run: str, wanted: "Change", *, name: str | None = None,
    go_on: bool = False, as_json: bool = False, verbose: bool = False,
) -> int:  # fmt: skip
    """Make what was asked for, say so, and go on with it where that is wanted."""
    from holdfast.insiders import refuse_release, surroundings
    from holdfast.travel import fork as leave

    from ..values import print_json
    from .run import run_in_foreground

    branch = log.branch_of(run)
    refuse_release(log, run, wanted, surroundings())
    made, offset = leave(log, kit.load, run, wanted, actor=place.actor, id=name)
    if as_json and not go_on:
        print_json({"run": made, "parent": parent_name(run, made, branch), "offset": offset})
    elif not as_json:
        parent = parent_name(run, made, branch)
        click.echo(made)
        click.echo(f"left {parent} at {offset}", err=True)
    if go_on:
        return run_in_foreground(place, log, kit, made, as_json=as_json, verbose=verbose)
    if not as_json:
        click.echo(f"go on with it: {place.command('resume', made)}", err=True)
    return 0


def parent_name(run: str, made: str, branch: int) -> str:
    """Return how the origin is called from now on."""
    return run if made != run.partition("@")[0] else f"{made}@{branch}"
