"""The service that Restate calls: `python -m benchmarks.peers.restate_service PORT STUCK TOLD`.

Step number STUCK never ends; it makes the file TOLD with the moment, and with how many steps this
process executed before.
"""

# pyright: basic, reportMissingImports=false
# The types of what is seldom installed are not known.

import asyncio
import sys
import time
from collections.abc import Awaitable
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import hypercorn.asyncio
import hypercorn.config
import restate

from . import work


class Step(Protocol):
    """A step, which Restate calls with a keyword."""

    def __call__(self, index: int) -> Awaitable[dict[str, Any]]: ...


def stuck_at(stuck: int, told: Path) -> Step:
    """Return the step that everyone executes, except that one number of it never ends."""

    executed = count()

    async def step(index: int) -> dict[str, Any]:
        before = next(executed)
        if index == stuck:
            told.with_suffix(".part").write_text(f"{time.monotonic()} {before}")
            told.with_suffix(".part").rename(told)
            await asyncio.Event().wait()
        return work.step(index)

    return step


def bench(step: Step) -> restate.Service:
    """Return the service with both shapes of a run."""
    service = restate.Service("bench")

    @service.handler()
    async def one_by_one(ctx: restate.Context, steps: int) -> int:
        for index in range(steps):
            await ctx.run_typed(f"step-{index}", step, index=index)
        return steps

    @service.handler()
    async def all_at_once(ctx: restate.Context, steps: int) -> int:
        futures = [ctx.run_typed(f"step-{index}", step, index=index) for index in range(steps)]
        await restate.gather(*futures)
        return len(futures)

    return service


def main() -> None:
    port, stuck, told = sys.argv[1:]
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "ERROR"
    config.h2_max_concurrent_streams = 4096
    app = restate.app([bench(stuck_at(int(stuck), Path(told)))])
    asyncio.run(hypercorn.asyncio.serve(app, config))


if __name__ == "__main__":
    main()
