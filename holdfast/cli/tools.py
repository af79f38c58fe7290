"""The plugins and workflows of a project: what the commands that execute runs need."""

import os
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, Protocol

from msgspec.structs import asdict

from holdfast import pack
from holdfast.config import Config, read_config
from holdfast.loading import Loader
from holdfast.plugins import Plugins
from holdfast.plugins.notifications import Notifications, Target, notifications
from holdfast.plugins.telemetry import telemetry
from holdfast.project import Project
from holdfast.reducer import Workflow


class Tools(Protocol):
    """What executes runs: the plugins, what finds a workflow by its reference, the project's settings."""

    @property
    def plugins(self) -> Plugins: ...

    @property
    def load(self) -> Callable[[str], Workflow]: ...

    @property
    def config(self) -> Config: ...


class Loaded(NamedTuple):
    """The tools of a project."""

    plugins: Plugins
    load: Loader
    config: Config
    notifier: Notifications | None = None


class _Lazy:
    """Loads the plugins when they are first needed: most forks need no workflow's code at all."""

    def __init__(self, project: Project) -> None:
        self._project = project

    @cached_property
    def _loaded(self) -> Loaded:
        return tools(self._project)

    @property
    def plugins(self) -> Plugins:
        return self._loaded.plugins

    def load(self, reference: str) -> Workflow:
        return self._loaded.load(reference)

    @property
    def config(self) -> Config:
        return self._config

    @cached_property
    def _config(self) -> Config:
        return read_config(self._project.root)


def lazily(project: Project) -> Tools:
    """Return the tools of a project, loaded when they are first needed."""
    return _Lazy(project)


def tools(project: Project) -> Loaded:
    """Load the plugins: the bundled ones, the installed ones, and the shipped workflows."""
    config = read_config(project.root)
    spans = telemetry(config.telemetry.opentelemetry, os.environ)
    program = ("holdfast", "--home", str(project.home))
    notes = notifications(targets(config, project), project.home, os.environ, program)
    plugins = Plugins.load(pack, *spans, *notes.sources)
    loader = Loader(plugins.workflows(), project.workflows)
    return Loaded(plugins, loader, config, notes.plugin)


def targets(config: Config, project: Project) -> list[Target]:
    """Return where notifications of the project go."""
    folder = str(project.root)
    return [Target(**asdict(to), folder=folder) for to in config.notify]
