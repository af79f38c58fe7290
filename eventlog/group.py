"""The writer thread: commits all that is queued in one go, so that many appends share a flush."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from .draft import Batch, NewRun
from .errors import LogClosed, LogError

Done = Callable[[int | Exception], None]
"""Told the branch's new head (for a new run its branch), or why nothing was written.

Runs in the writer thread.
"""

Item = Batch | NewRun

MOST_BATCHES = 1024  # in one commit, so that one transaction stays of a size that fits memory


class Writer:
    """One thread that writes what is submitted to it, in the order of submission."""

    def __init__(self, path: str, write: Callable[[Sequence[Item]], list[int | Exception]]) -> None:
        self._path, self._write = path, write
        self._queue: deque[tuple[Item, Done]] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="holdfast-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: Item, done: Done) -> None:
        """Queue a batch; `done` is called once it is on disk, or refused."""
        with self._changed:
            if self._closing:
                raise LogClosed(self._path)
            self._queue.append((batch, done))
            self._changed.notify()

    def close(self) -> None:
        """Write all that is queued, then end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _take(self) -> list[tuple[Item, Done]]:
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            count = min(len(self._queue), MOST_BATCHES)
            return [self._queue.popleft() for _ in range(count)]

    def _run(self) -> None:
        while taken := self._take():
            results = self._outcomes([batch for batch, _ in taken])
            for (_, done), result in zip(taken, results, strict=True):
                try:
                    done(result)
                except Exception as error:  # noqa: BLE001
                    # One caller's defect must not keep the others from hearing of their commits.
                    threading.excepthook(
                        threading.ExceptHookArgs(
                            (type(error), error, error.__traceback__, self._thread)
                        )
                    )

    def _outcomes(self, batches: list[Item]) -> list[int | Exception]:
        """Write batches; when the commit fails as a whole, each by itself, since some may fit."""
        try:
            return self._write(batches)
        except LogError as error:
            if len(batches) == 1:
                return [error]
            return [self._outcomes([batch])[0] for batch in batches]
        except Exception as error:  # noqa: BLE001 - the callers' business, not this thread's
            return [error] * len(batches)
