"""How everything that a step starts is found again, wherever it has gone: an environment variable.

A process group is not enough: the tools of coding agents often run in a session of their own. What a
process inherits for good is its environment, which Linux shows in /proc.
"""

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MARK = "HOLDFAST_STEP"
NESTING = "|"  # between the mark of an outer step and of a step inside it
PROC = "/proc"
_ENTRY = f"\0{MARK}=".encode()
_PAGE_BYTES = 1 << 16


def nested(mark: str, env: Mapping[str, str]) -> str:
    """Return the mark to give to a step, so that ending an outer step ends it too.

    `env` is the environment of the engine, which may itself run inside a step of another run.
    """
    assert NESTING not in mark, f"a mark has no {NESTING!r}: {mark!r}"
    outer = env.get(MARK, "")
    return f"{outer}{NESTING}{mark}" if outer else mark


class Process(NamedTuple):
    pid: int
    parent: int
    session: int
    mark: str


def can_see_marks() -> bool:
    """Tell whether this system shows the environment of processes."""
    return os.path.exists(f"{PROC}/self/environ")


def living() -> Iterator[Process]:
    """List the processes that this user may look at, without zombies."""
    for name in os.listdir(PROC):
        if name.isdecimal():
            try:
                process = _look(int(name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # ended meanwhile, or somebody else's
            if process is not None:
                yield process


def _look(pid: int) -> Process | None:
    # The name, in parentheses, may itself have spaces and parentheses.
    state, parent, _group, session, *_ = _read(f"{pid}/stat").rpartition(b")")[2].split()
    if state in (b"Z", b"X"):
        return None
    _, named, after = (b"\0" + _read(f"{pid}/environ")).partition(_ENTRY)
    mark = os.fsdecode(after.partition(b"\0")[0]) if named else ""
    return Process(pid, int(parent), int(session), mark)


def _read(name: str) -> bytes:
    # Not open(): this runs for every process of the machine whenever a step ends.
    file = os.open(f"{PROC}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(file, _PAGE_BYTES)
        while more := os.read(file, _PAGE_BYTES):
            data += more
        return data
    finally:
        os.close(file)


def borne(prefix: str) -> set[str]:
    """Return the marks that begin so and that processes bear, whatever they are nested in."""
    parts = (part for process in living() for part in process.mark.split(NESTING))
    return {part for part in parts if part.startswith(prefix)}


def find(*, mark: str = "", session: int = 0) -> set[int]:
    """Return the processes that bear the mark or belong to the session, and all their children.

    A mark that ends with "/" stands for all that begin so, whatever they are nested in. This process
    itself is never among the found.
    """
    processes = list(living())
    found = {p.pid for p in processes if _bears(p.mark, mark) or (session and p.session == session)}
    found.discard(os.getpid())
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    waiting = list(found)
    while waiting:
        new = [pid for pid in children.get(waiting.pop(), ()) if pid not in found]
        found.update(new)
        waiting.extend(new)
    return found - {os.getpid()}


def _bears(mark: str, wanted: str) -> bool:
    if wanted.endswith("/"):
        return any(part.startswith(wanted) for part in mark.split(NESTING))
    return bool(wanted) and f"{NESTING}{wanted}{NESTING}" in f"{NESTING}{mark}{NESTING}"
