"""Workflows for tests of replaying and bisecting, each with a history that is worth a look."""

TRAVEL = '''
from holdfast import Run, workflow
import trio


def check(n):
    return {"code": 0 if n < 3 else 1}


async def tested(run, n):
    found = await run.step("test", check, n)
    return found


@workflow
async def mend(run: Run, goal: str, times: int = 4) -> str:
    """Test a few times, then ask."""
    feedback = "nothing yet"
    async for index in run.loop("try", max=times, on_exhausted="stop"):
        found = await tested(run, index)
        feedback = f"code {found['code']}"
    await run.parallel(run.approve("send it", subject=feedback), run.wait("news"))
    return f"{goal}: {feedback}"


@workflow
async def broken(run: Run) -> None:
    value = {"a": 1}
    await run.step("test", check, 1)
    value["missing"]


@workflow
async def impure(run: Run) -> None:
    here = "before"
    await run.step("test", check, 1)
    await trio.sleep(0)


@workflow
async def fan(run: Run) -> list[str]:
    async def one(item: str) -> str:
        local = item * 2
        return local + await run.wait(item)

    return await run.map(one, ["x", "y"])
'''
