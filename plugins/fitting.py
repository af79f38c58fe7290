"""Whether the functions of a plugin fit the hooks; says what does not in words for its author."""

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import hooks
from .where import defined_at

MARK = f"{hooks.PROJECT}_impl"  # what hookimpl leaves on a function
NEEDS = "HOLDFAST_HOOKS"

HOOKS: Mapping[str, Callable[..., Any]] = {
    name: function for name, function in vars(hooks).items() if hasattr(function, "holdfast_spec")
}


class Misfit(Exception):
    """The plugin does not fit: why, and the line of its code."""

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(reason)
        self.reason, self.where = reason, where


def check_fit(plugin: object) -> None:
    """Raise Misfit for the first thing about a plugin that could not work."""
    _check_version(plugin)
    fitting = 0
    for name, function in _functions(plugin):
        marks: Mapping[str, Any] | None = getattr(function, MARK, None)
        if marks is not None:
            _check_function(marks.get("specname") or name, function, marks)
            fitting += 1
        elif name in HOOKS:
            raise Misfit(f"{name} is not marked: write @hookimpl above it", defined_at(function))
    if not fitting:
        raise Misfit("it offers nothing: mark its hook functions with holdfast.plugins.hookimpl")


def _functions(plugin: object) -> Iterator[tuple[str, Any]]:
    for name in dir(plugin):
        member = getattr(plugin, name, None)
        if inspect.isroutine(member):
            yield name, member


def _check_version(plugin: object) -> None:
    wanted = getattr(plugin, NEEDS, hooks.HOOKS_VERSION)
    if not isinstance(wanted, int):
        raise Misfit(f"{NEEDS} is {wanted!r}, not a number like {hooks.HOOKS_VERSION}")
    if wanted > hooks.HOOKS_VERSION:
        raise Misfit(
            f"it was made for version {wanted} of the hooks, and this Holdfast has version "
            f"{hooks.HOOKS_VERSION}. Install a newer Holdfast, or an older version of the plugin"
        )


def _check_function(name: str, function: Any, marks: Mapping[str, Any]) -> None:
    where = defined_at(function)
    if name not in HOOKS:
        near = difflib.get_close_matches(name, HOOKS, n=1)
        guess = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(HOOKS)}"
        raise Misfit(f"unknown hook {name!r}. {guess}", where)
    if marks.get("wrapper") or marks.get("hookwrapper"):
        raise Misfit(f"{name} is a wrapper, and each plugin is asked alone", where)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise Misfit(f"{name} is async, and hooks are plain functions: write def", where)
    if inspect.isgeneratorfunction(function):
        raise Misfit(f"{name} has a `yield`: return everything at once", where)
    given = list(inspect.signature(HOOKS[name]).parameters)
    if strange := [each for each in _wanted(function) if each not in given]:
        listed = ", ".join(given) or "nothing"
        raise Misfit(f"{name} asks for {', '.join(strange)}, and is given {listed}", where)


def _wanted(function: Any) -> Iterator[str]:
    """Yield the parameters that have to be given; one that is named only by keyword is not."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            yield f"{parameter.name} (by keyword only)"
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            yield parameter.name
