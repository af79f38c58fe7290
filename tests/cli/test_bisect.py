"""`holdfast bisect`: the first frame at which something is no longer true."""

import time
from pathlib import Path

import pytest

from holdfast.bisecting import Bisection
from holdfast.eventlog import Event, Log, RunStarted, StepStarted, StepSucceeded, Usage
from tests.cli.conftest import Cli
from tests.cli.travel import TRAVEL
from tests.support.player import raw

GOOD = '(state.result("try[3]/test") or {"code": 0})["code"] == 0'


@pytest.fixture
def run(cli: Cli) -> Cli:
    """A run `m` whose test fails from its third time on, at frame 8."""
    (cli.folder / "t.py").write_text(TRAVEL)
    cli("run", "t.py:mend", "-i", "goal=x", "--id", "m", status=3)
    return cli


def test_it_finds_the_frame_and_says_how_to_go_on(run: Cli) -> None:
    told = run("bisect", "m", "--check", GOOD).out

    assert f"frame 8 is the first at which it is false: {GOOD}" in told
    assert "step.succeeded  try[3]/test" in told
    assert "look at it:      holdfast show m --at 8" in told
    assert "go another way:  holdfast fork m --at 7" in told


def test_as_data(run: Cli) -> None:
    found = run.json("bisect", "m", "--check", GOOD)

    assert (found["frame"], found["from"], found["to"]) == (8, 1, 14)
    assert (found["at_start"], found["at_end"]) == (True, False)
    assert found["event"]["key"] == "try[3]/test"
    assert found["next"] == ["holdfast show m --at 8", "holdfast fork m --at 7"]
    assert found["evaluations"] <= 6


def test_ends_that_agree_are_told(run: Cli) -> None:
    same = run("bisect", "m", "--check", "len(state.steps) < 100", status=1)
    assert "it is true at frame 1 and at frame 14 alike" in same.out
    assert run.json("bisect", "m", "--check", "len(state.steps) > 99", status=1)["frame"] is None
    assert run.json("bisect", "m", "--check", GOOD, "--to", "7", status=1)["at_end"] is True


def test_what_becomes_true_is_found_as_well(run: Cli) -> None:
    told = run("bisect", "m", "--check", "len(state.steps) >= 2").out

    assert "frame 5 is the first at which it is true" in told


@pytest.mark.parametrize(
    ("check", "frame"),
    [
        ('not state.open_gates', 12),
        ('"send it" not in state.gates', 12),
        ('state.status == "running"', 14),
        ('"try[2]/test" not in state.steps', 5),
        ('getattr(state.steps.get("try[2]/test"), "status", "") != "succeeded"', 6),
        ('state.input["goal"] == "x" and state.output is None and state.offset < 9', 9),
        ('sum(s.status == "succeeded" for s in state.steps.values()) < 3', 8),
        ('state.usage.cost_usd < 1 and len(state.waits) == 0', 13),
    ],
)  # fmt: skip
def test_the_state_is_easily_asked(run: Cli, check: str, frame: int) -> None:
    assert run.json("bisect", "m", "--check", check)["frame"] == frame


def test_an_expression_that_fails_is_told_with_its_frame(run: Cli) -> None:
    told = run("bisect", "m", "--check", 'state.steps["try[4]/test"].attempt == 1', status=2).err

    assert "error[check_failed]" in told
    assert "at frame 1 of run 'm': KeyError: 'try[4]/test'" in told
    assert "holdfast show m --at 1" in told


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "what is to be true?"),
        (("--check", "state."), "'state.' is no Python expression"),
        (("--check", "x = 1"), "is no Python expression"),
        (("--check", "open('t.py')"), "NameError: name 'open' is not defined"),
        (("--cmd", "pytest"), "has no record of its files at frame 1"),
        (("--check", "True", "--from", "9", "--to", "9"), "there is nothing between"),
        (("--check", "True", "--to", "99"), "Choose --at from 0 to 14"),
    ],
)
def test_wrong_usage_is_refused(run: Cli, args: tuple[str, ...], message: str) -> None:
    assert message in run("bisect", "m", *args, status=2).err


def test_twenty_thousand_events_take_a_moment(tmp_path: Path) -> None:
    events: list[Event] = [RunStarted("r", "flow")]
    for number in range(10_000):
        key = f"step-{number}"
        usage = Usage(cost_usd=0.001)
        events += [StepStarted(key, "model", b"f"), StepSucceeded(key, raw(number), usage=usage)]
    with Log.open(tmp_path / "log") as log:
        log.create_run("r", events, actor="t", time=1)
        begun = time.perf_counter()

        found = Bisection(log, log.run("r"), "state.usage.cost_usd < 7").search(1, 20_001)

        took = time.perf_counter() - begun
    assert found.frame == pytest.approx(2 * 7000 + 1, abs=2)
    assert found.evaluations <= 17
    assert took < 2
