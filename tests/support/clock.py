"""Virtual time that does not run ahead of the work of threads."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import trio
from trio.testing import MockClock


@contextmanager
def virtual_clock() -> Generator[MockClock]:
    """Yield a clock that jumps to what comes next, but stands still while a thread works.

    Hours would pass else before the thread has its turn, since something always looks again soon.
    """
    clock = MockClock(autojump_threshold=0)
    run_sync, at_work = trio.to_thread.run_sync, 0

    async def watched(*args: Any, **options: Any) -> Any:
        nonlocal at_work
        at_work += 1
        clock.autojump_threshold = math.inf
        try:
            return await run_sync(*args, **options)
        finally:
            at_work -= 1
            clock.autojump_threshold = math.inf if at_work else 0

    with mock.patch.object(trio.to_thread, "run_sync", watched):
        yield clock
