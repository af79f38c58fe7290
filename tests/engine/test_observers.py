"""Plugins that observe see what was written, once, in order, and cannot stop a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from holdfast import Run, workflow
from holdfast.eventlog import Record
from holdfast.plugins import hookimpl
from tests.support.lab import Lab


class Observer:
    def __init__(self) -> None:
        self.seen: list[Record] = []

    @hookimpl
    def holdfast_event(self, record: Record) -> None:
        self.seen.append(record)


class Broken:
    @hookimpl
    def holdfast_event(self, record: Record) -> None:
        raise ValueError("I see nothing")


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def watched(tmp_path: Path, observer: Observer) -> Iterator[Lab]:
    lab = Lab(tmp_path, observer, Broken())
    yield lab
    lab.log.close()


@workflow
async def asks(run: Run) -> None:
    await run.step("before", trio.sleep, 0)
    await run.approve("go")
    await run.step("after", trio.sleep, 0)


async def test_an_observer_sees_every_record_once_and_in_order(
    watched: Lab, observer: Observer, autojump_clock: object
) -> None:
    await watched.run(asks)
    watched.approve("go")
    await watched.resume()

    assert observer.seen == list(watched.log.records(1))
    assert watched.state().status == "succeeded"
    assert any("I see nothing" in str(broken) for broken in watched.plugins.broken)


async def test_an_observer_sees_what_came_while_the_run_was_at_work(
    watched: Lab, observer: Observer, autojump_clock: object
) -> None:
    @workflow
    async def races(run: Run) -> None:
        await run.parallel(run.step("work", work), run.approve("go"))

    async def work() -> None:
        watched.approve("go")

    await watched.run(races)

    assert observer.seen == list(watched.log.records(1))
