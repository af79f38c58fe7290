"""Which verb is at which path. What is in the path is an argument of the verb; the others are in query or body."""

import re
from typing import NamedTuple

from holdfast.mcp.server import TOOLS
from holdfast.mcp.tool import Tool

ROOT = "/api/v1"
_FIELD = re.compile(r"{(\w+)(?::path)?}")


class Verb(NamedTuple):
    """A method and a path below ROOT, the tool that answers, and the status where it went well.

    A field that ends in `:path` may have slashes as they are; in the others they are sent as %2F.
    """

    method: str
    path: str
    tool: Tool
    status: int = 200

    @property
    def fields(self) -> list[str]:
        """The arguments that are in the path."""
        return _FIELD.findall(self.path)

    @property
    def template(self) -> str:
        """The whole path, as OpenAPI writes it."""
        return ROOT + _FIELD.sub(r"{\1}", self.path)


def _verbs(table: str) -> list[Verb]:
    rows = (line.split() for line in table.strip().splitlines())
    return [Verb(method, path, TOOLS[tool], *map(int, rest)) for method, path, tool, *rest in rows]


VERBS = _verbs("""
    GET   /workflows                     list_workflows
    GET   /workflows/{workflow:path}     describe_workflow
    GET   /runs                          list_runs
    POST  /workflows                     create_workflow
    POST  /dry-run                       dry_run
    POST  /runs                          run_workflow        201
    GET   /runs/{run}                    get_run
    GET   /runs/{run}/wait               wait_for_run
    GET   /runs/{run}/why                why
    GET   /runs/{run}/cost               cost
    GET   /runs/{run}/timeline           timeline
    GET   /runs/{run}/steps/{step:path}  get_step
    GET   /runs/{run}/files              files_at
    GET   /runs/{run}/tree               tree
    POST  /runs/{run}/resume             resume
    POST  /runs/{run}/decide             decide
    POST  /runs/{run}/signal             signal
    POST  /runs/{run}/cancel             cancel
    POST  /runs/{run}/pause              pause
    POST  /runs/{run}/unpause            unpause
    POST  /runs/{run}/fork               fork                201
    POST  /runs/{run}/rewind             rewind
    POST  /runs/{run}/retry              retry
    POST  /runs/{run}/plan               plan
    GET   /inbox                         inbox
    GET   /diff                          diff
    GET   /tree                          tree
    GET   /schedules                     list_schedules
    POST  /schedules                     schedule_workflow   201
    POST  /schedules/{schedule}          change_schedule
    GET   /docs                          docs
""")
EVENTS = f"{ROOT}/events"
OPENAPI = f"{ROOT}/openapi.json"
MCP = "/mcp"
