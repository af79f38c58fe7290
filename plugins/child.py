"""A program started by this very thread, which a sandbox can therefore outlive by no moment.

Linux ties "die with your parent" to the thread that started a process, and trio starts processes in
threads that end when they have been idle for a while. Only where sandboxes are: it takes pidfds.

A sandbox may tell how its program ended some moments before the kernel has ended all others in there.
So each of them inherits one end of a pipe, and the step is over when nobody holds it any more.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import trio

LAST_MOMENTS_S = 5.0  # for the kernel to end what it has been told to end


class Child:
    """The part of `trio.Process` that is used here."""

    def __init__(self, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self._alive, held = os.pipe()
        try:
            self._popen = self._start(argv, folder, env, held)
        except BaseException:
            os.close(self._alive)
            raise
        finally:
            os.close(held)
        self.pid = self._popen.pid
        self._ended = os.pidfd_open(self.pid)
        self._waiting = trio.Lock()
        self.stdin, self.stdout, self.stderr = map(
            _stream, (self._popen.stdin, self._popen.stdout, self._popen.stderr)
        )

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


def _stream(pipe: IO[bytes] | None) -> trio.lowlevel.FdStream:
    assert pipe is not None
    stream = trio.lowlevel.FdStream(os.dup(pipe.fileno()))
    pipe.close()
    return stream
