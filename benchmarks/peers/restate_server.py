"""Restate on the work that all systems are given: its server, and a service in Python."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..sample import Sample, peak_bytes
from . import crash, work
from .restate_stack import Stack, started

AT_ONCE = 64
SETTLED_S = 0.5


def sequence(folder: Path, *, steps: int) -> Sample:
    """Execute one invocation of `steps` steps, and leave it in the folder."""
    with started(folder) as stack:
        size, began = settled_bytes(stack), time.perf_counter()
        invocation = stack.send("one_by_one", steps)
        stack.attach(invocation)
        seconds = time.perf_counter() - began
        (folder / "invocation").write_text(invocation)
        size = settled_bytes(stack) - size
        resident = peak_bytes(stack.server.pid) + peak_bytes(stack.service.pid)
        return {"seconds": seconds, "bytes": size, "resident": resident}


def fanout(folder: Path, *, steps: int) -> Sample:
    """Gather `steps` steps in one invocation."""
    with started(folder) as stack:
        began = time.perf_counter()
        stack.call("all_at_once", steps)
        return {"seconds": time.perf_counter() - began}


def runs(folder: Path, *, runs: int, steps: int) -> Sample:
    """Make many invocations, and wait for all of them."""
    with started(folder) as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        began = time.perf_counter()
        calls = [pool.submit(stack.call, "one_by_one", steps) for _ in range(runs)]
        for call in calls:
            call.result()
        return {"seconds": time.perf_counter() - began}


def resume(folder: Path, *, steps: int) -> Sample:
    """Kill the service, not the server, which is made to stay, and time a new one from its start."""
    with started(folder, stuck=steps) as stack:
        stack.send("one_by_one", steps + 1)
        crash.await_file(stack.told, stack.service)
        stack.service.kill()
        stack.service.wait()
        stack.told.unlink()
        began = time.monotonic()
        stack.service = stack.start_service()
        return {"seconds": stack.first_step(executed=0) - began}


def replay(folder: Path, *, steps: int) -> Sample:
    """Read the journal of the invocation in the folder, with what the steps returned."""
    journal = f"select index, entry_type, entry_json from sys_journal where id = '{_name(folder)}'"
    with started(folder) as stack:
        began = time.perf_counter()
        rows = stack.query(journal)
        seconds = time.perf_counter() - began
    results = [row for row in rows if "Notification: Run" in row["entry_type"]]
    assert len(results) == steps, len(results)
    return {"seconds": seconds}


def fork(folder: Path, *, steps: int) -> Sample:
    """Restart the invocation in the folder from its middle, and stop in the first new step."""
    middle = steps // 2
    with started(folder, stuck=middle) as stack:
        entry = _entry_before(stack, _name(folder), middle)
        size, began = settled_bytes(stack), time.monotonic()
        stack.admin(
            "PATCH",
            f"/invocations/{_name(folder)}/restart-as-new",
            params={"from": entry, "deployment": "keep"},
        )
        seconds = time.monotonic() - began
        first = stack.first_step(executed=work.WARM) - began
        return {"seconds": seconds, "bytes": settled_bytes(stack) - size, "first": first}


def settled_bytes(stack: Stack) -> int:
    """Return what the server keeps when it has written all it still had to."""
    time.sleep(SETTLED_S)
    return stack.size_bytes()


def _name(folder: Path) -> str:
    return (folder / "invocation").read_text()


def _entry_before(stack: Stack, invocation: str, index: int) -> int:
    """Return the number of the last journal entry that a fork at a step is to keep."""
    rows = stack.query(
        f"select index, entry_type from sys_journal where id = '{invocation}' order by index"
    )
    commands = [row["index"] for row in rows if "Notification" not in row["entry_type"]]
    return int(commands[index + 1]) - 1  # the first command is the input
