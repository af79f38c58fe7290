"""Progress on a terminal: a tree that is drawn anew ten times a second, in a bounded height."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live as RichLive
from rich.text import Text

from holdfast.eventlog import Event, UnknownEvent
from holdfast.plugins import Progress
from holdfast.reducer import ENDED, State

from .board import Board, Line
from .plain import ASCII_SIGNS, SIGNS, can_encode, said_line
from .telling import BAD, GOES_ON, GOOD, PLAIN, WAITS, Load
from .words import duration, money

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
ASCII_SPINNER = "|/-\\"
STYLES = {GOOD: "green", BAD: "red", GOES_ON: "bold", WAITS: "cyan", PLAIN: "dim"}
MAX_LINES = 30


class Live:
    """Draws a run's tree on standard error, and leaves its last picture there."""

    interval_s = 0.1

    def __init__(self, run: str, load: Load, console: Console | None = None) -> None:
        self._board = Board(run, load)
        self._console = console or Console(stderr=True)
        fancy = can_encode(SPINNER + "".join(SIGNS.values()))
        self._spinner = SPINNER if fancy else ASCII_SPINNER
        self._signs = SIGNS if fancy else ASCII_SIGNS
        self._live = RichLive(
            console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def events(self, state: State, events: Sequence[Event | UnknownEvent]) -> None:
        self._board.events(state, events)

    def progress(self, run: str, key: str, progress: Progress) -> None:
        if progress.kind in ("text", "tool", "raw"):
            self._board.said(run, key, said_line(progress, 200))

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)  # it puts the line above the tree

    def refresh(self) -> None:
        self._live.update(self.picture(), refresh=True)

    def close(self) -> None:
        self.refresh()
        self._live.stop()

    def picture(self) -> Text:
        """Return what is drawn: lines that fit the window, and no more of them than it has."""
        height = max(3, min(MAX_LINES, self._console.height - 3))
        lines = [self._head(), *map(self._line, self._board.lines(height))]
        for line in lines:
            line.truncate(self._console.width - 1, overflow="ellipsis")
        return Text("\n").join(lines)

    def _head(self) -> Text:
        board = self._board
        sign = "" if board.status in ENDED or board.status == "waiting" else f"{self._spin()} "
        took = duration(max(0, time.time_ns() - board.since) / 1e9) if board.since else ""
        steps = f"{board.steps} step{'' if board.steps == 1 else 's'}"
        facts = [board.status, took, money(board.cost_usd), steps]
        return Text.assemble(sign, (board.run, "bold"), "  ", "  ".join(filter(None, facts)))

    def _line(self, line: Line) -> Text:
        indent = "  " * (line.depth + 1)
        row = line.row
        if row is None:
            return Text(f"{indent}{line.name}", style="dim")
        sign = self._spin() if row.mood == GOES_ON else self._signs[row.mood]
        text = Text.assemble(indent, (sign, STYLES[row.mood]), " ", line.name, "  ")
        if row.mood == GOES_ON:
            elapsed = duration(max(0, time.time_ns() - row.since) / 1e9)
            return text.append(f"{elapsed}  ", style="dim").append(row.said, style="dim")
        return text.append(row.text, style="dim")

    def _spin(self) -> str:
        return self._spinner[int(time.monotonic() * 10) % len(self._spinner)]
