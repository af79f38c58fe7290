"""New plugin packages: what `holdfast plugins new` writes."""

from .errors import BadPluginName, FolderExists, ScaffoldUnwritable
from .write import KINDS, NewPlugin, write_plugin

__all__ = [
    "KINDS",
    "BadPluginName",
    "FolderExists",
    "NewPlugin",
    "ScaffoldUnwritable",
    "write_plugin",
]
