"""Progress as lines, one for each event: for pipes, files and people without a terminal."""

import sys
from collections.abc import Sequence

import click

from holdfast.eventlog import Event, Journaled, RunSucceeded, UnknownEvent
from holdfast.plugins import Progress
from holdfast.reducer import State

from .telling import BAD, GOES_ON, GOOD, PLAIN, RUN_ENDS, WAITS, Load, telling
from .words import clock, one_line, printable

SIGNS = {GOOD: "✓", BAD: "✗", GOES_ON: "▸", WAITS: "…", PLAIN: "·"}
ASCII_SIGNS = {GOOD: "+", BAD: "!", GOES_ON: ">", WAITS: "~", PLAIN: "-"}
COLOURS = {GOOD: "green", BAD: "red", WAITS: "cyan"}
TEXT_LINES = 20
"""How many lines of what an agent says are shown for a step; the rest is in its transcript."""


class Plain:
    """Prints a line for each event, and the first lines of what agents say."""

    interval_s = float("inf")

    def __init__(self, run: str, load: Load) -> None:
        self._run = run
        self._load = load
        self._said: dict[str, int] = {}
        self._signs = SIGNS if can_encode("".join(SIGNS.values())) else ASCII_SIGNS

    def events(self, state: State, events: Sequence[Event | UnknownEvent]) -> None:
        for event in events:
            if isinstance(event, RUN_ENDS) and state.run == self._run:
                continue
            if isinstance(event, RunSucceeded):
                continue  # of a child: its parent tells that
            told = telling(event, state, self._load)
            if told is not None:
                sign = click.style(self._signs[told.mood], fg=COLOURS.get(told.mood))
                where = self._place(state.run, told.key)
                if isinstance(event, Journaled) and where in self._said:
                    continue  # the agent was heard to say so
                self._print(state.now, f"{sign} {where}{'  ' if where else ''}{told.text}")

    def progress(self, run: str, key: str, progress: Progress) -> None:
        if progress.kind not in ("text", "tool"):
            return
        where = printable(self._place(run, key), keep="")
        self._said[where] = said = self._said.get(where, 0) + 1
        if said < TEXT_LINES:
            click.echo(f"           {where} | {said_line(progress, 100)}", err=True)
        elif said == TEXT_LINES:
            click.echo(f"           {where} | ...", err=True)

    def _place(self, run: str, key: str) -> str:
        return (
            f"{run}/{key}".removeprefix(f"{self._run}/").removesuffix("/").removeprefix(self._run)
        )

    def _print(self, now: int, text: str) -> None:
        click.echo(f"{click.style(clock(now), dim=True)} {text}", err=True)

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass


def said_line(progress: Progress, width: int) -> str:
    """Return what an agent just said or did, in one line."""
    if progress.kind == "tool":
        name = progress.data.get("name", "tool")
        return one_line(f"[{name}] {progress.text}", width)
    return one_line(progress.text, width)


def can_encode(text: str) -> bool:
    """Tell whether standard error can show these characters."""
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
