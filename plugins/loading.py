"""Finding plugins and checking that their hooks make sense; whatever is wrong with one is told as data."""

from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import Any, NamedTuple

import msgspec
import pluggy

from . import bundled, hooks
from .fitting import Misfit, check_fit
from .where import defined_at, last_line, raised_at

GROUP = "holdfast"
OWN_DISTRIBUTION = "holdfast"


class BrokenPlugin(msgspec.Struct, frozen=True):
    """A plugin, or one thing that it offers, which cannot be used, and why."""

    name: str
    distribution: str
    reason: str  # last line of the traceback, or a sentence
    where: str = ""  # path:line of its code, where that is known

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.name} ({self.distribution}): {self.reason}{place}"


class Source(NamedTuple):
    """Where a plugin comes from; `load` imports it."""

    name: str
    distribution: str
    version: str
    load: Callable[[], object]


class Loaded(NamedTuple):
    """A plugin that is in use, with its hooks by name."""

    name: str
    distribution: str
    version: str
    hooks: dict[str, pluggy.HookCaller]

    def line_of(self, hook: str) -> str:
        """Return where the plugin's hook is defined, as path:line."""
        return defined_at(self.hooks[hook].get_hookimpls()[0].function)

    def call(self, hook: str, **arguments: object) -> Any:
        """Return what the plugin's hook returns."""
        results: list[Any] = self.hooks[hook](**arguments)
        return results[0] if results else None  # pluggy leaves None out


def own_source() -> Source:
    try:
        version = metadata.version(OWN_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        version = ""  # running from a checkout
    return Source("bundled", OWN_DISTRIBUTION, version, lambda: bundled)


def extra_sources(extra: Iterable[object]) -> Iterator[Source | BrokenPlugin]:
    """Describe plugins that a program hands over itself."""
    for plugin in extra:
        if isinstance(plugin, Source | BrokenPlugin):
            yield plugin
            continue
        name = getattr(plugin, "__name__", type(plugin).__name__)
        yield Source(name, "this program", "", lambda plugin=plugin: plugin)  # type: ignore[misc]


def installed_sources() -> list[Source | BrokenPlugin]:
    """Describe the plugins that installed distributions name, in a stable order."""
    found: dict[str, list[Source | BrokenPlugin]] = {}
    for distribution in metadata.distributions():
        # metadata.entry_points() would let one damaged file of anybody's hide every plugin, and
        # asking each distribution for its name takes a hundred times as long.
        if f"[{GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
            continue
        name, sources = _sources_of(distribution)
        found.setdefault(name, sources)  # else shadowed by an earlier entry of sys.path
    return [source for name in sorted(found) for source in found[name]]


def _sources_of(distribution: metadata.Distribution) -> tuple[str, list[Source | BrokenPlugin]]:
    name = f"unnamed, in {distribution.locate_file('')}"
    try:
        name, version = distribution.metadata["Name"] or name, distribution.version
        points = sorted(distribution.entry_points.select(group=GROUP))
    except Exception as error:  # noqa: BLE001 - metadata of strangers fails in any way
        return name, [BrokenPlugin("entry points", name, last_line(error))]
    return name, [Source(point.name, name, version, point.load) for point in points]


def load(source: Source) -> Loaded | BrokenPlugin:
    """Import a plugin and find its hooks."""
    try:
        callers = _hooks_of(source.load(), source.name)
    except Misfit as misfit:
        return BrokenPlugin(source.name, source.distribution, misfit.reason, misfit.where)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - code of strangers fails in any way
        reason = last_line(error) + _hint(error)
        return BrokenPlugin(source.name, source.distribution, reason, raised_at(error))
    return Loaded(source.name, source.distribution, source.version, callers)


def _hint(error: BaseException) -> str:
    """Say so where a plugin wants something of ours that is not there."""
    ours = isinstance(error, ImportError) and (error.name or "").startswith("holdfast.")
    return ". It may have been made for a newer Holdfast" if ours else ""


def _hooks_of(plugin: object, name: str) -> dict[str, pluggy.HookCaller]:
    instance = plugin() if isinstance(plugin, type) else plugin
    check_fit(instance)
    # A manager for each plugin, so that each can fail alone.
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(instance, name)
    manager.check_pending()
    return {caller.name: caller for caller in manager.get_hookcallers(instance) or ()}
