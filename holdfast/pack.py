"""The workflows that come with Holdfast, offered through the same hook as anybody's."""

from collections.abc import Mapping

from holdfast.plugins import hookimpl


@hookimpl
def holdfast_workflows() -> Mapping[str, str]:
    return {
        "implement": "holdfast.workflows.implement:implement",
        "kanban": "holdfast.workflows.kanban:kanban",
    }
