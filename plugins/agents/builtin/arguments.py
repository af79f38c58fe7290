"""A tool from an async function and the struct of its arguments."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from ...types import Permissions, Tool, ToolSetting

A = TypeVar("A", bound=msgspec.Struct)


def tool(
    description: str,
    arguments: type[A],
    function: Callable[[A, ToolSetting], Awaitable[str]],
    *,
    needs: Permissions,
    effect: bool,
) -> Tool:
    """Return a tool whose schema is that of the struct; arguments that do not fit it are refused."""

    async def run(given: dict[str, Any], setting: ToolSetting) -> str:
        return await function(msgspec.convert(given, arguments), setting)

    return Tool(
        description=description,
        schema=flat_schema(arguments),
        run=run,
        needs=needs,
        effect=effect,
        confinable=True,
    )


def flat_schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a struct, without a name and a reference to it."""
    _, components = msgspec.json.schema_components([arguments])
    schema: dict[str, Any] = dict(components[arguments.__name__])
    schema.pop("title", None)
    schema.pop("description", None)
    return schema
