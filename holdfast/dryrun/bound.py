"""A bound for code that computes without an end: so much of Python, however fast the machine is."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .errors import Unending

OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep
SHIPPED = os.path.join(OURS, "workflows") + os.sep
UNCOUNTED = (OURS, os.path.dirname(os.__file__) + os.sep, "<")

MOST = 500_000


class _Bound:
    """Counts Python's instructions, those of Holdfast and the standard library left out."""

    def __init__(self, most: int) -> None:
        self.left = most

    def __call__(self, frame: FrameType, event: str, argument: Any) -> "_Bound | None":
        if event == "call":
            file = frame.f_code.co_filename
            if file.startswith(UNCOUNTED) and not file.startswith(SHIPPED):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = (
                True,
                False,
            )  # `while True: pass` is one line
            return self
        self.left -= 1
        if self.left < 0:
            raise Unending(
                "the workflow computed for too long without awaiting anything. Look for a loop "
                f"without an end at {frame.f_code.co_filename}:{frame.f_lineno}"
            )
        return self


@contextmanager
def bounded(most: int = MOST) -> Generator[None]:
    """Raise Unending in this thread's code after so many instructions. Within another bound, that holds."""
    before = sys.gettrace()
    if isinstance(before, _Bound):
        yield
        return
    sys.settrace(_Bound(most))
    try:
        yield
    finally:
        sys.settrace(before)
