"""Burr on the work that all systems are given, with its SQLite persister."""

# pyright: basic, reportMissingImports=false
# The types of what is seldom installed are not known.

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from burr.core import Application, ApplicationBuilder, ApplicationContext, State, action
from burr.core.parallelism import MapStates
from burr.core.persistence import SQLitePersister

from ..sample import Sample, peak_bytes
from . import crash, work

FORKS = 50


@action(reads=["index"], writes=["index", "result"])
def step(state: State[Any]) -> State[Any]:
    return state.update(result=work.step(state["index"]), index=state["index"] + 1)


class AllAtOnce(MapStates):
    """Lets an application of its own execute each of the steps."""

    def action(self, state: State[Any], inputs: dict[str, Any]) -> Any:
        return step

    def states(
        self, state: State[Any], context: ApplicationContext, inputs: dict[str, Any]
    ) -> Generator[State[Any]]:
        for index in range(state["steps"]):
            yield state.update(index=index)

    def reduce(self, state: State[Any], states: Generator[State[Any]]) -> State[Any]:
        return state.update(results=[one["result"] for one in states])

    @property
    def reads(self) -> list[str]:
        return ["steps"]

    @property
    def writes(self) -> list[str]:
        return ["results"]


@contextmanager
def opened(folder: Path, *, warm: bool = True) -> Generator[SQLitePersister]:
    """Open a persister in a folder, and let an application execute something short."""
    # Parallel actions copy the persister, use it in other threads and wait for one another.
    shared = {"check_same_thread": False, "timeout": work.LONGEST_WAIT_S}
    path = str(folder / "burr.sqlite")
    with SQLitePersister(db_path=path, connect_kwargs=shared) as persister:
        persister.initialize()
        if warm:
            advance(application(persister, "warm"), work.WARM)
        yield persister


def application(persister: SQLitePersister, name: str, **fork: Any) -> Application[Any]:
    """Build an application that goes on where its state in the database is."""
    return (
        ApplicationBuilder()
        .with_actions(step=step)
        .with_transitions(("step", "step"))
        .with_identifiers(app_id=name)
        .initialize_from(
            persister,
            resume_at_next_action=True,
            default_state={"index": 0, "result": {}},
            default_entrypoint="step",
            **fork,
        )
        .with_state_persister(persister)
        .build()
    )


def advance(app: Application[Any], steps: int) -> None:
    while app.state["index"] < steps:
        app.step()


def sequence(folder: Path, *, steps: int) -> Sample:
    """Execute one application of `steps` actions, and leave it in the folder."""
    with opened(folder) as persister:
        size, began = work.folder_bytes(folder), time.perf_counter()
        advance(application(persister, "run"), steps)
        seconds = time.perf_counter() - began
        size = work.folder_bytes(folder) - size
        return {"seconds": seconds, "bytes": size, "resident": peak_bytes()}


def fanout(folder: Path, *, steps: int) -> Sample:
    """Execute one parallel action over `steps` states."""
    with opened(folder) as persister:
        app = (
            ApplicationBuilder()
            .with_actions(many=AllAtOnce())
            .with_entrypoint("many")
            .with_state(steps=steps)
            .with_identifiers(app_id="run")
            .with_state_persister(persister)
            .build()
        )
        began = time.perf_counter()
        app.step()
        seconds = time.perf_counter() - began
    assert len(app.state["results"]) == steps, len(app.state["results"])
    return {"seconds": seconds}


def runs(folder: Path, *, runs: int, steps: int) -> Sample:
    """Execute many applications, one after another: there is one connection, and no concurrency."""
    with opened(folder) as persister:
        began = time.perf_counter()
        for index in range(runs):
            advance(application(persister, f"run-{index}"), steps)
        return {"seconds": time.perf_counter() - began}


def resume(folder: Path, *, steps: int) -> Sample:
    return crash.resume("burr_sqlite", folder, steps)


def first(folder: Path, *, steps: int) -> Sample:
    """Execute the application that hangs in its last action."""
    work.watch.get_stuck(steps, crash.told(folder))
    with opened(folder, warm=False) as persister:
        advance(application(persister, "run"), steps + 1)
    raise AssertionError("it hangs until it is killed")


def second(folder: Path, *, steps: int) -> Sample:
    """Load the last state, and go on."""
    with opened(folder, warm=False) as persister:
        advance(application(persister, "run"), steps + 1)
    return {"at": work.watch.first(steps)}


def replay(folder: Path, *, steps: int) -> Sample:
    """Load the state after each action of the application in the folder."""
    with opened(folder) as persister:
        began = time.perf_counter()
        states = [persister.load(None, "run", index) for index in range(steps)]
        seconds = time.perf_counter() - began
    assert all(states), "every one of them is there"
    return {"seconds": seconds}


def fork(folder: Path, *, steps: int) -> Sample:
    """Fork the application in the folder in the middle; its first action makes a fork durable."""
    middle = steps // 2
    with opened(folder) as persister:
        size, making = work.folder_bytes(folder), 0.0
        for index in range(FORKS):
            work.watch.arm()
            began = time.monotonic()
            app = application(
                persister, f"fork-{index}", fork_from_app_id="run", fork_from_sequence_id=middle - 1
            )
            made = time.monotonic()
            app.step()
            making += made - began
            first = work.watch.first(middle) - began
        size = work.folder_bytes(folder) - size
    return {"seconds": making / FORKS, "bytes": size / FORKS, "first": first}
