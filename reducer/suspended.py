"""Where a driven workflow stands: the lines of its own code at which its tasks wait."""

from collections.abc import Iterable, Iterator
from itertools import dropwhile
from types import FrameType, TracebackType

import msgspec

from .driver import Driver
from .tasks import Task

_OURS = "holdfast.reducer."
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")

Stack = list[tuple[FrameType, int]]


class Suspended(msgspec.Struct, frozen=True):
    """A task that waits for `key`. `stack` are the workflow's frames with their lines, the innermost
    last, those of the tasks that wait for this one included."""

    key: str
    stack: Stack


def suspended(driver: Driver) -> list[Suspended]:
    """Return the tasks that wait for an answer, the oldest request first."""
    return [
        Suspended(key, _stack(future.task))
        for key, future in driver.pending.items()
        if future.task is not None
    ]


def raised(error: BaseException) -> Stack:
    """Return the workflow's frames that an exception went through, the innermost last.

    Those before the driver's own first one are of whoever drives it.
    """
    frames = dropwhile(lambda pair: _is_theirs(pair[0]), _raised_through(error.__traceback__))
    return [(frame, line) for frame, line in frames if _is_theirs(frame)]


def _stack(task: Task | None) -> Stack:
    tasks: list[Task] = []
    while task is not None:
        tasks.append(task)
        task = None if task.group is None else task.group.parent
    frames = [frame for task in reversed(tasks) for frame in _awaiting(task.coroutine)]
    return [(frame, frame.f_lineno) for frame in frames if _is_theirs(frame)]


def _awaiting(awaited: object) -> Iterator[FrameType]:
    while (frame := _first(awaited, _FRAMES)) is not None:
        assert isinstance(frame, FrameType), "that is what these attributes hold"
        yield frame
        awaited = _first(awaited, _AWAITED)


def _first(thing: object, names: Iterable[str]) -> object:
    found = (getattr(thing, name, None) for name in names)
    return next((value for value in found if value is not None), None)


def _raised_through(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _is_theirs(frame: FrameType) -> bool:
    return not str(frame.f_globals.get("__name__", "")).startswith(_OURS)
