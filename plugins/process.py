"""The one way in which a program is started: fed, listened to, and ended with all that it started.

Whatever happens to the step - success, failure, cancellation - nothing that the program started is
alive when `run_process` returns.
"""

import errno
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import trio

from . import confining, marks
from .child import Child
from .errors import (
    BadOptions,
    CommandTooLong,
    Crashed,
    MissingBinary,
    MissingFolder,
    SandboxFailed,
    StillRunning,
    WorkError,
)
from .marks import MARK
from .types import Wrapped

OnBytes = Callable[[bytes], None]
Talk = Callable[[trio.abc.SendStream], Awaitable[None]]
Find = Callable[[], Awaitable[set[int]]]

GRACE_S = 5.0  # between SIGTERM and SIGKILL
KILL_S = 10.0  # how long SIGKILL may take before it is an error
DRAIN_S = 0.5  # how long output may stay open after the program has ended
COMPLAINT_BYTES = 400
LEAVE_S = 2.0  # how long a program may take to end by itself after a talk
LINE_BYTES = 32 * 1024 * 1024
NOT_A_PROGRAM = {errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.ELOOP}


def ignore(_data: bytes) -> None:
    """Take output and do nothing with it."""


class Lines:
    """Turns pieces of output into whole lines of text, without their line ends.

    A line above the limit is handed on in pieces of that size. Call `close` at the end: the last
    line may have no line end.
    """

    def __init__(self, on_line: Callable[[str], None], *, limit_bytes: int = LINE_BYTES) -> None:
        self._on_line, self._limit = on_line, limit_bytes
        self._rest = bytearray()

    def __call__(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._add(first)
        for piece in others:
            self._flush()
            self._add(piece)

    def close(self) -> None:
        if self._rest:
            self._flush()

    def _add(self, piece: bytes) -> None:
        self._rest += piece
        while len(self._rest) > self._limit:
            head = self._rest[: self._limit]
            del self._rest[: self._limit]
            self._on_line(head.decode(errors="replace"))

    def _flush(self) -> None:
        line = self._rest.removesuffix(b"\r").decode(errors="replace")
        self._rest.clear()
        self._on_line(line)


async def run_process(
    command: str | Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    stdin: bytes | Talk = b"",
    on_stdout: OnBytes = ignore,
    on_stderr: OnBytes = ignore,
    install: str = "",
    grace_s: float = GRACE_S,
    drain_s: float = DRAIN_S,
) -> int:
    """Run a program, or a shell command given as one text, and return its exit code (-N: signal N).

    `env` is its whole environment; under the name `MARK` it has what finds everything that the
    program starts. `install` tells how to get the program, for when it is missing. An exception of
    `on_stdout` or `on_stderr` ends the program and is raised here.

    `stdin` is all that the program is told, or a talk: a coroutine that writes to the program for as
    long as it likes. It is cancelled when the program ends first, and the program when it raises.

    Where something confines the task (confining.py) the program runs in that sandbox. One that dies
    of signal N there has the exit code 128 + N.
    """
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    if not folder.is_dir():
        raise MissingFolder(str(folder), program=argv[0], reason="there is no such folder")
    wrapped = await _wrapped(argv, env, folder, install)
    complaint = Complaint(wrapped, on_stderr)
    process = await _start(argv, folder, env, install, wrapped)
    find = _finder(process, env.get(MARK, ""))
    spared = set[int]() if wrapped is None else {process.pid}
    failures: list[Exception] = []
    async with trio.open_nursery() as nursery:

        def fail(failure: Exception) -> None:
            failures.append(failure)
            nursery.cancel_scope.cancel()

        assert process.stdout is not None
        assert process.stderr is not None
        outlets = (Outlet(process.stdout, on_stdout), Outlet(process.stderr, complaint))
        for outlet in outlets:
            nursery.start_soon(outlet.pump, fail)
        try:
            if callable(stdin):
                await _converse(process, stdin, outlets, drain_s, fail)
            else:
                nursery.start_soon(_feed, process, stdin)
                await process.wait()
            await _wait_for_ends(outlets, drain_s)
        finally:
            with trio.CancelScope(shield=True):
                if left := await _end(find, grace_s=grace_s, spared=spared):
                    failures.append(StillRunning(left))
                else:
                    await process.wait()
                failures.extend(await _afterwards(wrapped))
                await _wait_for_ends(outlets, drain_s)
            nursery.cancel_scope.cancel()
            for outlet in outlets:
                outlet.scope.cancel()
    if failures:
        raise failures[0]
    assert process.returncode is not None
    complaint.raise_if_any(argv[0], process.returncode)
    return process.returncode


async def sweep(mark: str, *, grace_s: float = GRACE_S) -> int:
    """End everything that still bears the mark, and return how many processes that were.

    For steps whose engine was killed; a mark that ends with "/" stands for all that begin so. Where
    the system does not show marks, nothing is found.
    """
    if not marks.can_see_marks():
        return 0
    seen: set[int] = set()

    async def find() -> set[int]:
        found = await _marked(mark, 0)
        seen.update(found)
        return found

    with trio.CancelScope(shield=True):
        if left := await _end(find, grace_s=grace_s):
            raise StillRunning(left)
    return len(seen)


class Outlet:
    """One output of the program, read to its end even while the step is cancelled.

    A program that ends in good order may have a lot to say; with nobody listening it would block.
    """

    def __init__(self, stream: trio.abc.ReceiveStream, sink: OnBytes) -> None:
        self.scope = trio.CancelScope(shield=True)
        self.ended = trio.Event()
        self._stream, self._sink = stream, sink

    async def pump(self, fail: Callable[[Exception], None]) -> None:
        sink = self._sink
        with self.scope:
            async with self._stream:
                async for data in self._stream:
                    try:
                        sink(bytes(data))
                    except Exception as failure:  # noqa: BLE001 - raised by run_process
                        fail(failure)
                        sink = ignore
        self.ended.set()


class Complaint:
    """Listens whether what a sandbox says first is that it could not be made.

    A program may say the same. It fails only its own step by that.
    """

    def __init__(self, wrapped: Wrapped | None, sink: OnBytes) -> None:
        self._wrapped, self._sink = wrapped, sink
        self._said = b""

    def __call__(self, data: bytes) -> None:
        if len(self._said) < COMPLAINT_BYTES:
            self._said += data[:COMPLAINT_BYTES]
        self._sink(data)

    def raise_if_any(self, program: str, code: int) -> None:
        if self._wrapped is None or code != 1:
            return
        if self._said.startswith(self._wrapped.complaint.encode()):
            said = self._said.decode(errors="replace").partition("\n")[0]
            raise SandboxFailed(
                f"the sandbox for {program!r} could not be made: {said!r}. Look at what [sandbox] in "
                "holdfast.toml allows, and at: holdfast doctor"
            )


async def _wrapped(
    argv: list[str], env: Mapping[str, str], folder: Path, install: str
) -> Wrapped | None:
    confined = confining.current()
    if confined is None:
        return None
    here = argv[0] if os.sep not in argv[0] else str(folder / argv[0])
    if shutil.which(here, path=env.get("PATH", os.defpath)) is None:
        # Its own way to fail: the sandbox would only tell that something has failed.
        number = errno.EACCES if os.path.isfile(here) else errno.ENOENT
        raise _cannot_start(OSError(number, os.strerror(number)), argv, folder, install)
    return await trio.to_thread.run_sync(confined.wrap, argv, env, folder)


async def _afterwards(wrapped: Wrapped | None) -> list[WorkError]:
    """Let the sandbox see to what was done in it; return what fails the step."""
    if wrapped is None or wrapped.after is None:
        return []
    try:
        await trio.to_thread.run_sync(wrapped.after)
    except WorkError as failure:
        return [failure]
    return []


async def _start(
    argv: list[str],
    folder: Path,
    env: Mapping[str, str],
    install: str,
    wrapped: Wrapped | None,
) -> trio.Process | Child:
    try:
        if wrapped is not None:
            return Child(wrapped.argv, folder, env)
        return await trio.lowlevel.open_process(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _cannot_start(error, argv, folder, install) from error


def _cannot_start(
    error: OSError | ValueError, argv: list[str], folder: Path, install: str
) -> WorkError:
    program = argv[0]
    if not isinstance(error, OSError):
        return BadOptions(f"cannot start {program!r}: its arguments or environment have an {error}")
    reason = error.strerror or str(error)
    if error.filename == str(folder):
        return MissingFolder(str(folder), program=program, reason=reason)
    if error.errno == errno.E2BIG:
        size = max(len(os.fsencode(argument)) for argument in argv)
        return CommandTooLong(program, longest_bytes=size)
    if error.errno in NOT_A_PROGRAM:
        how = f"Install it with: {install}" if install else _how_to_find(error, program, folder)
        return MissingBinary(f"cannot start {program!r}: {reason}. {how}")
    return Crashed(f"cannot start {program!r}: {reason}. The machine may lack memory or files.")


def _how_to_find(error: OSError, program: str, folder: Path) -> str:
    if error.errno == errno.EACCES:
        return f"Make it executable with: chmod +x {shlex.quote(program)}"
    if os.sep in program and not os.path.isabs(program):
        return f"It is looked for from {str(folder)!r}, where the step works."
    return "Install it, or mend the PATH."


async def _feed(process: trio.Process | Child, data: bytes) -> None:
    assert process.stdin is not None
    async with process.stdin as stream:
        try:
            await stream.send_all(data)
        except trio.BrokenResourceError:
            return  # it has read all that it wants


async def _converse(
    process: trio.Process | Child,
    talk: Talk,
    outlets: Sequence[Outlet],
    drain_s: float,
    fail: Callable[[Exception], None],
) -> None:
    """Let the talk go on until one side is done, and give the program a moment to leave by itself."""
    assert process.stdin is not None
    async with trio.open_nursery() as nursery:

        async def hear_out() -> None:
            await process.wait()
            await _wait_for_ends(outlets, drain_s)  # its last words may be what the talk waits for
            nursery.cancel_scope.cancel()

        async def notice_silence() -> None:
            await outlets[0].ended.wait()
            await trio.sleep(LEAVE_S)
            nursery.cancel_scope.cancel()

        nursery.start_soon(hear_out)
        nursery.start_soon(notice_silence)
        async with process.stdin as stream:
            try:
                await talk(stream)
            except Exception as failure:  # noqa: BLE001 - raised by run_process
                fail(failure)
        with trio.move_on_after(LEAVE_S):
            await process.wait()
        nursery.cancel_scope.cancel()


async def _wait_for_ends(outlets: Sequence[Outlet], seconds: float) -> None:
    with trio.move_on_after(seconds):
        for outlet in outlets:
            await outlet.ended.wait()


def _finder(process: trio.Process | Child, mark: str) -> Find:
    if marks.can_see_marks():
        return partial(_marked, mark, process.pid)
    return partial(_group, process)


async def _marked(mark: str, session: int) -> set[int]:
    # In a thread: on a machine with thousands of processes it takes a while.
    return await trio.to_thread.run_sync(partial(marks.find, mark=mark, session=session))


async def _group(process: trio.Process | Child) -> set[int]:
    """Return the process group, as the negative number that os.kill takes, while it has members."""
    process.poll()  # a zombie would count as a member
    try:
        os.kill(-process.pid, 0)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return set()
    return {-process.pid}


async def _end(find: Find, *, grace_s: float, spared: Iterable[int] = ()) -> set[int]:
    """SIGTERM to all, after the grace SIGKILL, until none is left; return those that survive both.

    The `spared` end by themselves when the others do: they get no SIGTERM.
    """
    kill_at = trio.current_time() + grace_s
    told = set(spared)
    pause = 0.002
    while left := await find():
        if trio.current_time() >= kill_at + KILL_S:
            return left
        killing = trio.current_time() >= kill_at
        for pid in left if killing else left - told:
            _signal(pid, signal.SIGKILL if killing else signal.SIGTERM)
        told |= left
        await trio.sleep(pause)
        pause = min(pause * 2, 0.1)
    return set()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # ended meanwhile; or runs as another user (sudo), which the caller will see
