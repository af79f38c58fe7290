"""Who calls over loopback: the marks of steps in the environment of the process at the other end.

Linux shows which process has a socket, and what environment that process and those that started it were
given. A process that descends from this one and bears no mark was started by a step, and hides that. Where
none of it is shown, nothing is known of the caller, and the token alone decides.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from functools import cached_property

from holdfast.plugins.marks import MARK, NESTING, PROC, Process, can_see_marks, living

from .errors import CallerGone, CallerHides

End = tuple[str, int]  # address and port


class Caller(Mapping[str, str]):
    """What is of interest in the environment of who calls: looked up when somebody asks for it.

    Raises CallerGone then, where the connection is no more, and CallerHides. `own` is the process that
    executes runs, by default this one.
    """

    def __init__(self, client: End, server: End, *, own: int | None = None) -> None:
        self._client, self._server = client, server
        self._own = os.getpid() if own is None else own

    @cached_property
    def _found(self) -> dict[str, str]:
        table = f"{PROC}/self/net/{'tcp6' if ':' in self._client[0] else 'tcp'}"
        if not (can_see_marks() and os.path.exists(table)):
            return {}
        inode = _inode(table, self._client, self._server)
        if _has(self._own, inode):  # for a moment, a process that it is starting has it as well
            return {}
        marks = [mark for mark, pid in _inside(self._own) if _has(pid, inode)]
        if "" in marks:
            raise CallerHides
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


def _inside(own: int) -> Iterator[tuple[str, int]]:
    """Yield the processes that a step started, also through others, with the marks that tell of which.

    Those above the one that executes runs are not looked at: it may itself work inside a run.
    """
    processes = {process.pid: process for process in living()}
    for process in processes.values():
        line = _line(process, processes, own)
        marks = [one.mark for one in line if one.mark and one.pid != own]
        if process.pid != own and (marks or line[-1].pid == own):
            yield NESTING.join(marks), process.pid


def _line(process: Process, processes: Mapping[int, Process], own: int) -> list[Process]:
    """Return a process and all that it descends from, at most up to `own`."""
    line = [process]
    while line[-1].pid != own and (parent := processes.get(line[-1].parent)):
        if parent in line:  # its number was taken by another meanwhile
            break
        line.append(parent)
    return line


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
