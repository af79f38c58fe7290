"""All plugins of a program: loads them, answers for what they offer, remembers what is broken."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self, cast, get_args

import msgspec

from holdfast.eventlog import Record, Value
from holdfast.reducer import State

from . import offers
from .errors import AdapterBroken, RedactionFailed, UnknownAgent, UnknownModel, UnknownSandbox
from .held import held
from .loading import (
    BrokenPlugin,
    Loaded,
    Source,
    extra_sources,
    installed_sources,
    load,
    own_source,
)
from .types import (
    Agent,
    AgentResult,
    AgentTask,
    Emit,
    Model,
    ModelCall,
    ModelResult,
    Permissions,
    Sandbox,
    Tool,
)
from .where import last_line, raised_at


class PluginRow(msgspec.Struct, frozen=True):
    """One line of `holdfast plugins`."""

    plugin: str
    distribution: str
    version: str
    hooks: list[str]
    offers: list[str]
    broken: str = ""
    where: str = ""  # path:line of what is broken


class _Offer(NamedTuple):
    plugin: Loaded
    value: Any

    @property
    def by(self) -> str:
        return f"{self.plugin.name!r} of {self.plugin.distribution!r}"


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

        Sources, and what is known to be broken, may be given as well.

        Of two that have or offer the same name the first stays and the second is broken.
        """
        found = list(installed_sources()) if installed else []
        return cls([own_source(), *found, *extra_sources(extra)])

    @property
    def broken(self) -> list[BrokenPlugin]:
        """What has been found broken so far."""
        return list(self._broken)

    def agent(self, name: str) -> Agent:
        """Return the agent of this name. Raises UnknownAgent."""
        return cast(Agent, self._agent(name).value)

    def model(self, name: str) -> Model:
        """Return the back end with the longest prefix of the model's name. Raises UnknownModel."""
        return cast(Model, self._model(name).value)

    def permissions(self, name: str, options: Mapping[str, Any]) -> set[Permissions]:
        """Return what an agent can be held to with these options: everything, where it does not say.

        Raises UnknownAgent, and AdapterBroken.
        """
        offer = self._agent(name)
        try:
            told = offers.permissions_told(offer.value, options)
        except (Exception, SystemExit) as error:
            owner = f"agent {name!r}, which is offered by {offer.by},"
            fault = f"raised {last_line(error)} in permissions_with"
            raise AdapterBroken(owner, fault, raised_at(error)) from error
        return set(get_args(Permissions)) if told is None else told

    async def run_agent(self, name: str, task: AgentTask, emit: Emit) -> AgentResult:
        """Let an agent do a task. Raises what it raises, and AdapterBroken."""
        offer = self._agent(name)
        owner = f"agent {name!r}, which is offered by {offer.by},"
        return await held(offer.value.run, task, emit, AgentResult, owner)

    async def call_model(self, call: ModelCall, emit: Emit) -> ModelResult:
        """Let the back end of a model answer. Raises what it raises, and AdapterBroken."""
        offer = self._model(call.model)
        owner = f"the back end of {call.model!r}, which is offered by {offer.by},"
        return await held(offer.value.call, call, emit, ModelResult, owner)

    def _agent(self, name: str) -> _Offer:
        agents = self._offered("holdfast_agents")
        if name not in agents:
            raise UnknownAgent(name, agents, map(str, self._broken))
        return agents[name]

    def _model(self, name: str) -> _Offer:
        models = self._offered("holdfast_models")
        prefixes = [prefix for prefix in models if name.startswith(prefix)]
        if not prefixes:
            raise UnknownModel(name, models, map(str, self._broken))
        return models[max(prefixes, key=len)]

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
            except (Exception, SystemExit) as error:
                reason, where = last_line(error), raised_at(error)
                raise self._redaction_failed(plugin, reason, where) from error
            if not isinstance(redacted, str):
                reason = f"holdfast_redact returned {type(redacted).__name__}, not str"
                raise self._redaction_failed(plugin, reason, plugin.line_of("holdfast_redact"))
            text = redacted
        return text

    def observe(self, record: Record, state: State, load: Callable[[Value], bytes]) -> None:
        """Show the record, and the run as it is by then, to every observer.

        `load` returns the bytes of a value, wherever it lies.
        """
        for plugin in self._observers:
            try:
                plugin.call("holdfast_event", record=record, state=state, load=load)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - it may not stop a run
                self._report(plugin, last_line(error), raised_at(error))

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
        return rows + [
            PluginRow(b.name, b.distribution, "", [], [], b.reason, b.where) for b in self.broken
        ]

    def _add(self, source: Source | BrokenPlugin) -> None:
        plugin = source if isinstance(source, BrokenPlugin) else load(source)
        if isinstance(plugin, BrokenPlugin):
            self._broken[plugin] = None
        elif plugin.name in self._loaded:
            first = self._loaded[plugin.name].distribution
            self._report(
                plugin, f"a plugin of {first!r} has the same name and is used, not this one"
            )
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
        line = plugin.line_of(hook)
        try:
            good, faults = offers.check(hook, plugin.call(hook))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it may import and do anything
            self._report(plugin, last_line(error), raised_at(error) or line)
            return
        for fault in faults:
            self._report(plugin, fault.reason, fault.where or line)
        for name, value in good.items():
            if name in found:
                reason = f"{hook} offers {name!r}, and so does {found[name].by}, which is used"
                self._report(plugin, reason, line)
            else:
                found[name] = _Offer(plugin, value)

    def _report(self, plugin: Loaded, reason: str, where: str = "") -> None:
        self._broken[BrokenPlugin(plugin.name, plugin.distribution, reason, where)] = None

    def _redaction_failed(self, plugin: Loaded, reason: str, where: str) -> RedactionFailed:
        self._report(plugin, reason, where)
        return RedactionFailed(plugin.name, plugin.distribution, reason)
