"""Who calls over loopback: the marks of steps in the environment of the process at the other end.

Linux shows which process has a socket, and what environment that process and those that started it were
given. Where it does not show that, nothing is known of the caller, and the token alone decides.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from functools import cached_property

from holdfast.plugins.marks import MARK, NESTING, PROC, Process, can_see_marks, living

from .errors import CallerGone

End = tuple[str, int]  # address and port


class Caller(Mapping[str, str]):
    """What is of interest in the environment of who calls: looked up when somebody asks for it.

    Raises CallerGone then, where the connection is no more.
    """

    def __init__(self, client: End, server: End) -> None:
        self._client, self._server = client, server

    @cached_property
    def _found(self) -> dict[str, str]:
        table = f"{PROC}/self/net/{'tcp6' if ':' in self._client[0] else 'tcp'}"
        if not (can_see_marks() and os.path.exists(table)):
            return {}
        inode = _inode(table, self._client, self._server)
        marks = [mark for mark, pid in _inside() if _has(pid, inode)]
        return {MARK: NESTING.join(marks)} if marks else {}

    def __getitem__(self, name: str) -> str:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _inode(table: str, client: End, server: End) -> str:
    """Return the name of the client's end of a connection. Raises CallerGone."""
    ends = [_hexadecimal(client), _hexadecimal(server)]
    with open(table) as lines:
        for line in lines:
            fields = line.split()
            if fields[1:3] == ends and fields[9] != "0":
                return f"socket:[{fields[9]}]"
    raise CallerGone


def _hexadecimal(end: End) -> str:
    """Write an address as the kernel does: words of four bytes in the machine's order."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in end[0] else socket.AF_INET, end[0])
    words = memoryview(packed).cast("I")
    return "".join(f"{word:08X}" for word in words) + f":{end[1]:04X}"


def _inside() -> list[tuple[str, int]]:
    """Return the processes that a step started, also through others, with the marks that tell so."""
    processes = {process.pid: process for process in living()}
    found = [(_marks(process, processes), process.pid) for process in processes.values()]
    return [(mark, pid) for mark, pid in found if mark]


def _marks(process: Process, processes: Mapping[int, Process]) -> str:
    """Return the marks of a process and of all that it descends from, which it cannot take off."""
    marks: list[str] = []
    seen = set[int]()
    at: Process | None = process
    while at is not None and at.pid not in seen:
        seen.add(at.pid)
        marks += [at.mark] if at.mark else []
        at = processes.get(at.parent)
    return NESTING.join(marks)


def _has(pid: int, inode: str) -> bool:
    folder = f"{PROC}/{pid}/fd"
    try:
        return any(_target(f"{folder}/{name}") == inode for name in os.listdir(folder))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # ended meanwhile, or lets nobody look


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # closed since
        return ""
