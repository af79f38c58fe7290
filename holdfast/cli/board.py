"""What a live display shows: the steps at work and the last ones that ended, by scope. Pure.

It keeps a bounded number of rows however long the run is.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from holdfast.eventlog import Event, Journaled, RunStarted, StepStarted, UnknownEvent
from holdfast.reducer import State

from .telling import GOES_ON, RUN_ENDS, WAITS, Load, Telling, telling
from .words import printable

KEPT = 200


class Row(msgspec.Struct):
    """One step, gate or timer: `place` is its key, with its child run's before it."""

    place: str
    mood: str
    text: str
    since: int  # ns since 1970
    said: str = ""


class Line(NamedTuple):
    """One line of the tree; without a row it names a scope."""

    depth: int
    name: str
    row: Row | None = None


class Board:
    """Takes events in and tells which lines to show."""

    def __init__(self, run: str, load: Load) -> None:
        self.run = run
        self._load = load
        self.status = "running"
        self.cost_usd = 0.0
        self.steps = 0
        self.since = 0
        self._rows: dict[str, Row] = {}

    def events(self, state: State, events: Sequence[Event | UnknownEvent]) -> None:
        if state.run == self.run:
            self.status, self.cost_usd = state.status, state.usage.cost_usd
            self.since, self.steps = state.started, len(state.steps)
        for event in events:
            told = telling(event, state, self._load)
            if told is not None and isinstance(event, Journaled):
                self.said(state.run, event.key, told.text)
            elif told is not None and not isinstance(event, (RunStarted, *RUN_ENDS)):
                self._take(state, event, told)
        self._forget()

    def _take(self, state: State, event: Event | UnknownEvent, told: Telling) -> None:
        place = f"{state.run}/{told.key or told.text}".removeprefix(f"{self.run}/")
        old = self._rows.get(place)
        begins = old is None or isinstance(event, StepStarted)
        since = state.now if begins or old is None else old.since
        self._rows[place] = Row(place, told.mood, told.text if told.key else "", since)

    def said(self, run: str, key: str, text: str) -> None:
        """Note the last line that a step's agent said."""
        row = self._rows.get(printable(f"{run}/{key}", keep="").removeprefix(f"{self.run}/"))
        if row is not None and text:
            row.said = text

    def _forget(self) -> None:
        while len(self._rows) > KEPT:
            old = next((p for p, row in self._rows.items() if not _is_open(row)), None)
            if old is None:
                return
            del self._rows[old]

    def lines(self, height: int) -> list[Line]:
        """Return at most `height` lines: what is open first, then what ended last."""
        rows = list(self._rows.values())
        chosen = {row.place for row in rows if _is_open(row)}
        chosen |= {row.place for row in rows[-height:]}
        for row in sorted(rows, key=lambda row: (_is_open(row), row.since)):
            lines = list(_tree([r for r in rows if r.place in chosen]))
            if len(lines) <= height:
                return lines
            chosen.discard(row.place)
        return []


def _is_open(row: Row) -> bool:
    return row.mood in (GOES_ON, WAITS)


def _tree(rows: Sequence[Row]) -> Iterator[Line]:
    """Put rows under their scopes, which are named when they change."""
    before: list[str] = []
    for row in sorted_by_scope(rows):
        *scope, name = row.place.split("/")
        same = 0
        while same < min(len(scope), len(before)) and scope[same] == before[same]:
            same += 1
        for depth in range(same, len(scope)):
            yield Line(depth, scope[depth])
        before = scope
        yield Line(len(scope), name, row)


def sorted_by_scope(rows: Sequence[Row]) -> list[Row]:
    """Return rows such that each scope is in one piece, in the order in which each began."""
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        parts = row.place.split("/")
        for length in range(1, len(parts) + 1):
            first.setdefault("/".join(parts[:length]), index)

    def order(row: Row) -> list[int]:
        parts = row.place.split("/")
        return [first["/".join(parts[:length])] for length in range(1, len(parts) + 1)]

    return sorted(rows, key=order)
