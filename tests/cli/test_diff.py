"""What `diff` says of two runs, to people and to programs."""

import re
from pathlib import Path

import pytest

from holdfast.cli.columns import columns, drawn
from holdfast.eventlog import Failure, Log, StepFailed
from holdfast.reducer import Pair
from tests.cli.conftest import Cli
from tests.support.family import step, write_family, write_run


@pytest.fixture
def log(folder: Path) -> Log:
    """An open log; to be closed before a command reads it."""
    return Log.open(folder / ".holdfast/log")


def write(log: Log, **runs: list[object]) -> None:
    for run, events in runs.items():
        write_run(log, run, *events)  # type: ignore[arg-type]
    log.close()


def test_runs_that_differ_in_nothing_that_matters_are_equal(cli: Cli, log: Log) -> None:
    write(log, a=[*step("s", 1, cost=0.5)], b=[*step("s", 1, cost=0.1)])

    told = cli("diff", "a", "b").out

    assert "same    1 of 1 steps and waits; 1 took other time, tries or money" in told
    assert told.endswith("nothing differs that matters\n")
    found = cli.json("diff", "a", "b")
    assert (found["equal"], found["first"], found["same"]) == (True, None, 0)
    [item] = found["differences"]
    assert (item["key"], item["matters"]) == ("s", False)
    assert item["changes"] == [{"what": "cost_usd", "a": 0.5, "b": 0.1, "matters": False}]
    assert "cost_usd: $0.50 -> $0.10" in cli("diff", "a", "b", "--all").out


def test_diff_tells_where_two_runs_part_and_what_differs(cli: Cli, log: Log) -> None:
    write_family(log)
    log.close()

    told = cli("diff", "demo@1", "try", status=1).out

    assert re.search(r"^a  demo@1  succeeded  9 events .* \$0\.03$", told, re.MULTILINE)
    assert re.search(
        r"^b  try     waiting    12 events .* forked from demo@1 at 4", told, re.MULTILINE
    )
    assert "\ncommon  the first 4 events\nsame    1 of 6 steps and waits\n" in told
    assert "\ndiffer  5, first review (a at 4, b at 5)\n" in told
    assert "\nthe run\n  status: succeeded -> waiting\n" in told
    assert "\nreview  model  a at 4, b at 5\n  model: small -> big\n  result: bad -> good\n" in told
    assert "\nship  approval  only in b at 9\n" in told


def test_diff_prints_one_object(cli: Cli, log: Log) -> None:
    write_family(log)
    log.close()

    found = cli.json("diff", "demo@1", "try", status=1)

    assert (found["equal"], found["shared"], found["same"]) == (False, 4, 1)
    assert found["first"] == {"key": "review", "where": "both", "a": 4, "b": 5}
    assert [(i["key"], i["where"]) for i in found["differences"]] == [
        ("review", "both"), ("report", "both"), ("kid", "b"), ("ship", "b"), ("deploy", "b"),
    ]  # fmt: skip
    assert found["differences"][0]["changes"] == [
        {"what": "model", "a": "small", "b": "big", "matters": True},
        {"what": "result", "a": "bad", "b": "good", "matters": True},
    ]
    assert [change["what"] for change in found["run"]] == ["status", "output"]
    assert found["b"]["forked"]["origin"] == "demo@1"
    assert found["a"]["usage"]["cost_usd"] == pytest.approx(0.03)


def test_one_run_is_compared_with_itself_at_another_frame(cli: Cli, log: Log) -> None:
    write_family(log)
    log.close()

    found = cli.json("diff", "demo@1", "demo@1", "--at-a", "4", "--at-b", "6", status=1)

    assert (found["shared"], found["a"]["offset"], found["b"]["offset"]) == (4, 4, 6)
    assert [(i["key"], i["where"]) for i in found["differences"]] == [("review", "b")]
    assert "4 of 9 events" in cli("diff", "demo", "demo@1", "--at-b", "4", status=1).out


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["demo", "nope"], "no_such_run"),
        (["demo", "try", "--at-a", "99"], "no_such_frame"),
        (["demo", "try", "--at-b", "x"], "usage"),
        (["demo"], "usage"),
    ],
)
def test_what_cannot_be_compared_is_refused(cli: Cli, log: Log, args: list[str], code: str) -> None:
    write_family(log)
    log.close()

    assert cli("diff", *args, status=2).err.startswith(f"error[{code}]")
    assert cli.json("diff", *args, status=2)["error"]["code"] == code


def test_a_damaged_log_is_no_difference(cli: Cli, log: Log) -> None:
    branch = write_run(log, "a", *step("s", 1))
    log.store.transact(lambda txn: txn.delete((1).to_bytes(8), db=log.store.db["events"]), 0)
    log.close()

    assert cli("diff", "a", "a", status=2).err.startswith("error[record_corrupt]"), branch


def test_of_thousands_of_steps_a_few_are_shown_whole_and_the_rest_have_a_line(
    cli: Cli, log: Log
) -> None:
    one = [event for n in range(300) for event in step(f"s{n}", f"old {n}")]
    other = [event for n in range(300) for event in step(f"s{n}", f"new {n}" if n % 2 else f"old {n}")]  # fmt: skip
    write(log, a=[*one], b=[*other])

    told = cli("diff", "a", "b", status=1).out

    assert "same    150 of 300 steps and waits" in told
    assert told.count("result: old") == 10
    assert "\n140 more (shown whole with --all):\ns21  model  at 43  result\n" in told
    assert told.count("\n") < 200
    assert cli("diff", "a", "b", "--all", status=1).out.count("result: old") == 150


