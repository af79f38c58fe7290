"""What people say at the command line: approvals with edits, by whom, and what is refused."""

import json
import shlex
import subprocess
import time

import pytest

from tests.cli.conftest import Cli, popen
from tests.cli.test_processes import eventually


def test_edits_are_checked_field_by_field_and_reach_the_workflow_typed(cli: Cli) -> None:
    cli("run", "w.py:edits", "--id", "r", status=3)
    events = len(cli.lines("log", "r"))

    refused = cli("approve", "r", "--edits", '{"place": "moon", "count": "two"}', status=2)
    assert len(cli.lines("log", "r")) == events
    cli("approve", "r", "--edits", '{"place": "there"}')

    assert "$.place: is 'moon', not 'here' or 'there'" in refused.err
    assert "$.count: is a text, not a whole number" in refused.err
    assert cli.json("resume", "r")["output"] == "ann Choice(place='there', count=1, names=[])"


def test_edits_that_are_no_json_are_refused_with_an_example(cli: Cli) -> None:
    cli("run", "w.py:edits", "--id", "r", status=3)

    refused = cli("approve", "r", "--edits", "{place", status=2)

    assert "holdfast approve r --edits" in refused.err


def test_somebody_else_and_nobody_are_refused(cli: Cli) -> None:
    cli("run", "w.py:edits", "--id", "r", status=3)

    assert "'eve' may not decide 'plan'" in cli("approve", "r", "--by", "eve", status=2).err
    assert "is nobody's name" in cli("deny", "r", "--by", "engine", status=2).err
    assert "is nobody's name" in cli("deny", "r", "--by", "", status=2).err


def test_a_word_for_what_was_not_seen_is_refused(cli: Cli) -> None:
    cli("run", "w.py:edits", "--id", "r", status=3)
    digest = cli.json("show", "r")["gates"][0]["digest"]

    refused = cli("approve", "r", "--digest", "00" + digest, status=2)
    cli("approve", "r", "--digest", digest[:10])

    assert "is not what you saw" in refused.err


def test_a_word_after_the_end_of_time_is_refused_with_what_to_do(holdfast: Cli) -> None:
    with popen(holdfast.folder, "run", "w.py:hurry", "--id", "r") as process:
        eventually(lambda: (holdfast.folder / ".holdfast/log").exists() and _waits(holdfast))
        process.kill()
    time.sleep(1)  # of the gate's own second: the processes are real, and so is their clock

    refused = holdfast("approve", "r", status=2)

    assert "has run out" in refused.err
    assert holdfast.json("resume", "r")["output"] == "engine"


def _waits(holdfast: Cli) -> bool:
    try:
        return holdfast.json("show", "r")["gates"] != []
    except (AssertionError, json.JSONDecodeError):
        return False


def test_two_people_at_the_same_instant_are_both_counted(holdfast: Cli) -> None:
    holdfast("run", "w.py:two_people", "--id", "r", status=3)

    both = [popen(holdfast.folder, "approve", "r", "--by", who) for who in ("ann", "bo")]
    said = [process.communicate(timeout=30) for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert holdfast.json("resume", "r")["status"] == "succeeded"


def test_of_two_people_at_the_same_instant_where_one_is_enough_one_is_told(holdfast: Cli) -> None:
    holdfast("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)

    words: list[subprocess.Popen[str]] = [
        popen(holdfast.folder, verb, "r", "send it", "--by", who)
        for verb, who in (("approve", "ann"), ("deny", "bo"))
    ]
    said = [process.communicate(timeout=30) for process in words]

    assert sorted(process.returncode for process in words) == [0, 2], said
    assert "before, and that stands" in "".join(err for _, err in said)


@pytest.mark.parametrize("word", ["approve", "deny"])
def test_a_cancelled_run_takes_no_word(holdfast: Cli, word: str) -> None:
    holdfast("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)
    holdfast("cancel", "r")

    assert "has cancelled" in holdfast(word, "r", status=2).err


def test_an_approval_from_a_second_process_reaches_a_run_that_is_at_work(holdfast: Cli) -> None:
    with popen(
        holdfast.folder, "run", "w.py:hurry", "-i", "seconds=50", "--id", "r", "--json"
    ) as process:
        eventually(lambda: (holdfast.folder / ".holdfast/log").exists() and _waits(holdfast))
        said = holdfast("approve", "r", "--by", "cy")
        out, _ = process.communicate(timeout=30)

    assert "cy approved 'now' of r" in said.out
    assert json.loads(out)["output"] == "cy"


def test_the_inbox_lists_what_waits_in_all_runs_the_oldest_first(cli: Cli) -> None:
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "one", status=3)
    cli("run", "w.py:edits", "--id", "two", status=3)
    cli("run", "w.py:family", "--id", "three", status=3)
    cli("run", "w.py:wait", "--id", "four", status=3)

    shown = cli("inbox").out
    found = cli.json("inbox")

    assert [(item["run"], item["gate"], item["kind"]) for item in found] == [
        ("one", "send it", "approval"), ("two", "plan", "approval"),
        ("three/kid", "send it", "approval"),
    ]  # fmt: skip
    assert (found[1]["by"], found[1]["subject"]) == (["ann", "bo"], {"place": "here"})
    assert found[0]["command"] == "holdfast approve one 'send it'"
    assert "for ann or bo" in shown
    assert "hello Bo" in shown
    assert "holdfast deny three/kid 'send it'" in shown


def test_every_command_that_the_inbox_names_works(cli: Cli) -> None:
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "a", status=3)
    cli("run", "w.py:edits", "--id", "b", status=3)

    for item in cli.json("inbox"):
        assert item["command"].startswith("holdfast ")
        cli(*shlex.split(item["command"])[1:])

    assert cli.json("inbox") == []
    assert "nothing waits for anybody" in cli("inbox").err


def test_a_long_inbox_is_cut_and_says_so(cli: Cli) -> None:
    for name in ("a", "b", "c"):
        cli("run", "w.py:edits", "--id", name, status=3)

    cut = cli("inbox", "--limit", "2")

    assert "c 'plan'" not in cut.out
    assert "1 newer ones are not shown: holdfast inbox --all" in cut.err
    assert "c 'plan'" in cli("inbox", "--all").out
