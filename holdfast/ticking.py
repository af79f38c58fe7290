"""Starting the runs of schedules when they are due, each tick once whoever serves.

A tick and the run that it starts are one commit, which is refused when the schedule's branch has moved: a
crash leaves both or neither, and of two servers one starts the run and the other sees that.
"""

import datetime
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import (
    SCHEDULE_SIGN,
    Batch,
    BranchMoved,
    Failure,
    NoSuchRun,
    RunReleased,
    RunRow,
    ScheduleAdded,
    ScheduleTicked,
    is_schedule,
)
from holdfast.reducer import ENDED

from .cron import SECOND, Cron
from .effects import failure
from .engine import Engine
from .errors import ScheduleInvalid
from .schedules import addition, name_of, next_tick, schedules

LATE_NS = 60 * SECOND
"""A tick that is older than this when somebody looks at it was missed."""

MOST_COUNTED = 1000  # of missed ticks; there may have been more
MOST_STARTED = 100  # of missed ticks, where each one is to be made up for
MOST_QUEUED = 100

Tell = Callable[[str, str, str, str], None]
"""Hears of "@NAME" what became of a tick, with details and an error's code."""


class Step(NamedTuple):
    """What to do next about a schedule."""

    tick: int
    outcome: str
    next: int
    others: int = 0


def due_step(cron: Cron, row: RunRow, added: ScheduleAdded, now: int, *, busy: bool) -> Step | None:
    """Decide what is to be done next about a schedule; None where nothing is due. Pure."""
    upcoming = next_tick(row)
    if row.paused or row.status != "scheduled":
        return None
    if row.waiting and not busy:
        return Step(int(row.waiting[0]), "started", upcoming)
    if not upcoming or upcoming > now:
        return None
    ticks = cron.newest(upcoming, now, MOST_COUNTED) or [upcoming]
    late = [tick for tick in ticks if now - tick > LATE_NS]
    tick, others = ticks[-1], 0
    if late and added.missed == "skip":
        return Step(late[0], "missed", cron.next(late[0]), len(late) - 1)
    if late and added.missed == "once":
        tick, others = ticks[0], len(ticks) - 1
    elif late and len(ticks) > MOST_STARTED:
        dropped = ticks[MOST_STARTED:]
        return Step(dropped[0], "missed", ticks[MOST_STARTED - 1], len(dropped) - 1)
    return Step(tick, _outcome(row, added, busy=busy), cron.next(tick), others)


def _outcome(row: RunRow, added: ScheduleAdded, *, busy: bool) -> str:
    if added.overlap == "allow" or not busy:
        return "started"
    if added.overlap == "queue" and len(row.waiting) < MOST_QUEUED:
        return "queued"
    return "overlapped"


def run_at(schedule: str, tick: int) -> str:
    """Return the id of the run that a tick starts: alike on every machine and in every zone."""
    date = datetime.datetime.fromtimestamp(tick // SECOND, datetime.UTC)
    return f"{schedule}-{date:%Y-%m-%dT%H%MZ}"


class Ticker:
    """Starts what is due of the schedules of an engine's log."""

    def __init__(self, engine: Engine, tell: Tell) -> None:
        self._engine, self._log, self._tell = engine, engine.log, tell
        # Ticks up to this moment were seen to; None: nothing was looked at.
        self._due: int | None = None
        # Schedule with queued ticks -> the run that they wait for.
        self._queues: dict[str, str] = {}

    def look(self) -> list[str]:
        """See to all that is due, and return the runs that were started, for who serves to go on with."""
        now = self._engine.now()
        started: list[str] = []
        for name in self._names(now):
            try:
                started += self._see_to(name, now)
            except ScheduleInvalid as error:
                # It was fine where it was added: this machine knows other zones.
                self._tell(SCHEDULE_SIGN + name, "stopped", str(error), error.code)
        self._due = now
        return started

    def _names(self, now: int) -> list[str]:
        if self._due is None:
            return [name_of(row) for row in schedules(self._log)]
        since = min(self._due, now)  # a clock that was set back shows some moments again
        due = [due.run for due in self._log.due(now, after=since) if is_schedule(due.run)]
        names = [run.removeprefix(SCHEDULE_SIGN) for run in due]
        return names + [name for name, run in self._queues.items() if not self._goes_on(run)]

    def _see_to(self, name: str, now: int) -> list[str]:
        started: list[str] = []
        while True:
            row = self._log.schedule(name)
            self._note_queue(name, row)
            if row.status != "scheduled":
                return started
            _, added = addition(self._log, row)
            cron = Cron(added.cron, added.zone)
            step = due_step(cron, row, added, now, busy=self._goes_on(row.last_run))
            if step is None:
                return started
            try:
                ticked = self._take(name, row, added, step)
            except BranchMoved:
                continue  # another server was first, or a person
            self._tell_of(name, row, ticked)
            started += [ticked.run] if ticked.run else []

    def _note_queue(self, name: str, row: RunRow) -> None:
        if row.waiting and not row.paused:
            self._queues[name] = row.last_run
        else:
            self._queues.pop(name, None)

    def _goes_on(self, run: str) -> bool:
        try:
            return bool(run) and self._log.run(run).status not in ENDED
        except NoSuchRun:
            return False

    def _take(self, name: str, row: RunRow, added: ScheduleAdded, step: Step) -> ScheduleTicked:
        """Record what becomes of a tick, and with it the run that it starts. Raises BranchMoved."""
        ticked = ScheduleTicked(step.tick, step.outcome, step.next, others=step.others)
        if step.outcome == "started":
            try:
                return self._start(name, row, added, ticked)
            except BranchMoved:
                raise
            except Exception as error:  # noqa: BLE001 - recorded: the next tick may fare better
                why = failure(error, self._engine.redactor.built_in().text)
                ticked = replace(ticked, outcome="refused", error=why)
        self._log.write_one(self._batch(row, ticked))
        return ticked

    def _start(
        self, name: str, row: RunRow, added: ScheduleAdded, ticked: ScheduleTicked
    ) -> ScheduleTicked:
        run = run_at(name, ticked.tick)
        workflow = self._engine.load(added.source)
        given = msgspec.msgpack.decode(self._log.load(added.input))
        about = {"run": run, "folder": added.folder, "source": added.source}
        new = self._engine.prepare(workflow, given, **about)
        ticked = replace(ticked, run=run)
        left = RunReleased("", "interrupted", served=True)
        self._log.write_one(
            replace(
                new,
                actor=f"schedule:{name}",
                events=[*new.events, left],
                beside=self._batch(row, ticked),
            )
        )
        return ticked

    def _batch(self, row: RunRow, ticked: ScheduleTicked) -> Batch:
        engine = self._engine
        return Batch(row.branch, [ticked], row.head, engine.actor, engine.now())

    def _tell_of(self, name: str, row: RunRow, ticked: ScheduleTicked) -> None:
        error = ticked.error or Failure("", "")
        about = {"started": ticked.run, "overlapped": f"{row.last_run} goes on still"}
        about |= {"queued": f"until {row.last_run} has ended", "refused": error.message}
        others = f"{ticked.others} missed before it" if ticked.others else ""
        told = ", ".join(filter(None, [about.get(ticked.outcome, ""), others]))
        self._tell(SCHEDULE_SIGN + name, ticked.outcome, told, error.code)