def test_a_long_text_is_cut_with_a_note_of_how_much(cli: Cli, log: Log) -> None:
    blobs: dict[bytes, bytes] = {}
    text = [f"line {n}" for n in range(400)]
    changed = [line.upper() if n % 10 == 0 else line for n, line in enumerate(text)]
    write_run(log, "a", *step("s", "\n".join(text), blobs=blobs), blobs=blobs)
    write_run(log, "b", *step("s", "\n".join(changed), blobs=blobs), blobs=blobs)
    log.close()

    told = cli("diff", "a", "b", status=1).out

    assert (
        "    - line 0\n    + LINE 0\n      line 1\n      ... 7 equal lines\n      line 9\n" in told
    )
    assert re.search(r"\.\.\. \d+ more lines \(shown with --all\)\n", told)
    assert "LINE 390" not in told
    assert "LINE 390" in cli("diff", "a", "b", "--all", status=1).out


def test_a_value_that_would_fill_many_screens_is_told_by_its_size(cli: Cli, log: Log) -> None:
    blobs: dict[bytes, bytes] = {}
    write_run(log, "a", *step("s", "x" * 2_000_000, blobs=blobs), blobs=blobs)
    write_run(log, "b", *step("s", "short"))
    log.close()

    told = cli("diff", "a", "b", status=1).out

    assert re.search(r"result: 2,000,005 bytes, digest [0-9a-f]{12} -> short\n", told)


def test_texts_that_differ_in_line_ends_only_are_told_so(cli: Cli, log: Log) -> None:
    write(log, a=[*step("s", "x\ny")], b=[*step("s", "x\ny\n")])

    assert "  result:\n    only line ends differ\n" in cli("diff", "a", "b", status=1).out


def test_an_error_and_an_empty_result_are_told_in_words(cli: Cli, log: Log) -> None:
    begun, _ = step("s", "")
    failed = StepFailed("s", Failure("exit_status", "it broke"))
    write(log, a=[*step("s", "")], b=[begun, failed], c=[*step("s", "x")])

    told = cli("diff", "a", "b", status=1).out

    assert "  status: succeeded -> failed\n  error: none -> [exit_status] it broke\n" in told
    assert "  result: (empty) -> null\n" in told
    assert "  result: (empty) -> x\n" in cli("diff", "a", "c", status=1).out
    assert "failed: [exit_status] it broke" in cli("diff", "c", "b", "--at-a", "1", status=1).out


def test_what_steers_a_terminal_is_never_shown_raw(cli: Cli, log: Log) -> None:
    nasty = "a\x1b[2Jb\x07\nc\x9b31m\u202e"
    write(log, a=[*step("s\x1b[2J", nasty, prompt=nasty)], b=[*step("s\x1b[2J", "x", prompt="x")])

    for args in ([], ["--all"]):
        assert not set(cli("diff", "a", "b", *args, status=1).out) & set("\x1b\x07\x9b\u202e")


# --- side by side ----------------------------------------------------------------------------------


PAIRS = [
    Pair("same", "one", "one"),
    Pair("gap", "7", None),
    Pair("changed", "old", "new"),
    Pair("changed", "gone", None),
    Pair("changed", None, "came"),
    Pair("same", "end", "end"),
]


def plain(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[\d*m", "", line) for line in lines]


def test_texts_stand_side_by_side_where_there_is_room() -> None:
    left = 58

    lines = plain([*drawn(PAIRS, 120)])

    assert lines == [
        f"{'one':<{left}}   one",
        "  ... 7 equal lines",
        f"{'old':<{left}} | new",
        f"{'gone':<{left}} <",
        f"{'':<{left}} > came",
        f"{'end':<{left}}   end",
    ]


def test_texts_stand_below_each_other_where_there_is_none() -> None:
    assert plain([*drawn(PAIRS, 119)]) == [
        "  one", "  ... 7 equal lines", "- old", "- gone", "+ new", "+ came", "  end",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [60, 119, 120, 200])
@pytest.mark.parametrize("text", ["x" * 5000, "漢" * 3000, "short"])
def test_no_line_is_wider_than_the_terminal_and_the_difference_is_in_sight(
    width: int, text: str
) -> None:
    pairs = [Pair("changed", f"{text}OLD{text}", f"{text}NEW{text}"), Pair("same", text, text)]

    lines = plain([*drawn(pairs, width)])

    assert all(columns(line) <= width for line in lines)
    shown = "\n".join(lines)
    assert "OLD" in shown
    assert "NEW" in shown
    assert len(text) < 100 or re.search(r"\.\.\. \(\+[\d,]+\)", shown)


def test_a_wide_terminal_gets_two_columns_and_colours(
    cli: Cli, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, a=[*step("s", "x\n" * 3)], b=[*step("s", "x\ny\nx")])
    monkeypatch.setattr("holdfast.cli.commands.diff._columns", lambda: 140)

    told = cli("diff", "a", "b", status=1).out

    assert re.search(r"^ +x +\| y$", told, re.MULTILINE)
    assert "\x1b" not in told  # this is no terminal
