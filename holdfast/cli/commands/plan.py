"""`holdfast plan`: what a fork, a rewind, a retry or a resume would do."""

from typing import TYPE_CHECKING, Any, Literal

import click

from ..changes import change, change_options, changed_code_option
from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.travel import Change

    from ..tools import Tools


@click.group()
def plan() -> None:
    """Tell what would be done: what is taken over, what runs and why, what it cost before.

    Nothing is written and nothing is executed.
    """


@plan.command()
@click.argument("run")
@click.option("--at", metavar="N|STEP", help="The frame, or the step before which to leave.")
@change_options
@json_option
@click.pass_obj
def fork(place: Place, /, run: str, at: str | None, as_json: bool, **options: Any) -> None:
    """Plan `holdfast fork` with the same options."""
    _plan(place, "fork", run, at, options, as_json=as_json)


@plan.command()
@click.argument("run")
@click.option("--to", "at", metavar="N|STEP", required=True, help="The frame, or a step.")
@change_options
@json_option
@click.pass_obj
def rewind(place: Place, /, run: str, at: str, as_json: bool, **options: Any) -> None:
    """Plan `holdfast rewind` with the same options."""
    _plan(place, "rewind", run, at, options, as_json=as_json)


@plan.command()
@click.argument("run")
@click.argument("step", required=False)
@json_option
@click.pass_obj
def retry(place: Place, run: str, step: str | None, as_json: bool) -> None:
    """Plan `holdfast retry`."""
    from holdfast.travel import retry_change

    from ..tools import lazily

    with place.log() as log:
        _show(log, lazily(place.project()), run, retry_change(log, run, step), as_json=as_json)


@plan.command()
@click.argument("run")
@changed_code_option
@json_option
@click.pass_obj
def resume(place: Place, run: str, changed_code: Literal["keep", "rerun"], as_json: bool) -> None:
    """Plan `holdfast resume --accept`: going on with the workflow's code as it is now."""
    from holdfast.travel import Change

    from ..tools import lazily

    with place.log() as log:
        wanted = Change("accept", changed_code=changed_code)
        _show(log, lazily(place.project()), run, wanted, as_json=as_json)


def _plan(
    place: Place, reason: str, run: str, at: str | None, options: dict[str, Any], *, as_json: bool
) -> None:
    from ..tools import lazily

    with place.log() as log:
        kit = lazily(place.project())
        wanted = change(log, kit.load, run, reason, at, options)
        _show(log, kit, run, wanted, as_json=as_json)


def _show(log: "Log", kit: "Tools", run: str, wanted: "Change", *, as_json: bool) -> None:
    from holdfast.settings import roles_of
    from holdfast.travel import plan as planned

    from ..plans import plan_object, print_plan
    from ..values import print_json

    found = planned(log, kit.load, run, wanted, roles=roles_of(kit.config))
    if as_json:
        print_json(plan_object(found))
    else:
        print_plan(found)
