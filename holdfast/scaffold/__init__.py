"""New plugin packages and workflows: what `plugins new`, `new` and the tool `create_workflow` write."""

from .errors import (
    BadPluginName,
    BadWorkflowName,
    FolderExists,
    ScaffoldUnwritable,
    WorkflowExists,
)
from .flows import checked_name, copied, starter, store
from .write import KINDS, NewPlugin, write_plugin

__all__ = [
    "KINDS",
    "BadPluginName",
    "BadWorkflowName",
    "FolderExists",
    "NewPlugin",
    "ScaffoldUnwritable",
    "WorkflowExists",
    "checked_name",
    "copied",
    "starter",
    "store",
    "write_plugin",
]
