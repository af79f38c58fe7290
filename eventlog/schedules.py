"""What listings know of a schedule, kept up to date event by event. Pure.

A schedule has a branch and a row as runs have them, so that its next tick lies among the timers that are
due, and whoever serves waits for both alike. Its name begins with a sign that no run's name begins with.
"""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from .events import (
    Event,
    ScheduleAdded,
    SchedulePaused,
    ScheduleRemoved,
    ScheduleTicked,
    ScheduleUnpaused,
    UnknownEvent,
)

if TYPE_CHECKING:
    from .projection import RunRow

SCHEDULE_SIGN = "@"
NEXT = "next"
"""The key of the timer that is due at the next tick."""

CHANGING: frozenset[type[Event]] = frozenset(
    {ScheduleAdded, ScheduleTicked, SchedulePaused, ScheduleUnpaused, ScheduleRemoved}
)


def is_schedule(name: str) -> bool:
    """Tell whether a branch's name is that of a schedule, not of a run."""
    return name.startswith(SCHEDULE_SIGN)


def advance(row: "RunRow", event: Event | UnknownEvent) -> "RunRow":
    """Return a schedule's row after one of its events; its `waiting` are the ticks that are queued."""
    match event:
        case ScheduleAdded():
            row = replace(row, workflow=event.workflow, source=event.source, folder=event.folder)
            return replace(row, status="scheduled", timers=_timers(event.next))
        case ScheduleTicked():
            return _ticked(row, event)
        case SchedulePaused():
            return replace(row, paused=True, timers={})
        case ScheduleUnpaused(next=moment):
            return replace(row, paused=False, timers=_timers(moment))
        case ScheduleRemoved():
            return replace(row, status="removed", paused=False, timers={}, waiting=[])
        case _:
            return row


def _ticked(row: "RunRow", event: ScheduleTicked) -> "RunRow":
    tick, waiting = str(event.tick), row.waiting
    if event.outcome == "queued":
        waiting = [*waiting, tick]
    elif tick in waiting:
        waiting = [other for other in waiting if other != tick]
    error = event.error
    return replace(
        row,
        waiting=waiting,
        timers=_timers(event.next),
        last_run=event.run or row.last_run,
        error_code=error.code if error else "",
        error_message=error.message if error else "",
    )


def _timers(moment: int) -> dict[str, int]:
    return {NEXT: moment} if moment else {}
