"""Doing work with somebody's adapter, held to what it promised: the result's type, and no way out."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from holdfast.eventlog import Usage
from holdfast.reducer import is_exit

from .errors import AdapterBroken
from .types import AgentResult, Emit, ModelResult, Progress
from .where import defined_at, last_line, raised_at

Result = TypeVar("Result", AgentResult, ModelResult)


async def held(
    work: Callable[[Any, Emit], Awaitable[object]],
    asked: object,
    emit: Emit,
    kind: type[Result],
    owner: str,
) -> Result:
    """Return the result of `work(asked, emit)`, or raise AdapterBroken, which names the owner."""

    def emit_progress(progress: Progress) -> None:
        if not isinstance(progress, Progress):  # pyright: ignore[reportUnnecessaryIsInstance]
            what = f"called emit with {type(progress).__name__}, not Progress"
            raise AdapterBroken(owner, what, defined_at(work))
        emit(progress)

    try:
        result = await work(asked, emit_progress)
    except BaseException as error:
        if not is_exit(error):
            raise
        raise AdapterBroken(owner, f"raised {last_line(error)}", raised_at(error)) from error
    if fault := fault_of(result, kind):
        raise AdapterBroken(owner, fault, defined_at(work))
    assert isinstance(result, kind)
    return result


def fault_of(result: object, kind: type[AgentResult] | type[ModelResult]) -> str:
    """Say what is wrong with the types in a result; nothing where all is well."""
    if not isinstance(result, kind):
        return f"returned {type(result).__name__}, not {kind.__name__}"
    wanted: dict[str, Any] = {"text": str, "usage": Usage | None, "session": str}
    for name, type_ in wanted.items():
        value = getattr(result, name, "")
        if not isinstance(value, type_):
            told = getattr(type_, "__name__", "Usage or None")
            return f"returned {kind.__name__}({name}={value!r}), which is not {told}"
    return ""
