"""Children of children: whoever does something to one is told to go on with the topmost parent."""

from pathlib import Path

import pytest

from holdfast.eventlog import Log, Owner, RunClaimed
from tests.cli.conftest import Cli

NESTED = """
from holdfast import Run, workflow


@workflow
async def top(run: Run) -> str:
    return await run.child("n.py:middle", {}, name="mid")


@workflow
async def middle(run: Run) -> str:
    return await run.child("n.py:grand", {}, name="grand")


@workflow
async def grand(run: Run) -> str:
    await run.approve("go")
    await run.ask("where", "Where?", output=str)
    return await run.wait("news")
"""
GRAND = "t/mid/grand"
ON = "go on with: holdfast resume t\n"


@pytest.fixture
def waiting(cli: Cli, folder: Path) -> Cli:
    (folder / "n.py").write_text(NESTED)
    cli("run", "n.py:top", "--id", "t", status=3)
    return cli


def test_each_word_to_a_grandchild_points_to_the_run_that_takes_it_up(waiting: Cli) -> None:
    waiting("pause", GRAND)

    assert waiting("unpause", GRAND).out.endswith(ON)
    assert waiting("approve", GRAND).out.endswith(ON)
    waiting("resume", "t", status=3)
    assert waiting("answer", GRAND, "--input", '"here"').out.endswith(ON)
    assert waiting("signal", GRAND, "news", '"good"').out.endswith(ON)
    assert waiting("resume", "t").out == "good\n"


def test_a_child_that_is_resumed_by_itself_ends_with_a_word_on_its_parent(waiting: Cli) -> None:
    waiting("approve", GRAND)
    waiting("resume", GRAND, status=3)
    waiting("answer", GRAND, "--input", '"here"')
    waiting("signal", GRAND, "news", '"good"')

    said = waiting("resume", "t/mid").err

    assert said.endswith(f"t has yet to take it in: {ON}")
    assert "yet to take" not in waiting("resume", "t").err


def test_nobody_is_sent_to_resume_what_a_living_process_executes(
    waiting: Cli, folder: Path
) -> None:
    path = folder / ".holdfast" / "log"
    with Owner.acquire(path) as owner:
        with Log.open(path) as log:
            row = log.run("t")
            claim = [RunClaimed(owner.token)]
            log.append(row.branch, claim, expected=row.head, actor="engine", time=1)
        assert waiting("approve", GRAND).out == f"ann approved 'go' of {GRAND}\n"


def test_changed_code_of_a_child_is_accepted_for_that_child(waiting: Cli, folder: Path) -> None:
    (folder / "n.py").write_text(NESTED.replace('"go"', '"gone"'))
    waiting("resume", "t", status=1)

    assert waiting.json("why", "t")["command"] == f"holdfast resume {GRAND} --accept"
    waiting("resume", GRAND, "--accept", status=3)
    assert waiting("approve", GRAND, "gone").out.endswith(ON)
    waiting("resume", "t", status=3)
