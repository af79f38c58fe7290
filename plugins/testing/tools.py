"""The rules for a tool, with arguments that it takes: what a model reads of it, and what it returns."""

from collections.abc import Mapping
from typing import Any

import msgspec
import trio

from ..offers import check_tool as check_offered
from ..types import Tool, ToolSetting
from . import kit
from .kit import require


def check_tool(tool: Tool, *, works: Mapping[str, Any], setting: ToolSetting) -> str:
    """Check a tool with arguments that it takes; return what a model would read."""
    reason = check_offered(tool)
    require(not reason, reason)
    try:
        msgspec.json.encode(tool.schema)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"its schema is not plain data: {error}") from error
    unknown = works.keys() - tool.schema.get("properties", works).keys()
    require(not unknown, f"its schema has no {sorted(unknown)}, which it was called with")
    result = trio.run(_call, tool, dict(works), setting)
    require(isinstance(result, str), f"it returned {result!r}, not a text")  # pyright: ignore[reportUnnecessaryIsInstance]
    return result


async def _call(tool: Tool, given: dict[str, Any], setting: ToolSetting) -> str:
    with trio.move_on_after(kit.TASK_LIMIT_S):
        return await tool.run(given, setting)
    raise AssertionError(f"it has not ended after {kit.TASK_LIMIT_S} s")
