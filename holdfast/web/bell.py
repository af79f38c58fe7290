"""News of what other processes append, for a server of pages that executes nothing itself."""

from pathlib import Path

import trio

from holdfast.eventlog import Doorbell

LOOK_AGAIN_S = 1.0  # a killed process rings no bell


class Bell:
    """Tells that something may have happened: `news()` is set then; afterwards ask anew."""

    def __init__(self) -> None:
        self._news = trio.Event()

    def news(self) -> trio.Event:
        return self._news

    async def listen(
        self, folder: Path, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen to whoever appends to the log in a folder, until cancelled. Raises LogUnwritable."""
        with Doorbell(folder) as bell:
            task_status.started()
            while True:
                with trio.move_on_after(LOOK_AGAIN_S):
                    await trio.lowlevel.wait_readable(bell)
                bell.drain()
                self._news.set()
                self._news = trio.Event()
