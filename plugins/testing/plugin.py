"""The rules for a whole plugin: it loads, all that it offers can be used, and it harms no run."""

import importlib
import time
from typing import Any

from holdfast.reducer import State, Workflow

from .. import bundled
from ..loading import extra_sources
from ..manager import Plugins
from .kit import Rule, require
from .records import sample_records

SECONDS_A_RECORD = 2.0  # the run waits meanwhile
TEXTS = ("", "hello", "two\nlines", '{"n": 1}', "é 漢字 \x00", "x" * 10_000)


def _loads(plugin: object) -> None:
    plugins = Plugins.load(*([] if plugin is bundled else [plugin]), installed=False)
    plugins.listing()
    require(not plugins.broken, "; ".join(map(str, plugins.broken)))


def _readiness(plugin: object) -> None:
    plugins = _alone(plugin)
    workers: dict[str, Any] = {**plugins.agents(), **plugins.models(), **plugins.sandboxes()}
    for name, worker in workers.items():
        try:
            detail = worker.readiness().detail
        except Exception as error:
            raise AssertionError(f"the readiness of {name!r} raised {error!r}") from error
        require(bool(detail), f"the readiness of {name!r} has no detail")


def _workflows(plugin: object) -> None:
    for name, reference in _alone(plugin).workflows().items():
        module, _, function = reference.partition(":")
        try:
            found = getattr(importlib.import_module(module), function, None)
        except ImportError as error:
            raise AssertionError(
                f"{reference!r} of {name!r} cannot be imported: {error}"
            ) from error
        good = isinstance(found, Workflow)
        require(good, f"{reference!r} of {name!r} is no workflow: mark it with @workflow")
        told = isinstance(found, Workflow) and bool(found.function.__doc__)
        require(told, f"the workflow {name!r} has no docstring for `holdfast workflows` to show")


def _observer(plugin: object) -> None:
    """Shown every kind of event, also from the middle of a run, as after a crash."""
    for record in sample_records():
        plugins = _alone(plugin)
        began = time.perf_counter()
        plugins.observe(record, State(run="x", workflow="x"), bytes)
        seconds = time.perf_counter() - began
        event = type(record.event).__name__
        require(not plugins.broken, f"shown {event}: {'; '.join(map(str, plugins.broken))}")
        slow = f"shown {event} it took {seconds:.1f} s: hand what is slow to a thread"
        require(seconds < SECONDS_A_RECORD, slow)


def _redactor(plugin: object) -> None:
    plugins = _alone(plugin)
    for text in TEXTS:
        once = plugins.redact(text)
        require(plugins.redact(once) == once, f"redacting {text[:20]!r} twice is not as once")


def _alone(plugin: object) -> Plugins:
    return Plugins(extra_sources([plugin]))


PLUGIN_RULES = (
    Rule("loads-and-offers", _loads),
    Rule("tells-its-readiness", _readiness),
    Rule("has-workflows-that-run", _workflows),
    Rule("observes-every-event", _observer),
    Rule("redacts-text-to-text", _redactor),
)
"""In this order; each is one test."""
