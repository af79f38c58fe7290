"""The stream of events: each once, in the order of the log, over every interruption."""

import json
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast.eventlog import Log, NoSuchRun
from holdfast.mcp.errors import BadArguments
from holdfast.runs import send_signal
from holdfast.web import stream
from holdfast.web.following import PAGE, Events, Follower
from tests.web.conftest import Site, serving

Taken = list[tuple[int, dict[str, Any]]]


async def take(site: Site, count: int, last: int | None = None, **query: Any) -> Taken:
    """Take so many events from a stream, after the last one that was seen, as browsers do."""
    taken: Taken = []
    async with site.stream(last, **query) as lines:
        place = -1
        async for line in lines:
            if line.startswith("id: "):
                place = int(line[4:])
            elif line.startswith("data: "):
                taken.append((place, json.loads(line[6:])))
                if len(taken) == count:
                    break
    return taken


async def until_let_go(site: Site, run: str) -> None:
    """Wait until a run waits and nobody executes it."""
    while True:
        news = site.news()
        row = site.log.run(run)
        if row.status == "waiting" and not row.owner:
            return
        await news.wait()


def places(site: Site, run: str) -> list[int]:
    """Return the seqs of all histories that ever had a run's name."""
    log = site.log
    return [r.seq for r in log.scan() if log.branch(r.branch).run == run]


async def test_a_stream_that_is_cut_anywhere_goes_on_without_loss_while_others_write(
    site: Site,
) -> None:
    for run in ("a", "b"):
        await site("POST", "/runs", workflow="w.py:wait", id=run)
        await until_let_go(site, run)
        await site("POST", f"/runs/{run}/pause")  # so that nobody but the test writes
    chance = random.Random(7)
    before, more = site.log.size(), 120

    def write() -> None:
        for number in range(more):
            send_signal(site.log, "ab"[number % 2], f"n{number}", number, "test")

    async def read(found: list[int], wanted: Callable[[], int], **query: Any) -> None:
        while len(found) < wanted():
            count = min(chance.randint(1, 40), wanted() - len(found))
            taken = await take(site, count, found[-1] if found else None, **query)
            assert all(event["seq"] == place for place, event in taken)
            found += [place for place, _ in taken]

    every, own = list[int](), list[int]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, write)
        nursery.start_soon(partial(read, every, lambda: before + more))
        of_a = sum(place < before for place in places(site, "a")) + more // 2
        nursery.start_soon(partial(read, own, lambda: of_a, run="a"))

    assert every == [*range(before + more)]
    assert own == places(site, "a")


async def test_one_stream_tells_a_runs_whole_life_over_a_rewind(site: Site) -> None:
    events: list[dict[str, Any]] = []

    async def until(type_: str, lines: Any) -> None:
        async for line in lines:
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
                if events[-1]["type"] == type_:
                    return
        raise AssertionError("the stream has ended")

    await site("POST", "/runs", workflow="w.py:greet", input={"name": "Bo"}, id="r")
    async with site.stream(run="r") as lines:
        await until("approval.requested", lines)
        await site("POST", "/runs/r/decide", decision="approve", by="ben")
        await until("run.succeeded", lines)
        await site("POST", "/runs", workflow="w.py:fail", id="other")
        await site("POST", "/runs/r/rewind", at=1, resume=True)
        await until("approval.requested", lines)
        await site("POST", "/runs/r/decide", decision="deny", by="ben")
        await until("run.failed", lines)

    assert {event["run"] for event in events} == {"r"}
    assert [event["seq"] for event in events] == places(site, "r")
    assert len({event["branch"] for event in events}) == 2
    assert max(e["offset"] for e in events) < len(events) - 1  # offsets alone would tell some twice


async def test_what_is_to_come_alone_and_silence_are_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site("POST", "/runs", workflow="w.py:wait", id="r")
    await until_let_go(site, "r")
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0)
    async with site.stream(after="latest", run="r") as lines:
        while await anext(lines) != ":":
            pass
        sent = await site("POST", "/runs/r/signal", name="other", resume=False)
        while not (line := await anext(lines)).startswith("data: "):
            pass

    told = json.loads(line[6:])
    assert (told["offset"], told["type"]) == (sent["offset"] - 1, "signal.received")


async def test_a_stream_of_what_is_not_there_is_refused(site: Site) -> None:
    await site("POST", "/runs", workflow="w.py:wait", id="r")
    size = site.log.size()

    assert await site.refused("GET", "/events", run="nope") == (404, "no_such_run")
    for given in ({"after": size + 50}, {"after": -2}, {"after": "x"}, {"colour": "red"}):
        assert await site.refused("GET", "/events", **given) == (400, "bad_arguments")
    headers = {"Last-Event-ID": "nonsense"}
    told = await site.client.get("/api/v1/events", headers=headers)
    assert told.status_code == 400


async def test_open_streams_are_brought_to_their_end_when_the_server_ends(folder: Path) -> None:
    async with AsyncExitStack() as client:
        async with serving() as site:
            lines = await client.enter_async_context(site.stream())
            while await anext(lines) != "retry: 1000":
                pass
        assert [line async for line in lines] == [""]


# --- what is told of a run -----------------------------------------------------------------------


def followed(log: Log, **asked: Any) -> list[int]:
    follower = Follower(log, Events(**asked))
    found = list[int]()
    while page := follower.read():
        assert len(page) <= PAGE
        found += [record.seq for record in page]
    return found


async def test_a_fork_is_told_with_what_it_has_from_its_parent_and_nothing_more(
    site: Site,
) -> None:
    await site("POST", "/runs", workflow="w.py:greet", input={"name": "Bo"}, id="r")
    await site("GET", "/runs/r/wait")
    await site("POST", "/runs/r/fork", at=3, id="f")
    await site("POST", "/runs/r/decide", decision="approve", by="ann")
    await site("GET", "/runs/r/wait")
    await site("POST", "/runs/f/rewind", at=2)
    log = site.log
    old = next(r.branch for r in log.branches() if r.run == "f")

    assert followed(log) == [*range(log.size())]
    assert followed(log, run="r") == places(site, "r")
    inherited = [r.seq for r in log.records(log.branch_of("r"), 0, 3)]
    assert followed(log, run="f") == inherited + places(site, "f")
    assert followed(log, run=f"f@{old}") == [r.seq for r in log.records(old)]
    for after in (0, 2, 5):
        assert followed(log, run="f", after=after) == [
            seq for seq in followed(log, run="f") if seq > after
        ]
    assert followed(log, after="latest") == followed(log, run="f", after=log.size() - 1) == []


async def test_a_follower_of_nothing_is_refused(site: Site) -> None:
    with pytest.raises(NoSuchRun):
        Follower(site.log, Events(run="r"))
    with pytest.raises(BadArguments, match="no event with the seq 0"):
        Follower(site.log, Events(after=0))
    assert followed(site.log) == []
