"""How a workspace comes back to the branch that its run works on."""

from collections.abc import Awaitable, Callable

from holdfast import Conflict, Merged, Workspace
from holdfast.workflows.kanban import FAILURES

Settle = Callable[[Conflict], Awaitable[Merged | Conflict]]


async def bring_in(ws: Workspace, message: str, settle: Settle | None = None) -> str:
    """Merge a workspace; `settle` sees to what is in conflict. Return why it is not merged, or nothing."""
    try:
        found = await ws.merge(message=message)
        if isinstance(found, Conflict) and settle:
            found = await settle(found)
    except FAILURES as failure:
        return str(failure)
    if isinstance(found, Conflict):
        files = ", ".join(file.path for file in found.files)
        return f"It is in conflict with what was merged before: {files}"
    return ""
