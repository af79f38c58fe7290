"""One asyncio loop in a thread of its own, for libraries that know no trio."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import trio

T = TypeVar("T")


class AsyncioThread:
    """A loop that starts on first use and lives as long as the process: clients stay connected."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(
        self, function: Callable[[], Coroutine[Any, Any, T]], *, patience_s: float = 5
    ) -> T:
        """Await the coroutine over there. Cancelling cancels it, and waits for it that long."""
        loop, token, finished = self._running(), trio.lowlevel.current_trio_token(), trio.Event()
        tasks: list[asyncio.Task[T]] = []

        def finish(task: asyncio.Task[T]) -> None:
            if not task.cancelled():
                task.exception()  # seen: asyncio logs the ones that nobody looks at
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(finished.set)

        def start() -> None:
            tasks.append(loop.create_task(function()))
            tasks[0].add_done_callback(finish)

        loop.call_soon_threadsafe(start)
        try:
            await finished.wait()
        except BaseException:
            loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            with trio.move_on_after(patience_s, shield=True):
                await finished.wait()
            raise
        return tasks[0].result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name=self._name, daemon=True
                ).start()
            return self._loop
