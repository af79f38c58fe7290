"""The plugins and workflows of a project: what the commands that execute runs need."""

from typing import NamedTuple

from holdfast import pack
from holdfast.loading import Loader
from holdfast.plugins import Plugins
from holdfast.project import Project


class Tools(NamedTuple):
    plugins: Plugins
    load: Loader


def tools(project: Project) -> Tools:
    """Load the plugins: the bundled ones, the installed ones, and the shipped workflows."""
    plugins = Plugins.load(pack)
    return Tools(plugins, Loader(plugins.workflows(), project.workflows))
