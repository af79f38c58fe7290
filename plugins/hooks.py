"""The hook specifications: everything that a plugin can offer, one sentence each.

A plugin is a module (or an object) that has some of these functions, marked with `hookimpl`, and is
named in the entry-point group "holdfast" of its distribution. A hook returns objects.
"""

from collections.abc import Callable, Mapping

import pluggy

from holdfast.eventlog import Record, Value
from holdfast.reducer import State

from .types import Agent, Model, Sandbox, Tool

PROJECT = "holdfast"

HOOKS_VERSION = 1
"""Counts the versions of all that plugins rely on: hooks, protocols, data.

A plugin that needs what came with version N says `HOLDFAST_HOOKS = N` at its top level; with an older
Holdfast it is then reported, and not used. What was there in an earlier version stays.
"""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def holdfast_agents() -> Mapping[str, Agent]:  # type: ignore[empty-body]
    """Offer coding agents, by the name that workflows use."""


@hookspec
def holdfast_models() -> Mapping[str, Model]:  # type: ignore[empty-body]
    """Offer model back ends, by the prefix of the model names that they answer for.

    The longest prefix that fits answers; "" fits every model.
    """


@hookspec
def holdfast_sandboxes() -> Mapping[str, Sandbox]:  # type: ignore[empty-body]
    """Offer sandboxes, by the name that workflows and holdfast.toml use; "none" is no sandbox."""


@hookspec
def holdfast_tools() -> Mapping[str, Tool]:  # type: ignore[empty-body]
    """Offer tools, by name, to agents that call tools themselves, as `builtin` does."""


@hookspec
def holdfast_workflows() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Offer workflows: name -> "module:function", so that listing them imports nothing."""


@hookspec
def holdfast_redact(text: str) -> str:  # type: ignore[empty-body]
    """Return the text without the secrets in it; called with everything that is to be written."""


@hookspec
def holdfast_event(record: Record, state: State, load: Callable[[Value], bytes]) -> None:
    """Observe a record after it was written. What it raises is reported and changes nothing.

    `state` is the run as it is by then: its name, its steps, what it used. Of records that were
    written at once it is the state after all of them. `load` returns the MessagePack bytes of a
    value in either, also of a large one, which lies beside the events. The run waits for the hook, which is called in
    trio's thread: hand over what takes more than a millisecond.
    """
