"""Who executes a run when several processes want to: one, and after its death the next at once."""

import signal
import socket

import pytest

from holdfast.eventlog import RunClaimed, RunSucceeded, StepCancelled, StepStarted, StepSucceeded
from tests.support.site import Site, alive, until

# The shell step tells its pid and works until somebody makes the file `go`; should another one of it
# be at work, it says so.
HELD = '''
    from holdfast import Run, workflow

    WORK = """
    for pid in $(sed -n 's/^began //p' "$SIDE"); do
        if [ "$pid" != $$ ] && grep -qs "^State:.[^ZX]" "/proc/$pid/status"; then
            echo "beside $pid" >> "$SIDE"
        fi
    done
    echo "began $$" >> "$SIDE"
    %s
    while [ ! -e go ]; do sleep 0.02; done
    echo "ended $$" >> "$SIDE"
    """


    @workflow
    async def held(run: Run, trap: str = "true") -> str:
        first = await run.shell("first", 'echo first >> "$SIDE"; echo first')
        await run.shell("work", WORK % trap)
        return first.stdout.strip()


    @workflow
    async def asked(run: Run, trap: str = "true") -> str:
        await run.agent("work", "", agent="command", options={"command": ["sh", "-c", WORK % trap]})
        return "asked"
'''


@pytest.fixture
def held(site: Site) -> Site:
    site.write("held.py", HELD)
    site.side.touch()
    return site


def at_work(site: Site, count: int = 1) -> int:
    """Wait until the step was begun so many times, and return the last one's pid."""
    until(lambda: len(pids_of(site, "began")) >= count, f"{count} beginnings of the step")
    return pids_of(site, "began")[count - 1]


def pids_of(site: Site, word: str) -> list[int]:
    return [int(line.split()[1]) for line in site.lines() if line.startswith(f"{word} ")]


def let_go(site: Site) -> None:
    (site.folder / "go").touch()


def test_a_second_process_is_told_who_has_the_run(held: Site) -> None:
    first = held.start("run", "held.py:held", "--id", "r", "--json")
    at_work(held)

    second = held.call("resume", "r", "--json")
    let_go(held)

    code, message = second.error
    assert (second.status, code) == (1, "run_busy")
    assert f"process {first.pid} on {socket.gethostname()!r}" in message
    assert first.ended().status == 0
    assert len(held.events("r", RunClaimed)) == 1


def test_a_stopped_owner_that_wakes_up_after_a_takeover_writes_nothing_more(held: Site) -> None:
    first = held.start("run", "held.py:held", "--id", "r", "--json")
    orphan = at_work(held)
    first.send(signal.SIGSTOP)

    second = held.start("resume", "r", "--takeover", "--json")
    working = at_work(held, 2)
    assert not alive(orphan)
    first.send(signal.SIGCONT)
    replaced = first.ended()
    assert second.at_work
    assert alive(working)
    let_go(held)

    assert (replaced.status, replaced.error[0]) == (1, "run_replaced")
    assert f"process {second.pid} on" in replaced.error[1]
    ended = second.ended()
    assert (ended.status, ended.json["output"]) == (0, "first")
    claims = held.events("r", RunClaimed)
    assert [claim.pid for claim in claims] == [first.pid, second.pid]
    assert len(held.events("r", RunSucceeded)) == 1
    assert held.keys("r", StepSucceeded) == {"first": 1, "work": 1}
    assert pids_of(held, "beside") == []
    assert held.verified()


def test_a_live_owner_is_taken_over_and_its_processes_end(held: Site) -> None:
    first = held.start("run", "held.py:asked", "--id", "r", "--json")
    orphan = at_work(held)

    second = held.start("resume", "r", "--takeover", "--json")
    replaced = first.ended()
    at_work(held, 2)
    let_go(held)

    assert (replaced.status, replaced.error[0]) == (1, "run_replaced")
    assert not alive(orphan)
    assert second.ended().status == 0
    assert pids_of(held, "beside") == []
    assert held.keys("r", StepSucceeded) == {"work": 1}


def test_the_run_of_a_killed_owner_can_be_resumed_at_once_and_only_by_one(held: Site) -> None:
    held.start("run", "held.py:held", "--id", "r").kill_when(lambda: at_work(held))

    rivals = [held.start("resume", "r", "--json") for _ in range(2)]
    until(lambda: not all(rival.at_work for rival in rivals), "one of the two to give up")
    at_work(held, 2)
    let_go(held)
    loser, winner = sorted((rival.ended() for rival in rivals), key=lambda e: -e.status)

    assert (winner.status, winner.json["output"]) == (0, "first")
    assert (loser.status, loser.error[0]) == (1, "run_busy")
    assert len(held.events("r", RunClaimed)) == 2
    assert held.keys("r", StepStarted) == {"first": 1, "work": 2}


@pytest.mark.parametrize("workflow", ["held", "asked"])
@pytest.mark.parametrize("trap", ["true", "trap 'sleep 0.3; exit' TERM"])
def test_what_a_killed_engine_left_at_work_is_ended_before_it_is_tried_again(
    held: Site, workflow: str, trap: str
) -> None:
    words = ("run", f"held.py:{workflow}", "--id", "r", "-i", f"trap={trap}")
    held.start(*words).kill_when(lambda: at_work(held))
    orphan = at_work(held)
    assert alive(orphan)

    process = held.start("resume", "r", "--json")
    at_work(held, 2)
    assert not alive(orphan)
    process.kill()
    process = held.start("resume", "r", "--json")
    at_work(held, 3)
    let_go(held)

    assert process.ended().status == 0
    assert pids_of(held, "beside") == []
    assert pids_of(held, "ended") == [pids_of(held, "began")[-1]]
    assert held.keys("r", StepSucceeded)["work"] == 1


RACE = '''
    from holdfast import Run, workflow

    DEAF = """
    trap '' TERM
    echo "began $$" >> "$SIDE"
    while :; do sleep 0.02; done
    """


    @workflow
    async def race(run: Run) -> str:
        async def quick() -> str:
            await run.approve("quick")
            return "quick"

        return await run.race(quick(), slow=run.shell("slow", DEAF))
'''


def test_a_cancelled_step_that_outlived_its_killed_engine_is_ended_on_resume(site: Site) -> None:
    site.write("race.py", RACE)
    site.side.touch()
    first = site.start("run", "race.py", "--id", "r")
    loser = at_work(site)
    assert site.call("approve", "r", "quick/quick").status == 0
    first.kill_when(lambda: until(lambda: site.events("r", StepCancelled), "the loser's cancel"))
    assert alive(loser)

    resumed = site.call("resume", "r", "--json")

    assert (resumed.status, resumed.json["output"]) == (0, "quick")
    assert not alive(loser)
