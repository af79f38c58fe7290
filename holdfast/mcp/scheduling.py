"""Tools that start runs at set times, and end that."""

import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from holdfast.eventlog import Log, RunRow
from holdfast.schedules import first_tick, pause, remove, schedules, unpause
from holdfast.servers import server_of

from . import shapes
from .arguments import Limit, Object, Start
from .bounds import page_of
from .calls import next_call
from .desk import Visit
from .starting import Name
from .tool import Asked, Tool

_CHANGES: dict[str, Callable[[Log, str, str], None]] = {
    "paused": pause,
    "unpaused": unpause,
    "removed": remove,
}


class ScheduleWorkflow(Asked, frozen=True):
    workflow: Name
    cron: Annotated[
        str,
        Meta(
            description='Minute, hour, day of month, month, day of week: "0 9 * * 1-5"; or @daily.'
        ),
    ]
    input: Annotated[
        Object, Meta(description="The inputs of each run; describe_workflow lists them.")
    ] = msgspec.field(default_factory=dict[str, Any])
    id: Annotated[
        str | None, Meta(description="The schedule's name; by default the workflow's.")
    ] = None
    zone: Annotated[
        str | None, Meta(description="Whose time it is, as Europe/Berlin; by default here.")
    ] = None
    missed: Annotated[
        Literal["skip", "once", "all"],
        Meta(description="What becomes of the times at which nobody served."),
    ] = "once"
    overlap: Annotated[
        Literal["skip", "queue", "allow"],
        Meta(description="What becomes of a time at which the run before goes on still."),
    ] = "skip"


def schedule_workflow(visit: Visit, asked: ScheduleWorkflow) -> dict[str, Any]:
    """Start runs of a workflow at set times, as cron does. `holdfast serve` has to run for that.

    A wrong input, time or zone is refused before anything is written.
    """
    from holdfast.cli.scheduled import write_schedule
    from holdfast.cron import local_zone

    kit = visit.desk.kit()
    found = kit.load(asked.workflow)
    given = found.check(asked.input)
    name, zone = asked.id or found.name, asked.zone or local_zone()
    first_tick(name, asked.cron, zone, time.time_ns())  # before a log is made
    with visit.desk.log(create=True) as log:
        row = write_schedule(
            visit.place,
            log,
            kit,
            found,
            given,
            reference=asked.workflow,
            name=name,
            cron=asked.cron,
            zone=zone,
            missed=asked.missed,
            overlap=asked.overlap,
        )
        return _answer(log, row)


class ListSchedules(Asked, frozen=True):
    start: Start = 0
    limit: Limit = 30


def list_schedules(visit: Visit, asked: ListSchedules) -> dict[str, Any]:
    """List the schedules: what each starts, when it is due next, what became of its last run."""
    with visit.desk.log() as log:
        return page_of([_told(log, row) for row in schedules(log)], asked.start, asked.limit)


class ChangeSchedule(Asked, frozen=True):
    schedule: Annotated[str, Meta(description="A name that list_schedules has.")]
    to: Annotated[
        Literal["paused", "unpaused", "removed"],
        Meta(description="paused: what falls into that time is not made up for."),
    ]


def change_schedule(visit: Visit, asked: ChangeSchedule) -> dict[str, Any]:
    """Pause a schedule, let it go on, or end it. Its runs are left alone, and its record stays."""
    with visit.desk.log() as log:
        _CHANGES[asked.to](log, asked.schedule, visit.place.actor)
        return _answer(log, log.schedule(asked.schedule))


def _told(log: Log, row: RunRow) -> dict[str, Any]:
    """Return what `holdfast schedule list --json` has of it, with `due` for `next`, which here is a call."""
    from holdfast.cli.scheduled import schedule_object

    about = schedule_object(log, row)
    return {"due" if name == "next" else name: value for name, value in about.items()}


def _answer(log: Log, row: RunRow) -> dict[str, Any]:
    server = server_of(log.path) or None
    following = next_call(["schedule", "list"] if server else ["serve"])
    return {**_told(log, row), "served_by": server, "next": following}


TOOLS = [
    Tool("schedule_workflow", ScheduleWorkflow, shapes.Schedule, "adds", schedule_workflow),
    Tool("list_schedules", ListSchedules, shapes.Counted, "reads", list_schedules),
    Tool("change_schedule", ChangeSchedule, shapes.Schedule, "destroys", change_schedule),
]
