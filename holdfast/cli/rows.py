"""A run at a glance, as data: what listings know without reading a history."""

from typing import Any

from holdfast.eventlog import Failure, Log, RunRow, RunSucceeded, Usage, owner_alive

from .values import shown
from .words import rfc3339


def row_object(log: Log, row: RunRow) -> dict[str, Any]:
    """Return a line of `ps`, without reading the run's history."""
    failed = Failure(row.error_code, row.error_message) if row.error_code else None
    return {
        "run": row.run,
        "workflow": row.workflow,
        "status": row.status,
        "output": _output(log, row),
        "error": error_object(failed),
        "offset": row.head,
        "waiting": list(row.waiting),
        "paused": row.paused,
        "started": rfc3339(row.started),
        "updated": rfc3339(row.updated),
        "folder": row.folder,
        "parent": row.parent_run or None,
        "owner_alive": is_alive(log, row),
    }


def _output(log: Log, row: RunRow) -> Any:
    """Return the output of a run that succeeded: it is in the last event."""
    if row.status != "succeeded":
        return None
    for record in log.records(row.branch, row.head - 1):
        if isinstance(record.event, RunSucceeded):
            return shown(log, record.event.output)
    return None


def is_alive(log: Log, row: RunRow) -> bool:
    """Tell whether a living process executes the run."""
    return bool(row.owner) and owner_alive(log.path, row.owner)


def error_object(error: Failure | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "type": error.type,
        "detail": error.detail,
    }


def usage_object(usage: Usage | None) -> dict[str, Any]:
    usage = usage or Usage()
    return {name: getattr(usage, name) for name in usage.__struct_fields__}
