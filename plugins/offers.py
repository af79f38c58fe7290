"""What a hook may return: each check says what is wrong in words for the plugin's author."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast


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


def _reference(value: object) -> str:
    if isinstance(value, str) and all(value.partition(":")):
        return ""
    return f"{value!r} is not a text like 'module:function'"


CHECKS: Mapping[str, Callable[[object], str]] = {
    "holdfast_agents": _worker("run"),
    "holdfast_models": _worker("call"),
    "holdfast_sandboxes": _sandbox,
    "holdfast_workflows": _reference,
}
KINDS = {
    "holdfast_agents": "agent",
    "holdfast_models": "model",
    "holdfast_sandboxes": "sandbox",
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
        elif reason := CHECKS[hook](value):
            reasons.append(f"{hook} offers {name!r}, but {reason}")
        else:
            good[name] = value
    return good, reasons
