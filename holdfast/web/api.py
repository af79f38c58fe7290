"""The verbs as an HTTP API: one endpoint for all of them, for each tool knows what it takes and gives."""

from typing import Any
from urllib.parse import unquote

import msgspec
import trio
from msgspec.inspect import ListType, Metadata, StructType, Type, type_info
from starlette.requests import Request
from starlette.responses import Response

from holdfast.mcp.desk import Visit
from holdfast.mcp.errors import BadArguments
from holdfast.mcp.tool import Tool
from holdfast.mcp.using import use

from .answers import answer
from .errors import BodyNotJson
from .routes import Verb


async def call(verb: Verb, visit: Visit, request: Request) -> Response:
    """Answer a call of a verb. Raises what its tool raises."""
    in_path = {name: unquote(text) for name, text in request.path_params.items()}
    given = query(verb.tool, request) if verb.method == "GET" else await _body(request)
    for name in in_path.keys() & given.keys():
        raise BadArguments(verb.tool.name, f"{name!r} is in the path already", "it once")
    return answer(await use(verb.tool, visit, {**in_path, **given}), verb.status)


def query(tool: Tool, request: Request) -> dict[str, Any]:
    """Return the query's fields; one that takes several values has a list of them."""
    several = lists(tool)
    given = dict[str, Any]()
    for name, text in request.query_params.multi_items():
        if name in several:
            given.setdefault(name, []).append(text)
        elif name in given:
            raise BadArguments(tool.name, f"{name!r} is given twice", "it once")
        else:
            given[name] = text
    return given


def lists(tool: Tool) -> set[str]:
    """Return the arguments that are lists."""
    kind = type_info(tool.asked)
    assert isinstance(kind, StructType), "arguments are a struct"
    return {field.name for field in kind.fields if isinstance(_bare(field.type), ListType)}


def _bare(kind: Type) -> Type:
    return _bare(kind.type) if isinstance(kind, Metadata) else kind


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object that a call brings; an empty one where it brings nothing."""
    body = await request.body()
    if not body:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise BodyNotJson(f"its Content-Type is {kind!r}")
    try:
        return await trio.to_thread.run_sync(lambda: msgspec.json.decode(body, type=dict[str, Any]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BodyNotJson(str(error)) from error
