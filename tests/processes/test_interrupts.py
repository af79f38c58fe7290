"""Ctrl-C on a real process: once ends in good order what it started, twice at once."""

import signal

import pytest

from holdfast.eventlog import RunReleased, StepSucceeded
from tests.support.site import Process, Site, alive, until

SLOW = '''
    from holdfast import Run, workflow

    # The child of the command leaves its session, as the tools of coding agents do.
    WORK = """
    %s
    setsid sh -c 'echo "child $$" >> "$SIDE"; %s while [ ! -e go ]; do sleep 0.02; done' &
    echo "began $$" >> "$SIDE"
    while [ ! -e go ]; do sleep 0.02; done
    """
    DEAF = "trap '' TERM;"


    @workflow
    async def command(run: Run, deaf: bool = False) -> str:
        await run.shell("first", "true")
        await run.shell("work", WORK % ((DEAF, "") if deaf else ("", "")))
        return "done"


    @workflow
    async def agent(run: Run) -> str:
        await run.shell("first", "true")
        command = ["sh", "-c", WORK % ("", "")]
        await run.agent("work", "", agent="command", options={"command": command})
        return "done"
'''
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def slow(site: Site) -> Site:
    site.write("slow.py", SLOW)
    return site


def begun(site: Site, count: int = 1) -> list[int]:
    """Wait until a command and its child are at work; return all such pids so far."""
    return until(
        lambda: pids if len(pids := [int(w.split()[1]) for w in site.lines()]) == 2 * count else [],
        "the command and its child to begin",
    )


def first_line_of_stopping(process: Process) -> None:
    assert process.popen.stderr is not None
    for line in process.popen.stderr:
        if line.startswith("stopping"):
            return
    raise AssertionError("it never said that it is stopping")


@pytest.mark.parametrize(
    ("workflow", "number"), [("command", n) for n in NUMBERS] + [("agent", signal.SIGINT)]
)
def test_an_interrupted_run_leaves_no_process_and_can_be_resumed(
    slow: Site, workflow: str, number: signal.Signals
) -> None:
    process = slow.start("run", f"slow.py:{workflow}", "--id", "r")
    pids = begun(slow)

    process.send(number)
    ended = process.ended()

    assert ended.status == 130, ended
    assert "Go on with: holdfast" in ended.err
    assert not any(map(alive, pids))
    assert [e.reason for e in slow.events("r", RunReleased)] == ["interrupted"]
    resumed = slow.start("resume", "r", "--json")
    begun(slow, 2)
    (slow.folder / "go").touch()
    assert resumed.ended().json["output"] == "done"
    assert slow.keys("r", StepSucceeded) == {"first": 1, "work": 1}
    assert slow.verified()


def test_a_command_that_ignores_sigterm_is_killed_after_the_grace(slow: Site) -> None:
    process = slow.start("run", "slow.py:command", "--id", "r", "-i", "deaf=true", "--json")
    pids = begun(slow)

    process.send(signal.SIGINT)
    ended = process.ended()

    assert (ended.status, ended.json["status"]) == (130, "running")
    assert not any(map(alive, pids))
    assert [e.reason for e in slow.events("r", RunReleased)] == ["interrupted"]


def test_a_second_interrupt_kills_at_once_what_this_process_started_and_nothing_else(
    slow: Site,
) -> None:
    other = slow.start("run", "slow.py:command", "--id", "other")
    others = begun(slow)
    process = slow.start("run", "slow.py:command", "--id", "r", "-i", "deaf=true")
    mine = begun(slow, 2)[2:]

    process.send(signal.SIGINT)
    first_line_of_stopping(process)
    assert any(map(alive, mine))
    process.send(signal.SIGINT)
    ended = process.ended()

    assert ended.status == 130
    assert not any(map(alive, mine))
    assert all(map(alive, others))
    assert slow.events("r", RunReleased) == []
    (slow.folder / "go").touch()
    assert other.ended().status == 0
    assert slow.call("resume", "r", "--json").json["output"] == "done"
    assert slow.verified()
