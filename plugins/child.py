"""A program started by this very thread, which a sandbox can therefore outlive by no moment.

Linux ties "die with your parent" to the thread that started a process, and trio starts processes in
threads that end when they have been idle for a while. Only where sandboxes are: it takes pidfds.

A sandbox may tell how its program ended some moments before the kernel has ended all others in there.
So each of them inherits one end of a pipe, and the step is over when nobody holds it any more.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from select import poll
from typing import IO

import trio

LAST_MOMENTS_S = 5.0  # for the kernel to end what it has been told to end


class Child:
    """The part of `trio.Process` that is used here."""

    def __init__(self, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        with ExitStack() as undo:
            self._alive = self._run(argv, folder, env, undo)
            self.pid = self._popen.pid
            self._ended = os.pidfd_open(self.pid)
            undo.callback(os.close, self._ended)
            pipes = (self._popen.stdin, self._popen.stdout, self._popen.stderr)
            descriptors = [_taken_from(pipe, undo) for pipe in pipes]
            undo.pop_all()
        self._waiting = trio.Lock()
        self.stdin, self.stdout, self.stderr = map(trio.lowlevel.FdStream, descriptors)

    def _run(
        self, argv: Sequence[str], folder: Path, env: Mapping[str, str], undo: ExitStack
    ) -> int:
        """Start the program; return the end of the pipe by which it is known to live."""
        alive, held = os.pipe()
        undo.callback(os.close, alive)
        try:
            self._popen = self._start(argv, folder, env, held)
        finally:
            os.close(held)
        undo.callback(_end, self._popen, alive)
        return alive

    @staticmethod
    def _start(
        argv: Sequence[str], folder: Path, env: Mapping[str, str], held: int
    ) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            argv,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            bufsize=0,
            cwd=folder,
            env=dict(env),
            pass_fds=(held,),
            start_new_session=True,
        )

    @property
    def returncode(self) -> int | None:
        return self._popen.returncode

    def poll(self) -> int | None:
        return self._popen.poll()

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code. Several tasks may wait."""
        async with self._waiting:
            if self._popen.poll() is None:
                await trio.lowlevel.wait_readable(self._ended)
            code = self._popen.wait()
            if self._alive >= 0:
                with trio.move_on_after(LAST_MOMENTS_S):
                    await trio.lowlevel.wait_readable(self._alive)
            for descriptor in (self._ended, self._alive):
                if descriptor >= 0:
                    trio.lowlevel.notify_closing(descriptor)
                    os.close(descriptor)
            self._ended = self._alive = -1
            return code


def _taken_from(pipe: IO[bytes] | None, undo: ExitStack) -> int:
    """Return a descriptor of our own for a pipe, which is closed."""
    assert pipe is not None
    descriptor = os.dup(pipe.fileno())
    undo.callback(os.close, descriptor)
    pipe.close()
    return descriptor


def _end(popen: subprocess.Popen[bytes], alive: int) -> None:
    """End a program that nobody can be given, and all that it started."""
    with popen:  # which closes its pipes and waits for it
        os.killpg(popen.pid, signal.SIGKILL)
    waiting = poll()
    waiting.register(alive)
    waiting.poll(LAST_MOMENTS_S * 1000)
