"""Who can do the work: hook specifications, what is installed, and every bundled adapter."""

from holdfast.eventlog import Usage

from .errors import (
    AdapterBroken,
    BadOptions,
    CommandTooLong,
    Crashed,
    MissingBinary,
    MissingFolder,
    NoOutput,
    NotLoggedIn,
    OutputInvalid,
    PluginError,
    RateLimited,
    RedactionFailed,
    Refused,
    SessionLost,
    StillRunning,
    UnknownAgent,
    UnknownModel,
    WorkError,
)
from .hooks import HOOKS_VERSION, hookimpl
from .loading import BrokenPlugin
from .manager import PluginRow, Plugins
from .marks import MARK, nested
from .offers import ready
from .types import (
    Agent,
    AgentResult,
    AgentTask,
    Emit,
    Message,
    Model,
    ModelCall,
    ModelResult,
    Permissions,
    Progress,
    Readiness,
)

__all__ = [
    "HOOKS_VERSION",
    "MARK",
    "AdapterBroken",
    "Agent",
    "AgentResult",
    "AgentTask",
    "BadOptions",
    "BrokenPlugin",
    "CommandTooLong",
    "Crashed",
    "Emit",
    "Message",
    "MissingBinary",
    "MissingFolder",
    "Model",
    "ModelCall",
    "ModelResult",
    "NoOutput",
    "NotLoggedIn",
    "OutputInvalid",
    "Permissions",
    "PluginError",
    "PluginRow",
    "Plugins",
    "Progress",
    "RateLimited",
    "Readiness",
    "RedactionFailed",
    "Refused",
    "SessionLost",
    "StillRunning",
    "UnknownAgent",
    "UnknownModel",
    "Usage",
    "WorkError",
    "hookimpl",
    "nested",
    "ready",
]
