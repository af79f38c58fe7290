"""What one event changed, for who steps through a history."""

from holdfast import Run, workflow
from holdfast.eventlog import RunClaimed, RunStarted, SignalReceived
from holdfast.reducer import FrameChange, about, frame_changes, reduce, replay
from tests.support.player import Player, raw


@workflow
async def flow(run: Run) -> None:
    await run.parallel(
        run.shell("test", "true"),
        run.approve("send", count=2),
        run.wait("news"),
        run.sleep(5),
        run.child("other.py", name="kid"),
    )


def changed(player: Player) -> list[list[tuple[str, str, str, str]]]:
    """Return the changes of every event so far."""
    found: list[list[FrameChange]] = []
    for index, record in enumerate(player.records):
        before = replay(player.records[:index])
        after = reduce(before, record.event, record.time)
        found.append(frame_changes(before, after, record.event))
    return [[(c.what, c.key, c.before, c.after) for c in each] for each in found]


def test_every_event_tells_what_it_did_to_what_it_is_about() -> None:
    player = Player(flow)
    begun = changed(player)
    ok = {"code": 0, "stdout": "", "stderr": "", "seconds": 1.0}
    player.answer("test", ok).answer("send").answer("news").answer("sleep").answer("kid")

    assert begun == [
        [("run", "", "", "running")],
        [("step", "test", "", "running")],
        [("gate", "send", "", "open")],
        [("signal", "news", "", "awaited")],
        [("timer", "sleep", "", "set")],
        [("child", "kid", "", "running")],
    ]
    assert changed(player)[len(begun) :] == [
        [("step", "test", "running", "succeeded")],
        [("gate", "send", "open", "open (1 of 2 votes)")],
        [("signal", "news", "awaited", "received")],
        [("timer", "sleep", "set", "")],
        [("child", "kid", "running", "succeeded")],
    ]
    player.driver.close()


def test_an_event_is_about_its_key_or_its_signal_or_nothing() -> None:
    assert about(SignalReceived("news", raw(1))) == ["news"]
    assert about(RunStarted("r", "flow")) == about(RunClaimed("me")) == []
