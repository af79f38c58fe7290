"""Executing a run in the foreground: the engine, its display, and what Ctrl-C means."""

import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

from holdfast.engine import Engine
from holdfast.eventlog import Log
from holdfast.execution import Outcome
from holdfast.loading import loaded_stamp, stamp_of
from holdfast.plugins.marks import can_see_marks, living
from holdfast.reducer import Edits, NotAWorkflow, Workflow

from .display import Display
from .failures import INTERRUPTED
from .tools import Tools

WATCH_S = 0.3
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def execute(
    log: Log,
    tools: Tools,
    run: str,
    display: Display,
    *,
    workflow: Workflow | None = None,
    takeover: bool = False,
    watch: bool = False,
    edits: Edits = "refuse",
) -> Outcome | None:
    """Execute a run until it ends or waits. Returns None when it was interrupted.

    With `watch` an edit of the workflow's file is taken up for the steps that have not begun.
    """
    return trio.run(partial(_execute, log, tools, run, display, workflow, takeover, watch, edits))


async def _execute(
    log: Log,
    tools: Tools,
    run: str,
    display: Display,
    workflow: Workflow | None,
    takeover: bool,
    watch: bool,
    edits: Edits,
) -> Outcome | None:
    outcome: Outcome | None = None
    problem: Exception | None = None
    engine = Engine(log, tools.plugins, tools.load, watcher=display, config=tools.config)
    try:
        async with engine, trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            await nursery.start(_stop_on_signal, scope, engine, display)
            nursery.start_soon(_refresh, display)
            if watch and workflow is not None:
                nursery.start_soon(_watch, engine, tools, run, workflow, display)
            with scope:
                try:
                    outcome = await engine.execute(
                        run, workflow=workflow, takeover=takeover, edits=edits
                    )
                except Exception as error:  # noqa: BLE001 - raised below, outside the group
                    problem = error
            nursery.cancel_scope.cancel()
    finally:
        display.close()
    if problem is not None:
        raise problem
    return outcome


async def _refresh(display: Display) -> None:
    while True:
        display.refresh()
        await trio.sleep(display.interval_s)


async def _watch(
    engine: Engine, tools: Tools, run: str, workflow: Workflow, display: Display
) -> None:
    """Let the run take up each saved edit of its workflow's file."""
    source, path = engine.log.run(run).source, Path(workflow.function.__code__.co_filename)
    seen = loaded_stamp(workflow)
    while True:
        await trio.sleep(WATCH_S)
        with suppress(FileNotFoundError):  # an editor is at it
            stamp = stamp_of(path)
            if stamp == seen:
                continue
            seen = stamp
            try:
                engine.edit(run, tools.load(source), display.say)
            except NotAWorkflow as error:  # half saved, or broken for now
                display.say(f"the edited file cannot be loaded, and the old code goes on: {error}")


async def _stop_on_signal(
    scope: trio.CancelScope,
    engine: Engine,
    display: Display,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Cancel the run at the first signal; end this process and all steps at the second."""
    with trio.open_signal_receiver(*STOPPING) as signals:
        task_status.started()
        async for _ in signals:
            if scope.cancel_called:
                display.close()
                kill_steps(engine)
                os._exit(INTERRUPTED)
            scope.cancel()
            display.say("stopping: what runs is being ended. Once more kills it at once")


def kill_steps(engine: Engine) -> None:
    """Kill what the steps of this process started, wherever it has gone, and nobody else's."""
    if not can_see_marks():
        return
    for process in living():
        if process.pid != os.getpid() and engine.started(process.mark):
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(process.pid, signal.SIGKILL)
