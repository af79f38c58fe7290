"""Pausing a run: it begins no new step, and neither do its children, until somebody lets it go on.

Only the run that was paused has an event of it. A child looks at its parents, so that a pause reaches
those that begin later, and one word lets all of them go on.
"""

import os

from holdfast.eventlog import Event, Log, NoSuchRun, RunPaused, RunRow, RunUnpaused
from holdfast.reducer import ENDED, State

from .errors import NotPaused, RunEnded
from .redact import Redactor
from .runs import append_to


def pause(log: Log, run: str, actor: str, reason: str = "", *, now: int = 0) -> bool:
    """Pause a run; return False where it was paused already. Raises RunEnded."""

    def decide(state: State) -> list[Event]:
        if state.status in ENDED:
            raise RunEnded(run, state.status, "paused")
        return [] if state.paused else [RunPaused(Redactor(os.environ).text(reason))]

    return append_to(log, run, decide, actor, now=now).paused is None


def unpause(log: Log, run: str, actor: str, reason: str = "", *, now: int = 0) -> None:
    """Let a paused run go on. Raises RunEnded, NotPaused."""

    def decide(state: State) -> list[Event]:
        if state.status in ENDED:
            raise RunEnded(run, state.status, "unpaused")
        if state.paused is None:
            raise NotPaused(run, paused_with(log, log.run(run)))
        return [RunUnpaused(Redactor(os.environ).text(reason))]

    append_to(log, run, decide, actor, now=now)


def paused_with(log: Log, row: RunRow) -> str:
    """Return the run whose pause holds for a run: its own name, a parent's, or empty."""
    while not row.paused:
        if not row.parent_run:
            return ""
        try:
            row = log.run(row.parent_run)
        except NoSuchRun:
            return ""
    return row.run
