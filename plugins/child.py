"""A program started by this very thread, which a sandbox can therefore outlive by no moment.

Linux ties "die with your parent" to the thread that started a process, and trio starts processes in
threads that end when they have been idle for a while. Only where sandboxes are: it takes pidfds.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import trio


class Child:
    """The part of `trio.Process` that is used here."""

    def __init__(self, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(
            argv,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            bufsize=0,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
        )
        self.pid = self._popen.pid
        self._ended = os.pidfd_open(self.pid)
        self.stdin, self.stdout, self.stderr = map(
            _stream, (self._popen.stdin, self._popen.stdout, self._popen.stderr)
        )

    @property
    def returncode(self) -> int | None:
        return self._popen.returncode

    def poll(self) -> int | None:
        return self._popen.poll()

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        if self._popen.poll() is None:
            await trio.lowlevel.wait_readable(self._ended)
        code = self._popen.wait()
        if self._ended >= 0:
            trio.lowlevel.notify_closing(self._ended)
            os.close(self._ended)
            self._ended = -1
        return code


def _stream(pipe: IO[bytes] | None) -> trio.lowlevel.FdStream:
    assert pipe is not None
    stream = trio.lowlevel.FdStream(os.dup(pipe.fileno()))
    pipe.close()
    return stream
