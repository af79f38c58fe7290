"""Tools that tell how runs stand, now or as soon as that changes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import trio
from msgspec import Meta

from holdfast.cli.rows import is_alive, row_object, usage_object
from holdfast.cli.shapes import budget_object
from holdfast.eventlog import Doorbell, Log
from holdfast.reducer import Step
from holdfast.servers import PICK_UP_NS, is_served

from . import shapes
from .arguments import Frame, Limit, Run, Start
from .bounds import page, page_of
from .calls import decoded_call
from .desk import Visit
from .standing import read, run_answer, told
from .tool import Asked, Tool

LOOK_AGAIN_S = 1.0  # a killed process rings no bell
Status = Literal["running", "waiting", "succeeded", "failed", "cancelled"]


class ListRuns(Asked, frozen=True):
    status: Annotated[list[Status], Meta(description="Only runs that are so; by default all.")] = (
        msgspec.field(default_factory=list[Status])
    )
    start: Start = 0
    limit: Limit = 20


def list_runs(visit: Visit, asked: ListRuns) -> dict[str, Any]:
    """List the runs, newest first. Where owner_alive is false a running one was interrupted."""
    with visit.desk.log() as log:
        rows = log.runs(limit=asked.start + asked.limit + 1, statuses=asked.status)[asked.start :]
        return page((row_object(log, row) for row in rows), asked.start, asked.limit)._asdict()


class GetRun(Asked, frozen=True):
    run: Run
    at: Frame = None


def get_run(visit: Visit, asked: GetRun) -> dict[str, Any]:
    """Tell how a run stands: status, output or error, what it waits for, and the next tool to call."""
    from holdfast.cli.commands.show import state_at

    with visit.desk.log() as log:
        row = log.run(asked.run)
        state = state_at(log, asked.run, row.branch, asked.at)
        return run_answer(visit, log, row, state)


class WaitForRun(Asked, frozen=True):
    run: Run
    timeout_seconds: Annotated[float, Meta(ge=0, le=3600)] = 50.0
    after_offset: Annotated[
        int | None,
        Meta(description="Return as soon as anything is recorded beyond this `offset`."),
    ] = None


async def wait_for_run(visit: Visit, asked: WaitForRun) -> dict[str, Any]:
    """Wait until a run ends, waits for somebody or is interrupted, and tell how it stands then.

    Returns at once if it is so already, and after timeout_seconds in any case: then call it again. With
    after_offset it returns at the next event. Clients have time limits of their own for a call.
    """

    def look() -> dict[str, Any] | None:
        with visit.desk.log() as log:
            return _settled(visit, log, asked)

    found = await trio.to_thread.run_sync(look)  # before a bell is hung up, which writes
    if found is None:
        with trio.move_on_after(asked.timeout_seconds):
            if visit.desk.news is not None:
                found = await _told(look, visit.desk.news)
            else:
                found = await _news(look, visit.place.project().log_folder)
    if found is not None:
        return {**found, "timed_out": False}
    found = await trio.to_thread.run_sync(get_run, visit, GetRun(asked.run))
    return {**found, "timed_out": True}


async def _told(
    look: Callable[[], dict[str, Any] | None], news: Callable[[], trio.Event]
) -> dict[str, Any]:
    """Return what there is to see, as soon as there is something; look when this process knows of news."""
    while True:
        event = news()
        if (found := await trio.to_thread.run_sync(look)) is not None:
            return found
        await event.wait()


async def _news(look: Callable[[], dict[str, Any] | None], folder: Path) -> dict[str, Any]:
    """Return what there is to see, as soon as there is something; look when the bell rings."""
    with Doorbell(folder) as bell:
        while True:
            bell.drain()
            if (found := await trio.to_thread.run_sync(look)) is not None:
                return found
            with trio.move_on_after(LOOK_AGAIN_S):
                await trio.lowlevel.wait_readable(bell)


def _settled(visit: Visit, log: Log, asked: WaitForRun) -> dict[str, Any] | None:
    """Return how the run stands if that is what was waited for."""
    row = log.run(asked.run)
    is_over = row.status != "running" or not is_alive(log, row)
    if is_over and time.time_ns() - row.updated < PICK_UP_NS:
        is_over = not is_served(log, row)
    is_news = asked.after_offset is not None and row.head > asked.after_offset
    if not (is_over or is_news):
        return None
    row, state = read(log, asked.run)
    return run_answer(visit, log, row, state)


class Why(Asked, frozen=True):
    run: Run


def why(visit: Visit, asked: Why) -> dict[str, Any]:
    """Say why a run is where it is: what it waits for or failed for, since when, and what to call next."""
    with visit.desk.log() as log:
        row, state = read(log, asked.run)
        return {"run": asked.run, "status": state.status, **told(visit, log, row, state)}


class Inbox(Asked, frozen=True):
    start: Start = 0
    limit: Limit = 20


def inbox(visit: Visit, asked: Inbox) -> dict[str, Any]:
    """List what waits for people, in all runs, the oldest first, each with the call that decides it."""
    from holdfast.cli.commands.inbox import waiting_object

    def item(found: dict[str, Any]) -> dict[str, Any]:
        first, others = found.pop("command"), found.pop("other_commands")
        return {**found, "next": decoded_call(first), "others": [decoded_call(o) for o in others]}

    with visit.desk.log() as log:
        waiting = log.inbox(asked.start + asked.limit + 1)[asked.start :]
        objects = (item(waiting_object(visit.place, log, one)) for one in waiting)
        found = page(objects, asked.start, asked.limit)
        return {**found._asdict(), "total": log.inbox_size()}


class Cost(Asked, frozen=True):
    run: Run
    start: Start = 0
    limit: Limit = 30


def cost(visit: Visit, asked: Cost) -> dict[str, Any]:
    """Tell what a run has used: in all, against its budget, and step by step, the dearest first."""
    with visit.desk.log() as log:
        _, state = read(log, asked.run)
        steps = sorted(state.steps.values(), key=_dearest)
        return {
            "run": asked.run,
            "status": state.status,
            "usage": usage_object(state.usage),
            "budget": budget_object(state),
            "seconds": (state.now - state.started) / 1e9 if state.started else 0.0,
            "children": [
                {"key": child.key, "run": child.run, "status": child.status}
                for child in state.children.values()
            ],
            **page_of([_cost_of(step) for step in steps], asked.start, asked.limit),
        }


def _dearest(step: Step) -> tuple[float, float]:
    return -(step.usage.cost_usd if step.usage else 0.0), -step.seconds


def _cost_of(step: Step) -> dict[str, Any]:
    return {
        "key": step.key,
        "kind": step.kind,
        "by": step.by or None,
        "attempts": step.attempt,
        "seconds": step.seconds,
        "reused": step.reused,
        "usage": usage_object(step.usage),
    }


TOOLS = [
    Tool("list_runs", ListRuns, shapes.Items, "reads", list_runs),
    Tool("get_run", GetRun, shapes.RunAnswer, "reads", get_run),
    Tool("wait_for_run", WaitForRun, shapes.Waited, "reads", wait=wait_for_run),
    Tool("why", Why, shapes.Why, "reads", why),
    Tool("inbox", Inbox, shapes.Counted, "reads", inbox),
    Tool("cost", Cost, shapes.Cost, "reads", cost),
]
