"""Schedules as people add them and see them: as data, and as a line of a table."""

import datetime
from typing import TYPE_CHECKING, Any

from holdfast.cron import zone_of
from holdfast.errors import ScheduleInvalid
from holdfast.eventlog import Log, NoSuchRun, RunRow
from holdfast.schedules import add_schedule, addition, name_of, next_tick

from .inputs import source_of
from .place import Place
from .values import decoded
from .words import SECOND, duration, one_line, rfc3339

if TYPE_CHECKING:
    from holdfast.reducer import Workflow

    from .tools import Tools


def write_schedule(
    place: Place,
    log: Log,
    kit: "Tools",
    found: "Workflow",
    given: dict[str, object],
    *,
    reference: str,
    name: str,
    cron: str,
    zone: str,
    missed: str,
    overlap: str,
) -> RunRow:
    """Record a schedule for runs of a workflow that was found by `reference`, with checked input.

    Raises ScheduleInvalid, ScheduleExists; nothing is written then.
    """
    from holdfast.engine import Engine

    made = Engine(log, kit.plugins, kit.load, config=kit.config).prepare(
        found, given, run="", folder=str(place.project().root), source=source_of(reference)
    )
    return add_schedule(
        log,
        name,
        made,
        cron=cron,
        zone=zone,
        actor=place.actor,
        missed=missed,
        overlap=overlap,
    )


def schedule_object(log: Log, row: RunRow) -> dict[str, Any]:
    record, added = addition(log, row)
    error = {"code": row.error_code, "message": row.error_message} if row.error_code else None
    return {
        "schedule": name_of(row),
        "status": "paused" if row.paused else row.status,
        "cron": added.cron,
        "zone": added.zone,
        "workflow": added.workflow,
        "source": added.source,
        "input": decoded(log, added.input),
        "missed": added.missed,
        "overlap": added.overlap,
        "next": rfc3339(next_tick(row)),
        "queued": [rfc3339(int(tick)) for tick in row.waiting],
        "last_run": row.last_run or None,
        "last_status": _status(log, row.last_run) or None,
        "error": error,
        "added": rfc3339(record.time),
        "added_by": record.actor,
    }


def cells(log: Log, row: RunRow, now: int) -> list[str]:
    _, added = addition(log, row)
    upcoming = next_tick(row)
    soon = f"{when(log, row)} (in {duration(max(0, upcoming - now) / SECOND)})" if upcoming else ""
    last = f"{row.last_run} {_status(log, row.last_run)}".strip()
    about = [
        last, f"{len(row.waiting)} queued" if row.waiting else "", one_line(row.error_message, 80)
    ]  # fmt: skip
    state = "paused" if row.paused else soon or "never"
    return [name_of(row), added.cron, added.workflow, state, "; ".join(filter(None, about))]


def when(log: Log, row: RunRow) -> str:
    """Say when a schedule is due next, in its own time."""
    _, added = addition(log, row)
    try:
        zone: datetime.tzinfo = zone_of(added.zone)
    except ScheduleInvalid:
        zone = datetime.UTC
    date = datetime.datetime.fromtimestamp(next_tick(row) // SECOND, zone)
    return f"{date:%Y-%m-%d %H:%M} {date.tzinfo}"


def _status(log: Log, run: str) -> str:
    try:
        return log.run(run).status if run else ""
    except NoSuchRun:
        return ""
