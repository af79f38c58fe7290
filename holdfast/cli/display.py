"""How a run looks while it goes on: a live tree, a line for each event, or nothing."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import click

from holdfast.eventlog import Event, UnknownEvent
from holdfast.reducer import State

if TYPE_CHECKING:
    from holdfast.plugins import Progress

    from .telling import Load


class Display(Protocol):
    """Takes in what happens, and shows it on standard error.

    `interval_s` is how often to refresh it; `say` shows a line of the command's own.
    """

    interval_s: float

    def events(self, state: State, events: Sequence[Event | UnknownEvent]) -> None: ...

    def progress(self, run: str, key: str, progress: "Progress") -> None: ...

    def say(self, text: str) -> None: ...

    def refresh(self) -> None: ...

    def close(self) -> None: ...


class Silent:
    """Shows nothing but what has to be said, for --json."""

    interval_s = float("inf")

    def events(self, state: State, events: Sequence[Event | UnknownEvent]) -> None:
        pass

    def progress(self, run: str, key: str, progress: "Progress") -> None:
        pass

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass


def choose(run: str, load: "Load", *, as_json: bool = False, verbose: bool = False) -> Display:
    """Return the display that fits: where standard error goes decides."""
    if as_json and not verbose:
        return Silent()
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not verbose:
        from .live import Live

        return Live(run, load)
    from .plain import Plain

    return Plain(run, load)
