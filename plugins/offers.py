"""What a hook may return: each check says what is wrong in words for the plugin's author."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, cast, get_args

from .types import Permissions, Tool


def _worker(method: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not inspect.iscoroutinefunction(getattr(value, method, None)):
            return f"its `{method}` is not an async method"
        if not callable(getattr(value, "readiness", None)):
            return "it has no method `readiness`"
        return ""

    return check


def _sandbox(value: object) -> str:
    for method in ("wrap", "readiness"):
        found = getattr(value, method, None)
        if not callable(found) or inspect.iscoroutinefunction(found):
            return f"it has no method `{method}`, or an async one"
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
    "holdfast_agents": _worker("run"),
    "holdfast_models": _worker("call"),
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


def check(hook: str, offered: object) -> tuple[dict[str, Any], list[str]]:
    """Part what is usable from the reasons why the rest is not."""
    if not isinstance(offered, Mapping):
        return {}, [f"{hook} returned {type(offered).__name__}, not a mapping"]
    good: dict[str, Any] = {}
    reasons: list[str] = []
    for name, value in cast(Mapping[object, Any], offered).items():
        if not isinstance(name, str):
            reasons.append(f"{hook} offers {name!r}, but its name is not a text")
        elif (hook, name) in TAKEN:
            reasons.append(f"{hook} offers {name!r}, which stands for nothing of the kind")
        elif hook == "holdfast_tools" and not _TOOL_NAME.fullmatch(name):
            reasons.append(f"{hook} offers {name!r}, which no model can call: use A-Z a-z 0-9 _ -")
        elif reason := CHECKS[hook](value):
            reasons.append(f"{hook} offers {name!r}, but {reason}")
        else:
            good[name] = value
    return good, reasons
