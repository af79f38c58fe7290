"""How a run looks while it goes on: bounded, whatever the run does."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from holdfast.cli.board import KEPT, Board
from holdfast.cli.live import Live
from holdfast.cli.plain import TEXT_LINES, Plain
from holdfast.eventlog import (
    AnyEvent,
    ApprovalRequested,
    RunStarted,
    StepStarted,
    StepSucceeded,
    Usage,
    Value,
)
from holdfast.plugins import Progress
from holdfast.reducer import State, reduce


def load(value: Value) -> bytes:
    return bytes(value)


class Feed:
    """Plays a run to a display."""

    def __init__(self, display: Board | Live | Plain) -> None:
        self._display = display
        self._state = State()
        self(RunStarted("r", "w"))

    def __call__(self, *events: AnyEvent) -> None:
        for event in events:
            self._state = reduce(self._state, event, 1_000_000_000)
        self._display.events(self._state, events)


def start(key: str) -> StepStarted:
    return StepStarted(key, "agent", b"")


def names(board: Board, height: int) -> list[str]:
    return ["  " * line.depth + line.name for line in board.lines(height)]


def test_steps_stand_under_their_scopes() -> None:
    board = Board("r", load)
    feed = Feed(board)

    feed(start("plan"), start("a/code"), start("b/code"), start("a/test[1]/x"))

    assert names(board, 20) == ["plan", "a", "  code", "  test[1]", "    x", "b", "  code"]


def test_in_too_little_room_what_is_at_work_is_shown_first() -> None:
    board = Board("r", load)
    feed = Feed(board)
    for number in range(50):
        feed(start(f"old{number}"), StepSucceeded(f"old{number}"))
    feed(start("now"))

    shown = names(board, 3)

    assert shown == ["old48", "old49", "now"]


def test_a_board_of_a_long_run_stays_small() -> None:
    board = Board("r", load)
    feed = Feed(board)
    for number in range(KEPT * 3):
        feed(start(f"s{number}"), StepSucceeded(f"s{number}"))

    assert len(board.lines(10 * KEPT)) <= KEPT
    assert board.steps == KEPT * 3


@pytest.fixture
def live() -> Iterator[Live]:
    """A live display in a small window."""
    console = Console(file=io.StringIO(), width=60, height=10, force_terminal=True)
    made = Live("r", load, console)
    yield made
    made.close()


def test_the_live_tree_shows_cost_and_the_agent_s_last_line(live: Live) -> None:
    feed = Feed(live)
    feed(start("a/done"), StepSucceeded("a/done", seconds=2, usage=Usage(cost_usd=0.5)))
    feed(start("a/code"), ApprovalRequested("ship it"))
    live.progress("r", "a/code", Progress("text", "looking\nat \x1b[31mthings"))

    shown = live.picture().plain

    assert "done  done 2.0 s $0.50" in shown
    assert "looking at things" in shown
    assert "ship it  waits for approval" in shown


def test_the_live_tree_keeps_within_the_window(live: Live) -> None:
    feed = Feed(live)
    for number in range(40):
        feed(start(f"step {number}"))
        live.progress("r", f"step {number}", Progress("text", "word " * 100))

    lines = live.picture().plain.splitlines()

    assert len(lines) <= 8
    assert all(len(line) < 60 for line in lines)


def test_what_the_command_says_stands_above_the_tree() -> None:
    file = io.StringIO()
    live = Live("r", load, Console(file=file, width=60, height=10, force_terminal=True))
    Feed(live)(start("code"))

    live.say("stopping [now]")
    live.close()

    assert "stopping [now]" in file.getvalue()
    assert "1 step" in live.picture().plain


def test_plain_progress_is_bounded_and_names_steps_and_children(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = Plain("r", load)
    Feed(plain)(start("code"), StepSucceeded("code", seconds=1, usage=Usage(cost_usd=0.02)))
    for number in range(TEXT_LINES * 2):
        plain.progress("r", "code", Progress("text", f"line {number}"))
    plain.progress("r/child", "code", Progress("tool", "x.py", {"name": "Edit"}))

    err = capsys.readouterr().err

    assert "code  done 1.0 s $0.02" in err
    assert err.count("code | line") == TEXT_LINES - 1
    assert "child/code | [Edit] x.py" in err
