"""What a hook may return: each check says what is wrong in words for the plugin's author."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from .types import Readiness
from .where import defined_at, last_line, raised_at


class Fault(NamedTuple):
    """Why something is not usable, and the line of the plugin's code."""

    reason: str
    where: str = ""


def _worker(method: str, *arguments: str) -> Callable[[object], str]:
    """Check an object with one async method, and `readiness`."""

    def check(value: object) -> str:
        if isinstance(value, type):
            return f"it is a class: offer an object, {value.__name__}()"
        work, readiness = getattr(value, method, None), getattr(value, "readiness", None)
        if work is None:
            return f"it has no method `{method}`"
        if not inspect.iscoroutinefunction(work):
            return f"its `{method}` is not an async method"
        if not _takes(work, arguments):
            return f"its `{method}` cannot be called as {method}({', '.join(arguments)})"
        if not callable(readiness):
            return "it has no method `readiness`"
        if inspect.iscoroutinefunction(readiness):
            return "its `readiness` is async: write def"
        return "" if _takes(readiness, ()) else "its `readiness` wants arguments"

    return check


def _takes(function: Callable[..., object], arguments: tuple[str, ...]) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    return True


def _reference(value: object) -> str:
    if isinstance(value, str) and all(value.partition(":")):
        return ""
    return f"{value!r} is not a text like 'module:function'"


CHECKS: Mapping[str, Callable[[object], str]] = {
    "holdfast_agents": _worker("run", "task", "emit"),
    "holdfast_models": _worker("call", "call", "emit"),
    "holdfast_workflows": _reference,
}


def check(hook: str, offered: object) -> tuple[dict[str, Any], list[Fault]]:
    """Part what is usable from the reasons why the rest is not."""
    if not isinstance(offered, Mapping):
        return {}, [Fault(f"{hook} returned {type(offered).__name__}, not a mapping")]
    good: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in cast(Mapping[object, Any], offered).items():
        if not isinstance(name, str):
            faults.append(Fault(f"{hook} offers {name!r}, but its name is not a text"))
        elif reason := CHECKS[hook](value):
            where = "" if isinstance(value, str) else defined_at(value)
            faults.append(Fault(f"{hook} offers {name!r}, but {reason}", where))
        else:
            good[name] = value
    return good, faults


def ready(worker: Any) -> Readiness:
    """Ask an agent or a model whether it can work here; one that fails at that is not ready."""
    try:
        readiness = worker.readiness()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - code of strangers fails in any way
        place = f" ({where})" if (where := raised_at(error)) else ""
        return Readiness(False, f"its readiness failed: {last_line(error)}{place}")
    if not isinstance(readiness, Readiness):
        kind, where = type(readiness).__name__, defined_at(worker.readiness)
        return Readiness(False, f"its readiness returned {kind}, not Readiness ({where})")
    return readiness
