"""Ending what a killed process left running for a run, before any of it is tried again.

That is more than the steps in flight. A step that lost a race may outlive its cancellation; and a history
that the run has left, by a rewind, a retry or with other code, worked in the same folder, as its children
did. Only a fork has a folder of its own, and its origin may be alive.
"""

import re

import trio

from holdfast.eventlog import Log, NoSuchBranch, NoSuchRun, owner_alive
from holdfast.plugins import marks
from holdfast.plugins.process import sweep
from holdfast.reducer import State

_PLACE = re.compile(r"(?P<branch>[0-9]{1,18})/")


def may_have_orphans(state: State) -> bool:
    """Tell whether something of the run's may be at work: looking for it costs a look at all processes."""
    if state.forked is not None and state.forked.reason != "fork":
        return True  # its own steps do not tell what the others were
    return any(step.kind in ("agent", "shell") for step in state.steps.values())


async def end_orphans(log: Log, log_id: str, branch: int) -> None:
    """End what works for a run that has just been claimed, on this branch."""
    if not marks.can_see_marks():
        return
    prefix = f"{log_id}/"
    borne = await trio.to_thread.run_sync(marks.borne, prefix)
    places = (_PLACE.match(mark, len(prefix)) for mark in borne)
    at_work = {int(place["branch"]) for place in places if place is not None}
    for other in sorted(at_work):
        if other == branch or _is_left_by(log, log.branch(branch).run, other):
            await sweep(f"{prefix}{other}/")


def _is_left_by(log: Log, run: str, branch: int) -> bool:
    """Tell whether a branch is an earlier history of the run, or of a run that it started, and left alone."""
    try:
        row = log.run(log.name_of(branch))
        if row.owner and owner_alive(log.path, row.owner):
            return False
        while row.run != run and row.parent_run:
            row = log.run(row.parent_run)
    except (NoSuchBranch, NoSuchRun):
        return False  # no process of ours bears such a mark
    return row.run == run
