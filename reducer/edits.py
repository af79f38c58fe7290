"""What a fork does otherwise: edits of steps' requests and results. Pure."""

import functools
import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from holdfast.eventlog import Edit, Value

from .conversation import Said
from .requests import AgentCall, ModelAsk, Request, StepRequest

STEP_EDITS = ("result", "prompt", "agent", "model")


def edited(request: Request, edits: Sequence[Edit]) -> Request:
    """Return the request as the edits want it; the first that names the step counts."""
    if not isinstance(request, StepRequest) or not isinstance(request.call, AgentCall | ModelAsk):
        return request
    call = request.call
    for edit in reversed(edits):
        if edit.what in STEP_EDITS and names(edit, request.key):
            call = _edited_call(call, edit)
    return request if call is request.call else replace(request, call=call)


def _edited_call(call: AgentCall | ModelAsk, edit: Edit) -> AgentCall | ModelAsk:
    match edit.what, call:
        case "model", _:
            return replace(call, model=_text(edit))
        case "agent", AgentCall():
            return replace(call, agent=_text(edit))
        case "prompt", AgentCall():
            return replace(call, prompt=_text(edit))
        case "prompt", ModelAsk(messages=messages):
            return replace(call, messages=_with_last_question(messages, _text(edit)))
        case _:
            return call


def _with_last_question(messages: Sequence[Said], text: str) -> list[Said]:
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if isinstance(message, tuple) and message[0] == "user":
            return [*messages[:index], ("user", text), *messages[index + 1 :]]
    return [*messages, ("user", text)]


def _text(edit: Edit) -> str:
    return str(msgspec.msgpack.decode(edit.value))


def edited_result(key: str, edits: Iterable[Edit]) -> Value | None:
    """Return the result that an edit gives a step, if one does."""
    for edit in edits:
        if edit.what == "result" and names(edit, key):
            return edit.value
    return None


def names(edit: Edit, key: str) -> bool:
    """Tell whether an edit names a step; `*` in its key stands for any text."""
    return edit.key == key or ("*" in edit.key and _pattern(edit.key).fullmatch(key) is not None)


def within(edits: Iterable[Edit], child: str) -> list[Edit]:
    """Return the edits of a child run's steps, as that run knows them."""
    prefix = f"{child}/"
    return [
        replace(edit, key=edit.key.removeprefix(prefix))
        for edit in edits
        if edit.key.startswith(prefix)
    ]


@functools.lru_cache(maxsize=256)
def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, key.split("*"))), re.DOTALL)
