"""The conformance kit: what Holdfast relies on in every plugin, bundled or not. One line tests it all:

    test_conforms = conformance(MyAgent, works="say hi", hangs="sleep for an hour")

makes one pytest test for each rule. `check_agent`, `check_model`, `check_sandbox`, `check_tool` and
`check_plugin` check every rule at once, and can be called by any program. A rule that is broken raises AssertionError, which says how.
"""

from .agents import AGENT_RULES
from .conformance import check_agent, check_model, check_plugin, check_sandbox, conformance
from .kit import Rule, agent_task
from .models import MODEL_RULES
from .plugin import PLUGIN_RULES
from .records import sample_records
from .sandboxes import SANDBOX_RULES
from .tools import check_tool

__all__ = [
    "AGENT_RULES",
    "MODEL_RULES",
    "PLUGIN_RULES",
    "SANDBOX_RULES",
    "Rule",
    "agent_task",
    "check_agent",
    "check_model",
    "check_plugin",
    "check_sandbox",
    "check_tool",
    "conformance",
    "sample_records",
]
