"""What is shown of forks: who left whom, where and why, and what each took over or holds back."""

import re
import time
from pathlib import Path

import pytest

from holdfast.eventlog import Log
from tests.cli.conftest import Cli
from tests.support.family import HOUR, fork, step, write_family, write_run


@pytest.fixture
def family(folder: Path) -> None:
    with Log.open(folder / ".holdfast/log") as log:
        write_family(log)


@pytest.fixture
def written(folder: Path) -> Log:
    """An open log; to be closed before a command reads it."""
    return Log.open(folder / ".holdfast/log")


# --- tree ----------------------------------------------------------------------------------------


def test_tree_draws_a_family_from_any_of_its_members(
    cli: Cli, family: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 4 * HOUR)

    drawn = cli("tree", "deep").out

    assert drawn == (
        "demo@1      succeeded    3 h 0 min ago  9 events  $0.03\n"
        "├─ try      waiting      2 h 0 min ago  8 events of its own  $0.01  "
        "fork at 4 before review by bea  model of review = big, result of plan set\n"
        "│  └─ deep  interrupted  2 h 0 min ago  1 event of its own  fork at 6 before review by bea\n"
        "├─ demo     interrupted  2 h 0 min ago  3 events of its own  $0.01  "
        "rewind at 2 before plan by bea  plan tried again\n"
        "└─ other    interrupted  2 h 0 min ago  2 events of its own  fork at 0 by bea  "
        'input = {"goal":"y"}\n'
    )
    for name in ("demo", "demo@1", "other", "try"):
        assert cli("tree", name).out == drawn
    assert cli("tree").out == drawn


def test_tree_shows_the_runs_that_a_run_started_when_asked(cli: Cli, family: None) -> None:
    lines = cli("tree", "try", "--children").out.splitlines()

    assert lines[2] == "│  │  child try/kid  not there yet"
    assert "try/kid" not in cli("tree", "try").out


def test_tree_prints_one_array_with_each_branch_after_the_one_it_left(
    cli: Cli, family: None
) -> None:
    rows = cli.json("tree", "demo", "--children")

    assert [(row["run"], row["parent"], row["depth"]) for row in rows] == [
        ("demo@1", None, 0), ("try", "demo@1", 1), ("deep", "try", 2), ("demo", "demo@1", 1),
        ("other", "demo@1", 1),
    ]  # fmt: skip
    attempt = rows[1]
    assert {name: attempt[name] for name in ("at", "key", "reason", "events", "actor")} == {
        "at": 4, "key": "review", "reason": "fork", "events": 8, "actor": "cli:bea",
    }  # fmt: skip
    assert attempt["edits"][0] == {"what": "model", "key": "review", "value": "big"}
    assert attempt["cost_usd"] == pytest.approx(0.01)
    assert attempt["children"] == [{"key": "kid", "run": "try/kid", "status": "not there yet"}]
    assert rows[3]["retried"] == ["plan"]
    assert {row["root"] for row in rows} == {"demo@1"}


def test_tree_shows_the_newest_families_and_says_how_many_there_are(cli: Cli, written: Log) -> None:
    for number in range(3):
        fork(written, f"f{number}", write_run(written, f"r{number}", *step("s", 1)), 1)
    write_run(written, "alone")
    written.close()

    told = cli("tree", "--limit", "2")

    assert re.findall(r"^\w+", told.out, re.MULTILINE) == ["r2", "r1"]
    assert told.err == "1 older families are not shown: holdfast tree --all\n"
    assert cli("tree", "--all").err == ""
    assert [row["run"] for row in cli.json("tree")] == ["r2", "f2", "r1", "f1", "r0", "f0"]
    assert [row["run"] for row in cli.json("tree", "alone")] == ["alone"]


def test_tree_says_that_no_run_has_forks(cli: Cli, written: Log) -> None:
    write_run(written, "alone")
    written.close()

    assert cli("tree").err == "no run has forks. List all runs with: holdfast ps\n"
    assert cli.json("tree") == []


def test_a_chain_of_forks_is_drawn_however_long_it_is(cli: Cli, written: Log) -> None:
    branch = write_run(written, "r0", *step("s", 1))
    for number in range(1, 120):
        branch = fork(written, f"r{number}", branch, written.head(branch))
    written.close()

    assert cli("tree", "r60").out.count("\n") == 120
    assert cli.json("tree", "r60")[-1]["depth"] == 119


