"""`holdfast watch`."""

import select
import time
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.reducer import State

    from ..display import Display

LOOK_AGAIN_S = 1.0  # a killed process rings no bell


@click.command()
@click.argument("run")
@json_option
@click.pass_obj
def watch(place: Place, run: str, as_json: bool) -> int:
    """Watch a run that another process executes, until it ends or waits.

    The exit status is that of `holdfast run`.
    """
    from ..display import choose
    from ..finish import finish

    with place.log() as log:
        branch = log.branch_of(run)
        display = choose(run, log.load, as_json=as_json)
        try:
            _follow(log, run, branch, display)
        finally:
            display.close()
        return finish(place, log, run, as_json=as_json)


def _follow(log: "Log", run: str, branch: int, display: "Display") -> None:
    from holdfast.eventlog import Doorbell
    from holdfast.reducer import State

    state = State()
    with Doorbell(log.path) as bell:
        while True:
            state = _take_in(log, branch, state, display)
            display.refresh()
            if state.status == "continued":
                branch, state = log.branch_of(run), State()
                continue
            if _is_over(log, run, state):
                return
            select.select([bell], [], [], min(LOOK_AGAIN_S, display.interval_s))
            bell.drain()


def _take_in(log: "Log", branch: int, state: "State", display: "Display") -> "State":
    from holdfast.reducer import reduce

    for record in log.records(branch, state.offset):
        state = reduce(state, record.event, record.time)
        display.events(state, [record.event])
    return state


def _is_over(log: "Log", run: str, state: "State") -> bool:
    """Tell whether nothing more is to come: it ended, waits, or its process is gone."""
    from holdfast.reducer import ENDED
    from holdfast.servers import PICK_UP_NS, is_served

    from ..rows import is_alive

    if state.status in ENDED:
        return True
    row = log.run(run)
    is_recent = time.time_ns() - row.updated < PICK_UP_NS
    if row.head != state.offset or (is_recent and is_served(log, row)):
        return False
    return state.status == "waiting" or not is_alive(log, row)
