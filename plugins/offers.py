"""What a hook may return: each check says what is wrong in words for the plugin's author."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast, get_args

from .types import Permissions, Readiness, Tool
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


def _sandbox(value: object) -> str:
    if isinstance(value, type):
        return f"it is a class: offer an object, {value.__name__}()"
    for method in ("wrap", "readiness"):
        found = getattr(value, method, None)
        if not callable(found) or inspect.iscoroutinefunction(found):
            return f"it has no method `{method}`, or an async one"
    wanted = ("argv", "env", "folder", "within")
    if not _takes(getattr(value, "wrap"), wanted):  # noqa: B009
        return f"its `wrap` cannot be called as wrap({', '.join(wanted)})"
    return ""


_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")  # what every provider takes


def check_tool(value: object) -> str:
    """Say what keeps a thing from being a tool; nothing where it is one."""
    if not isinstance(value, Tool):
        return f"{value!r} is not a Tool"
    if value.schema.get("type") != "object":
        return "its schema is not that of an object"
    if not inspect.iscoroutinefunction(value.run):
        return "its `run` is not an async function"
    if value.needs not in get_args(Permissions):
        return f"it needs {value.needs!r}, which is none of {get_args(Permissions)}"
    return "" if value.description else "it has no description, by which a model chooses it"


def _reference(value: object) -> str:
    if isinstance(value, str) and all(value.partition(":")):
        return ""
    return f"{value!r} is not a text like 'module:function'"


CHECKS: Mapping[str, Callable[[object], str]] = {
    "holdfast_agents": _worker("run", "task", "emit"),
    "holdfast_models": _worker("call", "call", "emit"),
    "holdfast_sandboxes": _sandbox,
    "holdfast_tools": check_tool,
    "holdfast_workflows": _reference,
}
KINDS = {
    "holdfast_agents": "agent",
    "holdfast_models": "model",
    "holdfast_sandboxes": "sandbox",
    "holdfast_tools": "tool",
    "holdfast_workflows": "workflow",
}
NO_SANDBOX = "none"
TAKEN = {("holdfast_sandboxes", NO_SANDBOX)}  # names that mean something else already


def check(hook: str, offered: object) -> tuple[dict[str, Any], list[Fault]]:
    """Part what is usable from the reasons why the rest is not."""
    if not isinstance(offered, Mapping):
        return {}, [Fault(f"{hook} returned {type(offered).__name__}, not a mapping")]
    good: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in cast(Mapping[object, Any], offered).items():
        if not isinstance(name, str):
            faults.append(Fault(f"{hook} offers {name!r}, but its name is not a text"))
        elif (hook, name) in TAKEN:
            faults.append(Fault(f"{hook} offers {name!r}, which stands for nothing of the kind"))
        elif hook == "holdfast_tools" and not _TOOL_NAME.fullmatch(name):
            faults.append(
                Fault(f"{hook} offers {name!r}, which no model can call: use A-Z a-z 0-9 _ -")
            )
        elif reason := CHECKS[hook](value):
            where = "" if isinstance(value, str) else defined_at(value)
            faults.append(Fault(f"{hook} offers {name!r}, but {reason}", where))
        else:
            good[name] = value
    return good, faults


def permissions_told(agent: Any, options: Mapping[str, Any]) -> set[Permissions] | None:
    """Ask an agent which permissions it can be held to; None where it does not say."""
    tell = getattr(agent, "permissions_with", None)
    return None if tell is None else set(tell(options))


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
