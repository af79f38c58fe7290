"""The environments of the processes that this one descends from, which it cannot take off.

A program may start another with hardly any environment, as some agents start their MCP servers. What a step
gave to the agent is then still to be seen where Linux shows it, in /proc.
"""

import os
from collections.abc import Iterator

PROC = "/proc"


def values_of(name: str) -> list[str]:
    """Return what a variable is in the processes that this one descends from, and in it; outermost first."""
    above = (_value(pid, name) for pid in _above(os.getpid()))
    return [value for value in [*reversed([*above]), os.environ.get(name, "")] if value]


def _above(pid: int) -> Iterator[int]:
    while (pid := _parent(pid)) > 0:
        yield pid


def _parent(pid: int) -> int:
    """Return the parent of a process; 0 where there is none, or it cannot be seen."""
    # The name, in parentheses, may itself have spaces and parentheses.
    fields = _read(f"{pid}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _value(pid: int, name: str) -> str:
    _, found, after = (b"\0" + _read(f"{pid}/environ")).partition(f"\0{name}=".encode())
    return os.fsdecode(after.partition(b"\0")[0]) if found else ""


def _read(name: str) -> bytes:
    try:
        with open(f"{PROC}/{name}", "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""  # ended meanwhile, somebody else's, or a system without /proc
