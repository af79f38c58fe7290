"""The stepper of `holdfast replay --step`: through a run's frames, forwards and backwards."""

import sys
from collections.abc import Callable, Generator, Iterator

import click

from holdfast.eventlog import HoldfastError, Log, RunRow
from holdfast.reducer import Driver, Frames, about, suspended

from .frames import frame_lines, state_lines
from .words import one_line

HELP = """\
n  next frame            p  previous frame      g N    go to frame N
s  the state in short    w  where: the lines at which the workflow waits
/ KEY  next frame about a key (/ alone: again)  q  quit"""

Command = tuple[str, str]


class Stepper:
    """Shows frames as it is told to. `lines_at` tells where the workflow waits at one."""

    def __init__(self, log: Log, row: RunRow, lines_at: Callable[[int], list[str]]) -> None:
        self._log, self._row, self._lines_at = log, row, lines_at
        self._frames = Frames(lambda start, stop: log.records(row.branch, start, stop))
        self._at = 0
        self._sought = ""

    def step(self, at: int, commands: Iterator[Command]) -> None:
        """Begin at a frame, and obey until the commands end or say so."""
        self._go(at)
        for name, argument in commands:
            if name == "q":
                return
            self._obey(name, argument)

    def _obey(self, name: str, argument: str) -> None:
        match name:
            case "n" | "":
                self._go(self._at + 1)
            case "p":
                self._go(self._at - 1)
            case "g" if argument.isdecimal():
                self._go(int(argument))
            case "g":
                click.echo(f"which frame? g 1 to g {self._row.head}")
            case "/":
                self._seek(argument)
            case "s":
                _print(state_lines(self._frames[self._at]))
            case "w":
                self._where()
            case "h" | "?":
                click.echo(HELP)
            case _:
                click.echo(f"{one_line(name, 40)!r} is no command\n{HELP}")

    def _go(self, frame: int) -> None:
        head = self._row.head
        if not 0 <= frame <= head:
            click.echo(f"there is no frame {frame}: they go from 0 to {head}")
            return
        self._at = frame
        click.echo(click.style(f"frame {frame} of {head}", bold=True), nl=False)
        if frame == 0:
            click.echo("  before the first event")
            return
        before = self._frames[frame - 1]
        after = self._frames[frame]
        lines = frame_lines(self._log, self._frames.event(frame), before, after)
        click.echo("  " + "\n".join(lines))

    def _seek(self, sought: str) -> None:
        """Go to the next frame whose event is about a key with these words in it."""
        self._sought = sought or self._sought
        for record in self._log.records(self._row.branch, self._at, self._row.head):
            if any(self._sought in key for key in about(record.event)):
                self._go(record.offset + 1)
                return
        click.echo(f"no frame after {self._at} is about {self._sought!r}")

    def _where(self) -> None:
        try:
            _print(self._lines_at(self._at))
        except HoldfastError as error:  # the frames can be looked at all the same
            click.echo(f"{error}")


def where_lines(driver: Driver) -> list[str]:
    """Return the workflow's lines at which its tasks wait: place, code, and what is waited for."""
    from linecache import getline

    lines: list[str] = []
    for task in suspended(driver):
        for frame, number in task.stack[-1:]:
            file = frame.f_code.co_filename
            lines.append(f"{task.key}\n  {file}:{number} in {frame.f_code.co_name}")
            lines.append(f"    {getline(file, number, frame.f_globals).strip()}")
    if driver.ended is not None:
        return [f"the workflow has ended ({driver.ended.status})"]
    return lines or ["the workflow has not begun"]


def typed() -> Generator[Command]:
    """Yield the commands of whoever is at the terminal, a key each; else the lines of the input."""
    if not sys.stdin.isatty():
        yield from map(parsed, sys.stdin)
        return
    from .keyboard import Keyboard

    click.echo(HELP, err=True)
    with Keyboard() as keyboard:
        while True:
            key = keyboard.key()
            name = _KEYS.get(key, key)
            asked = {"g": "frame", "/": "key"}.get(name)
            yield name, keyboard.line(asked) if asked else ""


def parsed(line: str) -> Command:
    """Return a typed line as a command: `next`, `n`, `g 12`, `/ test`, `/test`."""
    words = line.strip()
    if words.startswith("/"):
        return "/", words[1:].strip()
    name, _, argument = words.partition(" ")
    return _LONG.get(name, name), argument.strip()


def _print(lines: "Iterator[str] | list[str]") -> None:
    for line in lines:
        click.echo(line)


_KEYS = {
    "\r": "n", "\n": "n", " ": "n", "\x1b[C": "n", "\x1b[B": "n", "\x1b[D": "p", "\x1b[A": "p",
    "\x04": "q", "\x1b": "q", "": "q",
}  # fmt: skip
_LONG = {
    "next": "n", "prev": "p", "previous": "p", "go": "g", "state": "s", "where": "w", "quit": "q",
    "exit": "q", "help": "h",
}  # fmt: skip