def test_what_is_hostile_in_an_edit_does_not_reach_the_terminal(cli: Cli, written: Log) -> None:
    from holdfast.eventlog import Edit
    from tests.support.family import raw

    demo = write_run(written, "demo", *step("a\x1b[2J", 1))
    fork(written, "f", demo, 1, edits=[Edit("model", raw("x\x1b]0;y\x07"), "a\x1b[2J\n")])
    written.close()

    for command in (["tree"], ["log", "f"], ["show", "f"], ["diff", "demo", "f"]):
        printed = cli(*command, status=command[0] == "diff").out
        assert not set(printed) & set("\x1b\x07"), command


# --- log and show --------------------------------------------------------------------------------


def test_log_marks_where_a_fork_leaves_its_parent(cli: Cli, family: None) -> None:
    lines = cli("log", "deep").out.splitlines()

    marks = [(n, line) for n, line in enumerate(lines) if line.startswith("---")]
    assert marks == [
        (4, "--- forked from demo@1 at 4 (fork) by bea: model of review = big, result of plan set"),
        (7, "--- forked from try at 6 (fork) by bea"),
    ]
    assert "run.forked" in lines[5]


def test_log_shows_what_was_taken_over_as_such(cli: Cli, family: None) -> None:
    [line] = [line for line in cli("log", "try").out.splitlines() if "step.reused" in line]

    assert re.search(r"step\.reused +report +from=demo kind=model status=succeeded", line)


def test_log_shows_only_what_is_a_forks_own_when_asked(cli: Cli, family: None) -> None:
    lines = cli("log", "try", "--own").out.splitlines()

    assert lines[0].startswith("--- forked from demo@1 at 4")
    assert lines[1].split()[0] == "4"
    assert [event["offset"] for event in cli.lines("log", "try", "--own")] == [*range(4, 12)]
    assert [event["offset"] for event in cli.lines("log", "demo@1", "--own")] == [*range(9)]


def test_log_prints_one_object_an_event_also_of_a_fork(cli: Cli, family: None) -> None:
    events = cli.lines("log", "try")

    assert [event["offset"] for event in events] == [*range(12)]
    assert all(event.keys() >= {"seq", "offset", "time", "actor", "type"} for event in events)
    forked = events[4]
    assert (forked["type"], forked["origin"], forked["at"]) == ("run.forked", "demo", 4)
    assert forked["edits"][0] == {"what": "model", "value": "big", "key": "review"}


def test_show_tells_of_a_fork_where_it_comes_from_and_what_is_held(cli: Cli, family: None) -> None:
    told = cli("show", "try").out

    assert re.search(
        r"^forked +from demo@1 at 4 \(fork\): model of review = big", told, re.MULTILINE
    )
    assert re.search(r"^effects +held: each one asks first", told, re.MULTILINE)
    assert re.search(r"^report +model +succeeded .* demo$", told, re.MULTILINE)
    assert "'deploy': this effect is held, for the run is a fork" in told
    shown = cli.json("show", "try")
    assert shown["forked"]["origin"] == "demo@1"
    assert (shown["forked"]["at"], shown["forked"]["until"]) == (4, 9)
    assert shown["effects"] == "hold"
    steps = {step["key"]: (step["reused"], step["origin"]) for step in shown["steps"]}
    assert steps == {"plan": (False, None), "review": (False, None), "report": (True, "demo")}


def test_show_tells_of_a_run_that_is_no_fork_that_it_is_none(cli: Cli, family: None) -> None:
    assert cli.json("show", "demo@1")["forked"] is None
    assert "REUSED" not in cli("show", "demo@1").out


def test_a_frame_before_a_fork_bears_the_forks_name(cli: Cli, family: None) -> None:
    shown = cli.json("show", "try", "--at", "3")

    assert (shown["run"], shown["forked"], shown["offset"]) == ("try", None, 3)


def test_show_of_a_run_whose_name_was_taken_over_names_it_and_offers_nothing(
    cli: Cli, written: Log
) -> None:
    old = write_run(written, "demo", *step("plan", 1))
    fork(written, "demo", old, 1, reason="rewind")
    written.close()

    told = cli("show", "demo@1").out

    assert re.search(r"^run +demo@1$", told, re.MULTILINE)
    assert re.search(r"^status +replaced by a rewind$", told, re.MULTILINE)
    assert "resume" not in told


def test_any_frame_of_a_long_history_is_shown_at_once(cli: Cli, written: Log) -> None:
    events = [event for number in range(10_000) for event in step(f"s{number}", number)]
    branch = write_run(written, "long")
    written.append(branch, events, expected=1, actor="engine", time=HOUR)
    written.close()

    start = time.process_time()
    shown = cli.json("show", "long", "--at", "19999")

    assert time.process_time() - start < 1.5  # it takes a sixth of that where nothing else runs
    assert len(shown["steps"]) == 9_999
