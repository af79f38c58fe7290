"""How a run stands, for every tool that tells of one: in short, and what to do next."""

import time
from contextlib import suppress
from typing import Any

from holdfast.cli.errors import NotStarted
from holdfast.cli.reasons import reasons, root_of
from holdfast.cli.rows import is_alive
from holdfast.cli.shapes import gate_object, run_object
from holdfast.cli.words import rfc3339
from holdfast.errors import RunBusy, RunEnded
from holdfast.eventlog import Log, RunRow
from holdfast.reducer import ENDED, State
from holdfast.runs import read_state
from holdfast.servers import is_served, leave_to_server, server_of

from .calls import decoded_call, next_call
from .desk import Visit


def run_answer(visit: Visit, log: Log, row: RunRow, state: State) -> dict[str, Any]:
    """Return how a run stands: its result, what it waits for, its steps counted."""
    counts: dict[str, int] = {}
    for step in state.steps.values():
        counts[step.status] = counts.get(step.status, 0) + 1
    return {
        **run_object(log, state),
        "started": rfc3339(state.started),
        "updated": rfc3339(state.now),
        "parent": state.parent or None,
        "owner_alive": is_alive(log, row),
        "steps": counts,
        "gates": [gate_object(log, gate) for gate in state.open_gates],
        **told(visit, log, row, state),
    }


def told(visit: Visit, log: Log, row: RunRow, state: State) -> dict[str, Any]:
    """Return why a run is where it is, and the call that goes on from there."""
    found = [
        {"kind": r.kind, "reason": r.text, "since": rfc3339(r.since), "next": decoded_call(r.command)}
        for r in reasons(visit.place, log, row, state, time.time_ns())
    ]  # fmt: skip
    return {"reasons": found, "next": found[0]["next"]}


def done(visit: Visit, log: Log, run: str, *, resume: bool) -> dict[str, Any]:
    """Return what every tool that wrote to a run answers, after seeing to it that the run goes on.

    Without `resume` nobody is started; a run that is executed, or has ended, needs nobody. What was
    written stands also where the run cannot go on: then `problem` says why.
    """
    row = log.run(run)
    problem = None
    if resume and row.status not in ENDED and not (is_alive(log, row) or is_served(log, row)):
        try:
            go_on(visit, log, root_of(log, row))
        except NotStarted as error:
            problem = {"code": error.code, "message": str(error)}
        row = log.run(run)
    alive = is_alive(log, row) or is_served(log, row)
    if problem:
        following = next_call(["why", run])
    elif alive or resume:
        following = next_call(["watch", run])
    else:
        following = next_call(["resume", root_of(log, row)])
    return {
        "run": run,
        "offset": row.head,
        "owner_alive": alive,
        "problem": problem,
        "next": following,
    }


def go_on(visit: Visit, log: Log, run: str, *, takeover: bool = False) -> None:
    """Leave a run to who serves the project, else start a process and return when it has it.

    Whoever was faster has it just as well. Raises NotStarted.
    """
    from holdfast.cli.detach import detach

    if server_of(log.path) and not takeover:
        with suppress(RunBusy, RunEnded):  # somebody has it by now, and that was wanted
            leave_to_server(log, run, visit.place.actor)
        return
    before = log.run(run)
    try:
        detach(visit.place, log, run, takeover=takeover)
    except NotStarted:
        if takeover or not _was_had(log, before):
            raise


def _was_had(log: Log, before: RunRow) -> bool:
    """Tell whether somebody else executes a run, or has done so since, such as a server that came up."""
    row = log.run(before.run)
    return row.status in ENDED or is_alive(log, row) or row.released != before.released


def read(log: Log, run: str) -> tuple[RunRow, State]:
    """Return a run's row and its newest state. Raises NoSuchRun."""
    row = log.run(run)
    return row, read_state(log, row.branch)
