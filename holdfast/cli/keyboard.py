"""Single keys from a terminal, without waiting for return."""

import os
import re
import sys
import termios
import tty
from collections import deque
from types import TracebackType
from typing import Self

import click

_KEY = re.compile(r"\x1b\[[A-D]|.", re.DOTALL)


class Keyboard:
    """The keys that are typed while it is entered; they are not echoed, and none is lost."""

    def __init__(self) -> None:
        self._file = sys.stdin.fileno()
        self._typed: deque[str] = deque()
        self._before = termios.tcgetattr(self._file)

    def __enter__(self) -> Self:
        tty.setcbreak(self._file, termios.TCSADRAIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def key(self) -> str:
        """Return the next key, an arrow as its escape sequence; empty when the terminal is gone."""
        if not self._typed:  # keys that were typed fast come together
            self._typed.extend(_KEY.findall(os.read(self._file, 64).decode(errors="replace")))
        return self._typed.popleft() if self._typed else ""

    def line(self, prompt: str) -> str:
        """Ask for a line, which is echoed and edited as usual."""
        self.__exit__(None, None, None)
        try:
            click.echo(f"{prompt}: ", nl=False, err=True)
            return sys.stdin.readline().strip()
        finally:
            self.__enter__()
