"""`holdfast schedule`."""

import time
from typing import TYPE_CHECKING, Any

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log, RunRow


@click.group()
def schedule() -> None:
    """Start runs at set times, as cron does; `holdfast serve` starts them."""


@schedule.command("add")
@click.argument("cron")
@click.argument("workflow", metavar="FILE[:NAME]|NAME")
@click.option("--input", "text", metavar="JSON|@FILE", help="The input of each run: an object.")
@click.option(
    "-i", "pairs", metavar="KEY=VALUE", multiple=True, help="One field of it; may be repeated."
)
@click.option("--id", "name", metavar="NAME", help="The schedule's name; else the workflow's.")
@click.option("--zone", metavar="ZONE", help="Whose time it is; else this machine's.")
@click.option(
    "--missed",
    type=click.Choice(["skip", "once", "all"]),
    default="once",
    show_default=True,
    help="What becomes of the times at which nobody served.",
)
@click.option(
    "--overlap",
    type=click.Choice(["skip", "queue", "allow"]),
    default="skip",
    show_default=True,
    help="What becomes of a time at which the run before goes on still.",
)
@json_option
@click.pass_obj
def add(
    place: Place,
    cron: str,
    workflow: str,
    text: str | None,
    pairs: tuple[str, ...],
    name: str | None,
    zone: str | None,
    missed: str,
    overlap: str,
    as_json: bool,
) -> None:
    """Start runs of a workflow whenever CRON is due: minute, hour, day of month, month, day of week.

    Such as "0 9 * * 1-5" for nine o'clock on working days, or @daily. The input is checked now. With
    --missed all, up to 100 times are made up for one by one, with once a single run stands for all of them.
    """
    from holdfast.cron import local_zone
    from holdfast.schedules import first_tick

    from ..inputs import workflow_input
    from ..scheduled import write_schedule
    from ..tools import tools

    kit = tools(place.project())
    found = kit.load(workflow)
    given = workflow_input(found, text, pairs)
    name, zone = name or found.name, zone or local_zone()
    first_tick(name, cron, zone, time.time_ns())  # before a log is made
    with place.log(create=True) as log:
        row = write_schedule(
            place,
            log,
            kit,
            found,
            given,
            reference=workflow,
            name=name,
            cron=cron,
            zone=zone,
            missed=missed,
            overlap=overlap,
        )
        _print_added(place, log, row, as_json=as_json)


def _print_added(place: Place, log: "Log", row: "RunRow", *, as_json: bool) -> None:
    from holdfast.servers import server_of

    from ..scheduled import schedule_object, when
    from ..values import print_json

    if as_json:
        print_json(schedule_object(log, row))
        return
    told = schedule_object(log, row)
    click.echo(told["schedule"])
    click.echo(f"next at {when(log, row)}", err=True)
    if not server_of(log.path):
        click.echo(f"nobody serves this project now. Start: {place.command('serve')}", err=True)


@schedule.command("list")
@json_option
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """List the schedules: when each one is due next, and what became of its last run."""
    from holdfast.schedules import schedules

    from ..scheduled import cells, schedule_object
    from ..values import print_json
    from ..words import table

    with place.log() as log:
        rows = schedules(log)
        if as_json:
            print_json([schedule_object(log, row) for row in rows])
        elif rows:
            now = time.time_ns()
            heads = ["SCHEDULE", "CRON", "WORKFLOW", "NEXT", "LAST RUN"]
            click.echo(table(heads, [cells(log, row, now) for row in rows]))
        else:
            start = place.command("schedule", "add")
            click.echo(f'no schedules. Add one with: {start} "0 9 * * *" FILE', err=True)


def _end(place: Place, name: str, what: str, *, as_json: bool) -> None:
    from holdfast import schedules

    from ..scheduled import schedule_object
    from ..values import print_json

    done: dict[str, Any] = {
        "removed": schedules.remove, "paused": schedules.pause, "unpaused": schedules.unpause,
    }  # fmt: skip
    with place.log() as log:
        done[what](log, name, place.actor)
        if as_json:
            print_json(schedule_object(log, log.schedule(name)))
        else:
            click.echo(f"{name} is {what}", err=True)


@schedule.command()
@click.argument("name")
@json_option
@click.pass_obj
def remove(place: Place, name: str, as_json: bool) -> None:
    """End a schedule. Its runs are left alone, and so is what is recorded of it."""
    _end(place, name, "removed", as_json=as_json)


@schedule.command()
@click.argument("name")
@json_option
@click.pass_obj
def pause(place: Place, name: str, as_json: bool) -> None:
    """Let a schedule start nothing for now; what would have been started is not made up for."""
    _end(place, name, "paused", as_json=as_json)


@schedule.command()
@click.argument("name")
@json_option
@click.pass_obj
def unpause(place: Place, name: str, as_json: bool) -> None:
    """Let a paused schedule go on."""
    _end(place, name, "unpaused", as_json=as_json)
