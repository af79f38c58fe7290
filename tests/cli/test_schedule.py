"""`holdfast schedule`: what it takes, refuses and shows; what it starts is in tests/engine."""

import pytest

from .conftest import Cli

NINE = ("schedule", "add", "0 9 * * 1-5", "w.py:greet")


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")


def test_a_schedule_is_added_listed_paused_and_removed(cli: Cli) -> None:
    told = cli(*NINE, "-i", "name=Al", "--id", "nine", "--missed", "all")

    assert told.out == "nine\n"
    assert "09:00 Europe/Berlin" in told.err
    assert "nobody serves this project now. Start: holdfast serve" in told.err
    (row,) = cli.json("schedule", "list")
    assert row["next"].endswith(("T08:00:00.000000000Z", "T07:00:00.000000000Z"))
    shown = {name: row[name] for name in ("schedule", "input", "missed", "overlap", "added_by")}
    assert shown == {
        "schedule": "nine",
        "input": {"name": "Al", "times": 1},
        "missed": "all",
        "overlap": "skip",
        "added_by": "cli:ann",
    }
    assert "nine      0 9 * * 1-5  greet" in cli("schedule", "list").out
    cli("schedule", "pause", "nine")
    assert cli.json("schedule", "list")[0]["status"] == "paused"
    assert "paused" in cli("schedule", "list").out
    assert cli.json("schedule", "unpause", "nine")["next"] == row["next"]
    assert cli("schedule", "remove", "nine").err == "nine is removed\n"
    assert cli.json("schedule", "list") == []
    assert "holdfast schedule add" in cli("schedule", "list").err
    assert [(line["type"], line["actor"]) for line in cli.lines("log", "@nine")] == [
        ("schedule.added", "cli:ann"),
        ("schedule.paused", "cli:ann"),
        ("schedule.unpaused", "cli:ann"),
        ("schedule.removed", "cli:ann"),
    ]
    assert cli.json("ps") == []
    assert cli.json("audit", "verify")["ok"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("0 9 * * 1-8", "w.py:greet", "-i", "name=a"), "schedule_invalid", "day-of-week is '1-8'"),
        (("0 9 * * *", "w.py:greet"), "input_invalid", "`name`"),
        (("0 9 * * *", "w.py:greet", "-i", "nmae=a"), "input_invalid", "nmae"),
        (("0 9 * * *", "w.py:gret"), "not_a_workflow", "gret"),
        (("0 9 * * *", "w.py:wait", "--zone", "Berlin"), "schedule_invalid", "Europe/Berlin"),
        (("0 9 * * *", "w.py:wait", "--id", "@x"), "schedule_invalid", "'@x'"),
    ],
)
def test_what_makes_no_schedule_is_refused_with_what_is_wrong(
    cli: Cli, args: tuple[str, ...], code: str, words: str
) -> None:
    told = cli("schedule", "add", *args, status=2)

    assert told.err.startswith(f"error[{code}]: ")
    assert words in told.err
    assert not (cli.folder / ".holdfast/log").exists()


def test_a_name_is_taken_once_and_one_that_is_not_there_is_told(cli: Cli) -> None:
    cli(*NINE, "-i", "name=Al")

    assert "error[schedule_exists]" in cli(*NINE, "-i", "name=Bo", status=2).err
    for command in ("remove", "pause", "unpause"):
        assert "error[no_such_schedule]" in cli("schedule", command, "none", status=2).err
    assert "error[no_such_schedule]" in cli("log", "@none", status=2).err
    for command in ("show", "why", "resume", "cancel"):
        assert "error[no_such_run]" in cli(command, "@greet", status=2).err
