"""LangGraph on the work that all systems are given, with its SQLite saver and durability "sync"."""

# pyright: basic, reportMissingImports=false
# The types of what is seldom installed are not known.

import operator
import sqlite3
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from ..sample import Sample, peak_bytes
from . import crash, work

FORKS = 50
THREADS = 8  # the saver has one connection and a lock, so more of them gain nothing
ROOM = 100  # supersteps beside those of the steps


class One(TypedDict):
    index: int
    steps: int
    result: dict[
        str, Any
    ]  # of the last step: a list of all results would grow with each checkpoint


class All(TypedDict):
    steps: int
    results: Annotated[list[dict[str, Any]], operator.add]


class Item(TypedDict):
    index: int


def one_by_one(saver: SqliteSaver) -> Any:
    """Return a graph whose only node follows itself."""

    def step(state: One) -> dict[str, Any]:
        return {"index": state["index"] + 1, "result": work.step(state["index"])}

    graph = StateGraph(One)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges(
        "step", lambda state: "step" if state["index"] < state["steps"] else END, ["step", END]
    )
    return graph.compile(checkpointer=saver)


def all_at_once(saver: SqliteSaver) -> Any:
    """Return a graph that sends every index to a node."""

    def step(state: Item) -> dict[str, Any]:
        return {"results": [work.step(state["index"])]}

    def send(state: All) -> list[Send]:
        return [Send("step", {"index": index}) for index in range(state["steps"])]

    graph = StateGraph(All)
    graph.add_node("plan", lambda state: {})
    graph.add_node("step", step)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", send, ["step"])
    graph.add_edge("step", END)
    return graph.compile(checkpointer=saver)


@contextmanager
def opened(folder: Path, *, warm: bool = True) -> Generator[SqliteSaver]:
    """Open a saver in a folder, and let a graph execute something short."""
    path = folder / "checkpoints.sqlite"
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        saver = SqliteSaver(connection)
        if warm:
            start(one_by_one(saver), "warm", work.WARM)
        yield saver


def config(thread: str, steps: int) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}, "recursion_limit": steps + ROOM}


def start(graph: Any, thread: str, steps: int) -> None:
    """Invoke the sequence on a new thread."""
    given = {"index": 0, "steps": steps, "result": {}}
    graph.invoke(given, config(thread, steps), durability="sync")


def database_bytes(saver: SqliteSaver, folder: Path) -> int:
    """Return the length of the database with what was in its write-ahead log."""
    saver.conn.execute("pragma wal_checkpoint(truncate)")
    return work.folder_bytes(folder)


def sequence(folder: Path, *, steps: int) -> Sample:
    """Execute one thread of `steps` supersteps, and leave it in the folder."""
    with opened(folder) as saver:
        graph, size = one_by_one(saver), database_bytes(saver, folder)
        began = time.perf_counter()
        start(graph, "run", steps)
        seconds = time.perf_counter() - began
        size = database_bytes(saver, folder) - size
        return {"seconds": seconds, "bytes": size, "resident": peak_bytes()}


def fanout(folder: Path, *, steps: int) -> Sample:
    """Execute `steps` sends in one superstep."""
    with opened(folder) as saver:
        graph, given = all_at_once(saver), {"steps": steps, "results": []}
        began = time.perf_counter()
        done = graph.invoke(given, config("run", 0), durability="sync")
        seconds = time.perf_counter() - began
    assert len(done["results"]) == steps, len(done["results"])
    return {"seconds": seconds}


def runs(folder: Path, *, runs: int, steps: int) -> Sample:
    """Execute many threads over one saver."""
    with opened(folder) as saver, ThreadPoolExecutor(THREADS) as pool:
        graph, began = one_by_one(saver), time.perf_counter()
        list(pool.map(lambda index: start(graph, f"run-{index}", steps), range(runs)))
        return {"seconds": time.perf_counter() - began}


def resume(folder: Path, *, steps: int) -> Sample:
    return crash.resume("langgraph_sqlite", folder, steps)


def first(folder: Path, *, steps: int) -> Sample:
    """Execute the thread that hangs in its last step."""
    work.watch.get_stuck(steps, crash.told(folder))
    with opened(folder, warm=False) as saver:
        start(one_by_one(saver), "run", steps + 1)
    raise AssertionError("it hangs until it is killed")


def second(folder: Path, *, steps: int) -> Sample:
    """Invoke that thread again, without input."""
    with opened(folder, warm=False) as saver:
        one_by_one(saver).invoke(None, config("run", steps), durability="sync")
    return {"at": work.watch.first(steps)}


def replay(folder: Path, *, steps: int) -> Sample:
    """Read all checkpoints of the thread in the folder, with their states."""
    with opened(folder) as saver:
        graph, began = one_by_one(saver), time.perf_counter()
        states = list(graph.get_state_history(config("run", steps)))
        seconds = time.perf_counter() - began
    assert len(states) > steps, len(states)
    return {"seconds": seconds}


def fork(folder: Path, *, steps: int) -> Sample:
    """Fork the thread in the folder in the middle: several times, then once to let it go on."""
    middle = steps // 2
    with opened(folder) as saver:
        graph = one_by_one(saver)
        at = _checkpoint(graph, middle, steps)
        size, began = database_bytes(saver, folder), time.perf_counter()
        for _ in range(FORKS):
            graph.update_state(at, {"steps": middle + 1})
        seconds = (time.perf_counter() - began) / FORKS
        size = database_bytes(saver, folder) - size
        work.watch.arm()
        began = time.monotonic()
        forked = graph.update_state(at, {"steps": middle + 1})
        graph.invoke(None, forked, durability="sync")
        first = work.watch.first(middle) - began
    return {"seconds": seconds, "bytes": size / FORKS, "first": first}


def _checkpoint(graph: Any, index: int, steps: int) -> Any:
    """Return the configuration of the checkpoint after which step `index` comes."""
    history = graph.get_state_history(config("run", steps))
    return next(state.config for state in history if state.values.get("index") == index)
