"""`kill -9` of the real process while an agent calls tools: none is made twice, no answer paid twice."""

import os
import random
import signal
import time
from collections import Counter

import pytest

from holdfast.eventlog import Journaled
from tests.support.counting import CALLS
from tests.support.site import Process, Site, until


def killed(process: Process, site: Site, dice: random.Random) -> bool:
    """Kill the process after some more lines; return False when it ended by itself before."""
    wanted = len(site.lines()) + dice.randint(0, 5)
    until(lambda: len(site.lines()) >= wanted or not process.at_work, f"{wanted} lines")
    pause = time.monotonic() + dice.uniform(0, 0.05)
    until(lambda: time.monotonic() >= pause or not process.at_work, "the moment to kill")
    if not process.at_work:
        return False
    process.kill()
    return process.ended().status == -signal.SIGKILL


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.soak)])
def test_kills_at_random_moments_repeat_no_call_and_pay_no_answer_twice(
    site: Site, kills: int
) -> None:
    """KILL_SEED repeats the choice of moments, which the machine's own timing then varies."""
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"KILL_SEED={seed}")
    dice = random.Random(seed)
    done = number = 0
    while done < kills:
        number += 1
        done += torment(site, f"r{number}", kills - done, dice)


def torment(site: Site, run: str, kills: int, dice: random.Random) -> int:
    """Execute one run, killed now and then, and judge its record; return how often it was killed."""
    site.side.unlink(missing_ok=True)
    process = site.start("run", "work.py:work", "--id", run, "--json")
    done = 0
    while done < kills and killed(process, site, dice):
        done += 1
        begun = bool(site.records(run))
        again = ["resume", run] if begun else ["run", "work.py:work", "--id", run]
        process = site.start(*again, "--json")
    ended = process.ended()
    assert ended.status == 0 or "run_ended" in ended.out, ended
    judge(site, run, done)
    process = site.start("show", run, "--json")
    assert process.ended().json["output"] == "counted"
    return done


def judge(site: Site, run: str, kills: int) -> None:
    entries = site.events(run, Journaled)
    kinds = Counter(entry.kind for entry in entries)
    lines = Counter(site.lines())
    made = {n for n in range(CALLS) if lines[f"tool {n}"]}
    interrupted = sum("interrupted" in entry.text for entry in entries)

    assert kinds["asked"] == 1
    assert kinds["answered"] == CALLS + 1, "each answer was recorded, and paid, once"
    assert kinds["finished"] == CALLS
    assert max(lines[f"tool {n}"] for n in range(CALLS)) == 1, "no call was made twice"
    assert CALLS - len(made) <= interrupted <= kills, "what was not made was told"
    asked = sum(lines[f"model {n}"] for n in range(CALLS + 1))
    assert asked <= kinds["answered"] + kills, "at most one answer was lost with each process"
    assert site.verified()
