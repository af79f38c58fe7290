"""All plugins of a program: loads them, answers for what they offer, remembers what is broken."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self, cast

import msgspec

from holdfast.eventlog import Record

from . import offers
from .errors import RedactionFailed, UnknownAgent, UnknownModel, UnknownSandbox
from .loading import (
    BrokenPlugin,
    Loaded,
    Source,
    extra_sources,
    installed_sources,
    last_line,
    load,
    own_source,
)
from .types import Agent, Model, Sandbox, Tool


class PluginRow(msgspec.Struct, frozen=True):
    """One line of `holdfast plugins`."""

    plugin: str
    distribution: str
    version: str
    hooks: list[str]
    offers: list[str]
    broken: str = ""


class _Offer(NamedTuple):
    plugin: Loaded
    value: Any


class Plugins:
    """The plugins in use. A broken one is listed in `broken`, and the rest go on."""

    def __init__(self, sources: Iterable[Source | BrokenPlugin]) -> None:
        self._loaded: dict[str, Loaded] = {}
        self._broken: dict[BrokenPlugin, None] = {}
        self._offers: dict[str, dict[str, _Offer]] = {}
        for source in sources:
            self._add(source)
        self._redactors = self._with("holdfast_redact")
        self._observers = self._with("holdfast_event")

    @classmethod
    def load(cls, *extra: object, installed: bool = True) -> Self:
        """Load the bundled adapters, then what is installed, then the given modules or objects.

        Of two that have or offer the same name the first stays and the second is broken.
        """
        found = list(installed_sources()) if installed else []
        return cls([own_source(), *found, *extra_sources(extra)])

    @property
    def broken(self) -> list[BrokenPlugin]:
        """What has been found broken so far."""
        return list(self._broken)

    def agent(self, name: str) -> Agent:
        agents = self._offered("holdfast_agents")
        if name not in agents:
            raise UnknownAgent(name, agents, map(str, self._broken))
        return cast(Agent, agents[name].value)

    def model(self, name: str) -> Model:
        """Return the back end with the longest prefix of the model's name."""
        models = self._offered("holdfast_models")
        prefixes = [prefix for prefix in models if name.startswith(prefix)]
        if not prefixes:
            raise UnknownModel(name, models, map(str, self._broken))
        return cast(Model, models[max(prefixes, key=len)].value)

    def sandbox(self, name: str) -> Sandbox:
        sandboxes = self._offered("holdfast_sandboxes")
        if name not in sandboxes:
            raise UnknownSandbox(name, sandboxes, map(str, self._broken))
        return cast(Sandbox, sandboxes[name].value)

    def agents(self) -> Mapping[str, Agent]:
        return {name: offer.value for name, offer in self._offered("holdfast_agents").items()}

    def models(self) -> Mapping[str, Model]:
        return {name: offer.value for name, offer in self._offered("holdfast_models").items()}

    def sandboxes(self) -> Mapping[str, Sandbox]:
        return {name: offer.value for name, offer in self._offered("holdfast_sandboxes").items()}

    def tools(self) -> Mapping[str, Tool]:
        return {name: offer.value for name, offer in self._offered("holdfast_tools").items()}

    def workflows(self) -> Mapping[str, str]:
        return {name: offer.value for name, offer in self._offered("holdfast_workflows").items()}

    @property
    def observes(self) -> bool:
        """Whether any plugin observes: else nobody needs to be shown anything."""
        return bool(self._observers)

    @property
    def redacts(self) -> bool:
        """Whether any plugin redacts: else nobody needs to be asked."""
        return bool(self._redactors)

    def redact(self, text: str) -> str:
        """Pass the text through every redactor. A failing one must not let secrets through."""
        for plugin in self._redactors:
            try:
                redacted = plugin.call("holdfast_redact", text=text)
            except Exception as error:
                raise self._redaction_failed(plugin, last_line(error)) from error
            if not isinstance(redacted, str):
                kind = type(redacted).__name__
                raise self._redaction_failed(plugin, f"holdfast_redact returned {kind}, not str")
            text = redacted
        return text

    def observe(self, record: Record) -> None:
        """Show the record to every observer."""
        for plugin in self._observers:
            try:
                plugin.call("holdfast_event", record=record)
            except Exception as error:  # noqa: BLE001 - an observer may not stop a run: reported
                self._report(plugin, last_line(error))

    def listing(self) -> list[PluginRow]:
        """Describe every plugin, what each one offers, and each thing that is broken."""
        offered: dict[str, list[str]] = {}
        for hook in offers.CHECKS:
            for name, offer in self._offered(hook).items():
                kind = offers.KINDS[hook]
                offered.setdefault(offer.plugin.name, []).append(f"{kind} {name}".strip())
        rows = [
            PluginRow(p.name, p.distribution, p.version, sorted(p.hooks), offered.get(p.name, []))
            for p in self._loaded.values()
        ]
        return rows + [PluginRow(b.name, b.distribution, "", [], [], b.reason) for b in self.broken]

    def _add(self, source: Source | BrokenPlugin) -> None:
        plugin = source if isinstance(source, BrokenPlugin) else load(source)
        if isinstance(plugin, BrokenPlugin):
            self._broken[plugin] = None
        elif plugin.name in self._loaded:
            first = self._loaded[plugin.name].distribution
            self._report(plugin, f"a plugin of {first!r} has the same name, and was first")
        else:
            self._loaded[plugin.name] = plugin

    def _with(self, hook: str) -> list[Loaded]:
        return [plugin for plugin in self._loaded.values() if hook in plugin.hooks]

    def _offered(self, hook: str) -> dict[str, _Offer]:
        # On first need: an adapter's module is imported only when somebody asks.
        if hook not in self._offers:
            found: dict[str, _Offer] = {}
            for plugin in self._with(hook):
                self._collect(plugin, hook, found)
            self._offers[hook] = found
        return self._offers[hook]

    def _collect(self, plugin: Loaded, hook: str, found: dict[str, _Offer]) -> None:
        try:
            good, reasons = offers.check(hook, plugin.call(hook))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it may import and do anything
            self._report(plugin, last_line(error))
            return
        for reason in reasons:
            self._report(plugin, reason)
        for name, value in good.items():
            if name in found:
                first = found[name].plugin
                by = f"{first.name!r} of {first.distribution!r}"
                self._report(plugin, f"{hook} offers {name!r}, which was offered first by {by}")
            else:
                found[name] = _Offer(plugin, value)

    def _report(self, plugin: Loaded, reason: str) -> None:
        self._broken[BrokenPlugin(plugin.name, plugin.distribution, reason)] = None

    def _redaction_failed(self, plugin: Loaded, reason: str) -> RedactionFailed:
        self._report(plugin, reason)
        return RedactionFailed(plugin.name, plugin.distribution, reason)
