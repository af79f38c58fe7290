"""The service that Restate calls: `python -m benchmarks.peers.restate_service PORT STUCK TOLD`.

Step number STUCK makes the file TOLD, with the moment in it, and never ends.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import restate

from . import work

NAME = "bench"
bench = restate.Service(NAME)
stuck, told = -1, Path()


async def step(index: int) -> dict[str, Any]:
    if index == stuck:
        told.with_suffix(".part").write_text(repr(time.monotonic()))
        told.with_suffix(".part").rename(told)
        await asyncio.Event().wait()
    return work.step(index)


@bench.handler()
async def one_by_one(ctx: restate.Context, steps: int) -> int:
    for index in range(steps):
        await ctx.run_typed(f"step-{index}", step, index=index)
    return steps


@bench.handler()
async def all_at_once(ctx: restate.Context, steps: int) -> int:
    futures = [ctx.run_typed(f"step-{index}", step, index=index) for index in range(steps)]
    await restate.gather(*futures)
    return len(futures)


def main() -> None:
    global stuck, told
    stuck, told = int(sys.argv[2]), Path(sys.argv[3])
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    config.h2_max_concurrent_streams = 4096
    asyncio.run(hypercorn.asyncio.serve(restate.app([bench]), config))


if __name__ == "__main__":
    main()
