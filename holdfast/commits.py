"""Commits for one trio loop: what several runs record at about the same time shares a flush."""

import time
from collections.abc import Sequence

import trio
from outcome import Value

# From where trio.testing has it: that one imports pytest wherever it is installed, 0.1 s of each start.
from trio._core._run import wait_all_tasks_blocked  # pyright: ignore[reportPrivateUsage]

from holdfast.eventlog import Batch, Log, NewRun

Item = Batch | NewRun
Result = int | Exception

SLOW_S = 0.01  # a flush that takes longer is waited for in another thread
GATHER_S = 0.005  # how long a commit waits, at most, for others to join it


class Committer:
    """Writes batches and new runs to the log for the tasks of one trio loop.

    A commit waits until no task can go on without one, because whoever still runs may have something
    to add. Then there is nobody to keep waiting, so it happens in this thread; measured against the
    log's writer thread, handing over and back costs a third of a flush, and both threads fight for
    the interpreter. Only where flushes are slow does another thread wait for them.
    """

    def __init__(self, log: Log, *, slow_s: float = SLOW_S) -> None:
        self._log = log
        self._slow_s = slow_s
        self._waiting: list[tuple[Item, trio.lowlevel.Task]] = []
        self._called = trio.Event()
        self._scope = trio.CancelScope(shield=True)
        self._flush_s = 0.0

    async def write(self, item: Item, *, alone: bool) -> int:
        """Return the new head of a batch's branch, or the branch of a new run, once it is on disk.

        `alone` says that no other task could have something to add. Raises what the log raises.
        """
        if alone and self._flush_s < self._slow_s:
            began = _waited_s()
            head = self._log.write_one(item)
            self._flush_s = _waited_s() - began
            return head
        self._waiting.append((item, trio.lowlevel.current_task()))
        self._called.set()
        # Never abandoned: the commit would land all the same, after we said that it did not.
        result = await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        if isinstance(result, Exception):
            raise result
        return int(result)

    async def run(self) -> None:
        """Commit what is asked for until `close`; a task of the engine's."""
        with self._scope:
            while True:
                await self._called.wait()
                self._called = trio.Event()
                with trio.move_on_after(GATHER_S):
                    await wait_all_tasks_blocked()
                waiting, self._waiting = self._waiting, []
                items = [item for item, _ in waiting]
                if self._flush_s < self._slow_s:
                    results = self._write(items)
                else:
                    results = await trio.to_thread.run_sync(self._write, items)
                for (_, task), result in zip(waiting, results, strict=True):
                    trio.lowlevel.reschedule(task, Value(result))

    def close(self) -> None:
        """End `run`; nobody waits for a commit any more."""
        self._scope.cancel()

    def _write(self, items: Sequence[Item]) -> Sequence[Result]:
        began = _waited_s()
        try:
            return self._log.write_each(items)
        except Exception as error:  # noqa: BLE001 - raised by whoever waits, who else never wakes
            return [error] * len(items)
        finally:
            self._flush_s = _waited_s() - began


def _waited_s() -> float:
    """Return a clock of the time that this thread was not computing: of a commit, its flush."""
    return time.perf_counter() - time.thread_time()
