"""What people say at the command line: approvals with edits, by whom, and what is refused."""

import json
import os
import pty
import shlex
import subprocess
import sys
import time

import click
import msgspec
import pytest
from click.testing import CliRunner

from holdfast.cli.form import fill_in
from tests.cli.conftest import ROOT, Cli, popen
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


def test_a_word_after_the_end_of_time_is_refused_with_what_to_do(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("run", "w.py:hurry", "-i", "seconds=3600", "--id", "r", status=3)
    later = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)

    refused = cli("approve", "r", status=2)

    assert "the time of gate 'now' of run 'r' has run out" in refused.err
    assert "holdfast resume r" in refused.err
    assert "its time ran out" in cli("inbox").out


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


def test_a_question_is_answered_as_json_and_wrong_fields_are_told(cli: Cli) -> None:
    waiting = cli("run", "w.py:question", "--id", "r", status=3)
    assert "waits for an answer 'where'" in waiting.out
    assert "Where shall it go?" in waiting.out
    assert "holdfast answer r where" in waiting.out

    wrong = cli("answer", "r", "--input", '{"place": "moon"}', status=2)
    said = cli.json("answer", "r", "where", "--input", '{"place": "here", "names": ["a"]}')

    assert "$.place: is 'moon', not 'here' or 'there'" in wrong.err
    assert (said["gate"], said["by"]) == ("where", "ann")
    assert cli.json("resume", "r")["output"] == "Choice(place='here', count=1, names=['a'])"


def test_without_a_terminal_a_question_says_what_it_takes(cli: Cli) -> None:
    cli("run", "w.py:question", "--id", "r", status=3)

    refused = cli("answer", "r", status=2)

    assert "place: 'here' or 'there', count: a whole number, names: a list" in refused.err
    assert "holdfast answer r where --input" in refused.err


def test_a_form_is_not_begun_by_who_may_not_answer(cli: Cli) -> None:
    cli("run", "w.py:question", "-i", 'by=["bo"]', "--id", "r", status=3)

    assert "'ann' may not decide 'where'" in cli("answer", "r", status=2).err


def test_on_a_terminal_a_question_is_a_form(holdfast: Cli) -> None:
    holdfast("run", "w.py:question", "--id", "r", status=3)
    ours, theirs = pty.openpty()

    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", "answer", "r"], cwd=holdfast.folder, stdin=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        os.write(ours, b"moon\nthere\nmany\n\na\nb\n\n")
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)

    assert process.returncode == 0, err
    assert "ann answered 'where' of r" in out
    assert "Where shall it go?" in err
    assert "is a text, not a whole number" in err
    assert holdfast.json("resume", "r")["output"] == (
        "Choice(place='there', count=1, names=['a', 'b'])"
    )


class Inner(msgspec.Struct):
    size: int


class Wide(msgspec.Struct):
    """All kinds of fields."""

    name: str
    sure: bool
    inner: Inner
    several: list[Inner]
    maybe: int | None = None
    more: Inner | None = None
    table: dict[str, int] = {}


def test_a_form_asks_for_every_kind_of_field(cli: Cli) -> None:
    @click.command()
    def form() -> None:
        click.echo(json.dumps(fill_in(msgspec.json.schema(Wide))))

    typed = 'Al\ny\n7\ny\n1\ny\n2\nn\n5\ny\n3\n{"a": 1}\n'
    result = CliRunner().invoke(form, input=typed)

    assert json.loads(result.stdout.splitlines()[-1]) == {
        "name": "Al", "sure": True, "inner": {"size": 7}, "several": [{"size": 1}, {"size": 2}],
        "maybe": 5, "more": {"size": 3}, "table": {"a": 1},
    }  # fmt: skip


def test_a_signal_with_a_key_is_sent_as_the_run_says(cli: Cli) -> None:
    waiting = cli("run", "w.py:paid", "--id", "r", status=3)
    assert "waits for signal 'paid' with key 'order 7'" in waiting.out
    assert "holdfast signal r paid --key 'order 7'" in waiting.out

    cli("signal", "r", "paid", "--data", "1")
    assert "the same: give one" in cli("signal", "r", "paid", "1", "--data", "1", status=2).err
    said = cli.json("signal", "r", "paid", "--key", "order 7", "--data", '"yes"')

    assert said["key"] == "order 7"
    assert cli.json("resume", "r")["output"] == "yes"
