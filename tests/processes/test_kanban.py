"""`kill -9` at random moments of the shipped workflow `kanban`: many tickets, two in conflict, one refused."""

import random
import time

import pytest

from holdfast.eventlog import StepStarted, StepSucceeded
from tests.support.repos import Repo
from tests.support.site import Process, Site, until

PLAIN = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]
TWINS = [
    "aleft",
    "aright",
]  # both change the same line, and neither begins to before the other is there

# Each ticket says `ticket: NAME`. Twins wait for each other, so that they are in conflict for certain.
AGENT = """
prompt=$(cat)
case "$prompt" in *"conflict markers"*)
    grep -hv '^[<=>|]' a.txt | sort > settled.log; cp settled.log a.txt; exit;;
esac
name=$(printf '%s' "$prompt" | sed -n 's/^ticket: //p')
echo "$name" >> "$SIDE"
case "$name" in
aleft|aright)
    until grep -q aleft "$SIDE" && grep -q aright "$SIDE"; do sleep 0.02; done
    echo "$name" > a.txt;;
mine)
    echo "not committed yet" > "$(dirname "$SIDE")/mine.txt"  # as the user does meanwhile
    echo "by the agent" > mine.txt;;
esac
[ "$name" = mine ] || echo "$name" >> "$name.txt"
echo "Did $name."
"""

ROLES = """
[roles.worker]
agent = "command"
options = {command = ["sh", "agent.sh"]}
"""


@pytest.fixture
def repo(site: Site) -> Repo:
    repo = Repo(site.folder)
    repo.git("init", "-q", "-b", "main")
    texts = {f"tickets/{name}.md": f"# Do {name}\n\nticket: {name}\n" for name in [*PLAIN, *TWINS]}
    last = f"---\nafter: [{', '.join([*PLAIN, *TWINS])}]\n---\n"
    texts["tickets/mine.md"] = f"{last}# Do mine\n\nticket: mine\n"
    repo.write(
        {"a.txt": "a\n", "mine.txt": "of the user\n", ".gitignore": "*.log\nside\n.holdfast/\n"}
    )
    repo.write({**texts, "agent.sh": AGENT, "holdfast.toml": ROLES})
    repo.commit()
    return repo


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_random_moments_lose_and_repeat_nothing(site: Site, repo: Repo, seed: int) -> None:
    dice = random.Random(seed)
    given = ["-i", "tickets=tickets", "-i", "role=worker", "-i", "test=ls *.txt"]
    command = ["run", "kanban", "--id", "r", *given]

    for _ in range(3):
        _kill_after(site, site.start(*command), dice.randrange(5, 70), dice.random() * 0.2)
        command = ["resume", "r"] if site.records("r") else command
    ended = site.call(*command)

    assert ended.status in (0, 2), ended  # 2: it had ended before the last kill
    told = site.call("show", "r", "--json").json["output"]["markdown"]
    assert told.startswith("# 10 of 11 tickets are in main"), told
    assert "uncommitted changes: 'mine.txt'" in told
    assert (site.folder / "mine.txt").read_text() == "not committed yet\n"
    assert (site.folder / "a.txt").read_text() == "aleft\naright\n"
    for name in [*PLAIN, *TWINS]:
        assert (site.folder / f"{name}.txt").read_text() == f"{name}\n"
        changes = repo.git("log", "--no-merges", "--format=%s", "main", "--", f"{name}.txt")
        assert changes == f"Do {name}"
    assert repo.git("status", "--porcelain").splitlines() == [" M mine.txt"]
    _check_only_the_refused_work_is_left(site, repo)
    _check_no_step_was_repeated(site)
    assert site.verified()


def _kill_after(site: Site, process: Process, events: int, moment_s: float) -> None:
    wanted = len(site.records("r")) + events
    until(lambda: len(site.records("r")) >= wanted or not process.at_work, "it goes on")
    time.sleep(moment_s)
    process.kill()


def _check_only_the_refused_work_is_left(site: Site, repo: Repo) -> None:
    branches = set(repo.git("branch", "--format=%(refname:short)").split()) - {"main"}
    assert len(branches) == 1, branches
    assert repo.git("show", f"{branches.pop()}:mine.txt") == "by the agent"
    worktrees = site.folder / ".holdfast/worktrees/r"
    assert len([path for path in worktrees.iterdir() if (path / ".git").exists()]) == 1


def _check_no_step_was_repeated(site: Site) -> None:
    over = set[str]()
    for record in site.records("r"):
        event = record.event
        if isinstance(event, StepStarted | StepSucceeded):
            assert event.key not in over, event
        if isinstance(event, StepSucceeded):
            over.add(event.key)
    merged = {key.partition("/")[0] for key in over if "/merge" in key}
    assert merged == {*PLAIN, *TWINS}  # the refused one did not succeed
