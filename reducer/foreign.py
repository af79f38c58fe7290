"""What a workflow awaited that is not durable, and the line of its own code that did so."""

from collections.abc import Coroutine, Iterable
from types import FrameType
from typing import Any

from .errors import NotDurable

_LIBRARIES = {"trio", "asyncio", "anyio", "sniffio"}
_SKIPPED = "holdfast.reducer."


def not_durable(coroutine: Coroutine[Any, Any, Any], awaited: object) -> NotDurable:
    """Return the error for a coroutine that yielded something which is no request of ours."""
    kind = type(awaited)
    something = f"something of {kind.__module__.partition('.')[0]} ({kind.__name__})"
    what, where = _place(_awaiting(coroutine))
    return NotDurable(what or something, where)


def without_loop(error: RuntimeError) -> NotDurable | None:
    """Return the error for one that trio or asyncio raised, because none of their loops runs here."""
    frames = list(_raised_through(error))
    if not frames or _library(frames[-1]) not in _LIBRARIES:
        return None
    what, where = _place(frames)
    return NotDurable(what, where)


def _place(frames: Iterable[FrameType]) -> tuple[str, str]:
    """Return the library's function that was called, and the last line before the library."""
    what, where = "", ""
    for frame in frames:
        code = frame.f_code
        if _library(frame) in _LIBRARIES:
            what = what or f"{_library(frame)}.{code.co_name}"
        elif not where or not _module(frame).startswith(_SKIPPED):
            what, where = "", f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
    return what, where


def _awaiting(coroutine: object) -> Iterable[FrameType]:
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame
        coroutine = getattr(coroutine, "cr_await", None)


def _raised_through(error: BaseException) -> Iterable[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _library(frame: FrameType) -> str:
    return _module(frame).partition(".")[0]
