"""Schedules, as people make and end them: each is a branch of the log with an event for all that happens.

What starts the runs is in ticking.py.
"""

import re
import time
from collections.abc import Callable

from msgspec.structs import replace

from holdfast.eventlog import (
    NEXT,
    SCHEDULE_SIGN,
    BranchMoved,
    Event,
    Log,
    NewRun,
    NoSuchSchedule,
    Record,
    RunExists,
    RunRow,
    RunStarted,
    ScheduleAdded,
    SchedulePaused,
    ScheduleRemoved,
    ScheduleUnpaused,
    ring,
)

from .cron import Cron
from .errors import ScheduleExists, ScheduleInvalid

MISSED = ("skip", "once", "all")
OVERLAP = ("skip", "queue", "allow")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def add_schedule(
    log: Log,
    name: str,
    made: NewRun,
    *,
    cron: str,
    zone: str,
    actor: str,
    missed: str = "once",
    overlap: str = "skip",
    now: int = 0,
) -> RunRow:
    """Record a schedule for runs like `made`, which was checked and is not recorded itself.

    Raises ScheduleInvalid, ScheduleExists; nothing is written then.
    """
    moment = now or time.time_ns()
    started = made.events[0]
    assert isinstance(started, RunStarted)
    first = first_tick(name, cron, zone, moment)
    added = ScheduleAdded(
        name,
        cron,
        zone,
        started.workflow,
        started.source,
        first,
        started.input,
        started.folder,
        missed,
        overlap,
    )
    _write(log, name, NewRun(SCHEDULE_SIGN + name, [added], actor, moment, made.blobs))
    return log.schedule(name)


def first_tick(name: str, cron: str, zone: str, now: int) -> int:
    """Return when a schedule would be due first. Raises ScheduleInvalid."""
    if not _NAME.fullmatch(name):
        why = (
            "a name is 1 to 80 letters, digits, '.', '_' and '-', and begins with a letter or digit"
        )
        raise ScheduleInvalid("name", name, why)
    first = Cron(cron, zone).next(now)
    if not first:
        raise ScheduleInvalid("cron", cron, "there is no such day in 50 years")
    return first


def _write(log: Log, name: str, new: NewRun) -> None:
    """Begin a schedule's branch, in the place of a removed one of the same name. Raises ScheduleExists."""
    try:
        old = log.schedule(name)
        if old.status != "removed":
            raise ScheduleExists(name)
        new = replace(new, replaces=True, expected=old.head)
    except NoSuchSchedule:
        pass
    try:
        log.write_one(new)
    except (RunExists, BranchMoved) as error:
        raise ScheduleExists(name) from error
    ring(log.path)


def schedules(log: Log) -> list[RunRow]:
    """Return the rows of all schedules, by name."""
    return sorted(log.runs(statuses=("scheduled",)), key=lambda row: row.run)


def schedule(log: Log, name: str) -> RunRow:
    """Return a schedule's row. Raises NoSuchSchedule, also where it was removed."""
    row = log.schedule(name)
    if row.status == "removed":
        raise NoSuchSchedule(name)
    return row


def name_of(row: RunRow) -> str:
    return row.run.removeprefix(SCHEDULE_SIGN)


def addition(log: Log, row: RunRow) -> tuple[Record, ScheduleAdded]:
    """Return the record that added a schedule, with its event: what it does."""
    record = next(log.records(row.branch, 0, 1))
    assert isinstance(record.event, ScheduleAdded)
    return record, record.event


def remove(log: Log, name: str, actor: str, *, now: int = 0) -> None:
    """End a schedule; its runs are left alone. Raises NoSuchSchedule."""
    _append(log, name, lambda row, moment: ScheduleRemoved(), actor, now)


def pause(log: Log, name: str, actor: str, *, now: int = 0) -> None:
    """Let a schedule start nothing for now. Raises NoSuchSchedule."""
    _append(log, name, lambda row, moment: None if row.paused else SchedulePaused(), actor, now)


def unpause(log: Log, name: str, actor: str, *, now: int = 0) -> None:
    """Let a schedule go on, with the next tick from now. Raises NoSuchSchedule."""

    def decide(row: RunRow, moment: int) -> Event | None:
        if not row.paused:
            return None
        _, added = addition(log, row)
        return ScheduleUnpaused(Cron(added.cron, added.zone).next(moment))

    _append(log, name, decide, actor, now)


def _append(
    log: Log, name: str, decide: Callable[[RunRow, int], Event | None], actor: str, now: int
) -> None:
    moment = now or time.time_ns()
    while True:
        row = schedule(log, name)
        event = decide(row, moment)
        if event is None:
            return
        try:
            log.append(row.branch, [event], expected=row.head, actor=actor, time=moment)
        except BranchMoved:
            continue  # a tick came in between
        ring(log.path)
        return


def next_tick(row: RunRow) -> int:
    """Return when a schedule is due next; 0: not at all."""
    return row.timers.get(NEXT, 0)
