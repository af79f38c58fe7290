"""The same answers give the same run; what is not durable is refused."""

import datetime
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.reducer import NotDurable, WorkflowError
from tests.support.player import START, Player, work

ROOT = Path(__file__).parents[2]


@workflow
async def chancy(run: Run) -> list[str]:
    found = [str(run.uuid()), str(run.random()), run.now().isoformat()]
    await run.step("do", work)
    async for _ in run.loop("again", max=1, on_exhausted="stop"):
        found += [str(run.uuid()), str(run.random()), run.now().isoformat()]
    return found


def test_chance_and_time_come_from_the_log() -> None:
    first, second = Player(chancy).answer("do"), Player(chancy).answer("do")
    other = Player(chancy, seed=b"other").answer("do")

    assert first.output == second.output == first.redriven()[0].ended.value  # type: ignore[union-attr]
    assert len(set(first.output)) == 6
    assert set(first.output) & set(other.output) == {first.output[2], first.output[5]}


def test_chance_looks_as_it_should() -> None:
    @workflow
    async def rolls(run: Run) -> tuple[list[float], uuid.UUID, datetime.datetime]:
        return [run.random() for _ in range(200)], run.uuid(), run.now()

    numbers, identifier, now = Player(rolls).output

    assert all(0 <= number < 1 for number in numbers)
    assert 0.4 < sum(numbers) / 200 < 0.6
    assert identifier.version == 4
    assert now == datetime.datetime.fromtimestamp(START / 1e9, datetime.UTC)


SCRIPT = """
import sys
import msgspec
sys.path.insert(0, {root!r})
from holdfast import Run, workflow
from tests.support.player import Player, work

async def branch(run, name):
    async for _ in run.loop("try", max=2, on_exhausted="stop"):
        await run.race(run.step(f"a {{name}}", work, run.random()), run.step("b", work), run.wait(name))

@workflow
async def busy(run: Run):
    await run.parallel(**{{name: branch(run, name) for name in ["x", "y", "z"]}}, limit=2)
    await run.map(lambda item: branch(run, item), {{"p": 1, "q": 2}}, limit=1)

player = Player(busy)
while player.open:
    player.answer(player.open[-1], 1)
print(msgspec.msgpack.encode(player.records).hex(), *player.keys)
"""


def test_the_same_answers_give_the_same_history_in_every_process(tmp_path: Path) -> None:
    script = tmp_path / "busy.py"
    script.write_text(SCRIPT.format(root=str(ROOT)))

    outputs = [
        subprocess.run(
            [sys.executable, script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert outputs[0] == outputs[1]
    assert " -x/try[1]/b " in outputs[0]


class Bare:
    def __await__(self) -> Any:
        yield self


async def foreign_in_helper(run: Run) -> None:
    await Bare()


@workflow
async def awaits_future(run: Run) -> None:
    await Bare()


@workflow
async def awaits_in_helper(run: Run) -> None:
    await foreign_in_helper(run)


@workflow
async def awaits_in_map(run: Run) -> None:
    await run.map(lambda _: foreign_in_helper(run), [1])


@pytest.mark.parametrize(
    ("made", "line"),
    [(awaits_future, 6), (awaits_in_helper, 1), (awaits_in_map, 1)],
    ids=["in the workflow", "in a helper", "in a map"],
)
def test_awaiting_something_foreign_names_the_line(made: Any, line: int) -> None:
    place = foreign_in_helper.__code__.co_firstlineno + line

    with pytest.raises(NotDurable) as caught:
        Player(made)

    assert f"{__file__}:{place} in" in str(caught.value)
    assert "(Bare)" in str(caught.value)
    assert "run.sleep()" in str(caught.value)


async def test_trio_is_not_durable() -> None:
    @workflow
    async def sleepy(run: Run) -> None:
        await trio.sleep(1)

    with pytest.raises(NotDurable, match=r"trio.*test_driver_purity.py:\d+ in sleepy"):
        Player(sleepy)


@pytest.mark.parametrize("seconds", [0, 1])
def test_asyncio_is_not_durable(seconds: float) -> None:
    import asyncio

    @workflow
    async def sleepy(run: Run) -> None:
        await asyncio.sleep(seconds)

    with pytest.raises(NotDurable, match=r"asyncio.*test_driver_purity.py:\d+ in sleepy"):
        Player(sleepy)


def test_trio_without_a_loop_is_not_durable_either() -> None:
    @workflow
    async def sleepy(run: Run) -> None:
        await trio.sleep(1)

    with pytest.raises(NotDurable, match=r"trio.*test_driver_purity.py:\d+ in sleepy"):
        Player(sleepy)


def test_a_call_awaited_outside_of_its_workflow_is_refused() -> None:
    kept: list[Any] = []

    @workflow
    async def leaky(run: Run) -> None:
        kept.extend([run, run.step("later", work)])

    Player(leaky)
    run, step = kept

    with pytest.raises(WorkflowError, match="'later' was awaited outside of its workflow"):
        step.__await__().send(None)
    with pytest.raises(WorkflowError, match="outside of its workflow function"):
        run.uuid()


def test_a_moment_needs_a_time_zone() -> None:
    @workflow
    async def waits(run: Run) -> None:
        await run.sleep_until(datetime.datetime(2030, 1, 1))

    with pytest.raises(WorkflowError, match="no time zone"):
        Player(waits)


def test_a_moment_is_exact_to_the_microsecond() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2030, 1, 1, 12, 0, 0, 7, tzinfo=zone)

    @workflow
    async def waits(run: Run) -> None:
        await run.sleep_until(moment)
        await run.sleep("90s", "more")

    player = Player(waits)
    assert player.request("sleep").until == int(moment.timestamp()) * 10**9 + 7000

    player.answer("sleep")
    assert player.request("more").until == player.records[2].time + 90 * 10**9
