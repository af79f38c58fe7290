"""Using a tool, whoever asks for it: its checked arguments, its bounded answer, its errors as data."""

import traceback
from functools import partial
from typing import Any

import trio

from holdfast.cli.words import printable, shortened
from holdfast.eventlog import HoldfastError

from .bounds import bounded
from .calls import call_in
from .desk import Visit
from .tool import Tool

LONGEST_ERROR = 4000


async def use(tool: Tool, visit: Visit, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a tool answers. Raises BadArguments, and whatever the tool raises."""
    asked = tool.arguments(given)
    if tool.wait is not None:
        found = await tool.wait(visit, asked)
    else:
        assert tool.handle is not None, "a tool does something"
        found = await trio.to_thread.run_sync(partial(tool.handle, visit, asked))
    return await trio.to_thread.run_sync(partial(bounded, found))


def error_object(error: HoldfastError) -> dict[str, Any]:
    """Return an error with its code, its message and the call that helps."""
    return _told(error.code, str(error))


def defect_object(error: Exception) -> dict[str, Any]:
    """Return a defect of ours as an error, told in full."""
    trace = "".join(traceback.format_exception(error))
    return _told("internal", f"{error!r}. This is a defect of Holdfast: please report it. {trace}")


def _told(code: str, message: str) -> dict[str, Any]:
    told = {"code": code, "message": shortened(printable(message), LONGEST_ERROR)}
    return {"error": {**told, "next": call_in(message)}}
