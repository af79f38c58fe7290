"""`kill -9` at random moments of a run that works in two workspaces and merges both."""

import random
import time

import pytest

from holdfast.eventlog import StepStarted, StepSucceeded
from tests.support.often import some
from tests.support.repos import Repo
from tests.support.site import Process, Site, until

WORKFLOW = """
    from holdfast import Conflict, Run, workflow

    SETTLE = ["sh", "-c", "cat > /dev/null; grep -v '^[<=>|]' a.txt | sort > s.log; cp s.log a.txt"]


    @workflow
    async def work(run: Run) -> list[str]:
        async def one(name: str) -> str:
            async with run.workspace(name) as ws:
                await run.shell("own", f"echo {name} >> {name}.txt; git add -A; git commit -qm {name}")
                await run.shell("shared", f"echo {name} >> a.txt")
                found = await ws.merge()
                if isinstance(found, Conflict):
                    found = await ws.resolve(found, agent="command", options={"command": SETTLE})
                return type(found).__name__

        await run.shell("before", "echo before > before.log")
        done = await run.map(one, ["one", "two"])
        await run.shell("after", "cat a.txt one.txt two.txt > after.txt")
        return list(done)
"""
STEPS_AT_LEAST = 12


@pytest.fixture
def repo(site: Site) -> Repo:
    site.write("w.py", WORKFLOW)
    repo = Repo(site.folder)
    repo.git("init", "-q", "-b", "main")
    repo.write({"a.txt": "a\n", ".gitignore": "*.log\nside\n.holdfast/\n"})
    repo.commit()
    return repo


@pytest.mark.parametrize("seed", some(range(4), every=4))
def test_kills_at_random_moments_lose_and_repeat_nothing(site: Site, repo: Repo, seed: int) -> None:
    dice = random.Random(seed)
    command = ["run", "w.py", "--id", "r", "--json"]
    for _ in range(3):
        _kill_after(site, site.start(*command), dice.randrange(1, 12), dice.random() * 0.2)
        command = ["resume", "r", "--json"] if site.records("r") else command
    ended = site.call(*command)

    assert ended.status in (0, 2), ended  # 2: it had ended before the last kill
    assert site.call("show", "r", "--json").json["output"] == ["Merged", "Merged"]
    assert (site.folder / "a.txt").read_text() == "a\none\ntwo\n"
    assert (site.folder / "after.txt").read_text() == "a\none\ntwo\none\ntwo\n"
    assert repo.git("status", "--porcelain").splitlines() == ["?? after.txt"]
    for name in ("one", "two"):
        assert repo.git("show", f"main:{name}.txt") == name
        assert repo.git("log", "--format=%s", "main").splitlines().count(name) >= 1
    _check_no_step_was_repeated(site)
    worktrees = site.folder / ".holdfast" / "worktrees" / "r"
    assert [path for path in worktrees.iterdir() if (path / ".git").exists()] == []
    assert site.verified()


def _kill_after(site: Site, process: Process, events: int, moment_s: float) -> None:
    wanted = len(site.records("r")) + events
    until(lambda: len(site.records("r")) >= wanted or not process.at_work, "it goes on")
    time.sleep(moment_s)
    process.kill()


def _check_no_step_was_repeated(site: Site) -> None:
    over = set[str]()
    for record in site.records("r"):
        event = record.event
        if isinstance(event, StepStarted | StepSucceeded):
            assert event.key not in over, event
        if isinstance(event, StepSucceeded):
            over.add(event.key)
    assert len(over) >= STEPS_AT_LEAST
