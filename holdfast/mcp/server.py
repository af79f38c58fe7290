"""The MCP server: lists the tools, calls them, and tells what went wrong. It knows no tool."""

import traceback
from functools import partial
from typing import Any

import mcp_types as types
import trio
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from holdfast.cli.values import encoded
from holdfast.cli.words import printable, shortened, version
from holdfast.eventlog import HoldfastError

from . import deciding, explaining, looking, reading, starting, traveling, writing
from .bounds import bounded
from .calls import call_in
from .desk import Desk, Visit
from .errors import NoSuchTool
from .tool import Tool, schema

ALL = [
    *starting.TOOLS,
    *writing.TOOLS,
    *looking.TOOLS,
    *deciding.TOOLS,
    *traveling.TOOLS,
    *reading.TOOLS,
    *explaining.TOOLS,
]
TOOLS = {tool.name: tool for tool in ALL}
LONGEST_ERROR = 4000
INSTRUCTIONS = """\
Holdfast runs workflows of coding agents durably. list_workflows and describe_workflow tell what can be run;
create_workflow checks and stores one that you wrote, dry_run shows what one would do;
run_workflow starts one in the background and returns its id; wait_for_run waits until it ends or needs
somebody. Every answer has `next`: the tool to call to go on, with its arguments. What a run waits for at a
gate is for a person to decide: show them the subject, then call decide with their name in `by`. Lists and
texts come in pages: give `next` as `start`. `cut` names what was shortened; get_step has it whole. docs explains
the rest, such as how to write a workflow."""

Context = ServerRequestContext[Any, Any]


def make_server(desk: Desk) -> Server[Any]:
    """Make the server of a project."""

    async def list_tools(
        _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[described(tool) for tool in ALL])

    async def call_tool(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        visit = Visit.of(desk, client_of(ctx))
        return await answered(visit, params.name, params.arguments or {})

    return Server(
        "holdfast",
        version=version(),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def described(tool: Tool) -> types.Tool:
    """Return a tool as clients list it."""
    reads = tool.effect == "reads"
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=schema(tool.asked),
        output_schema=schema(tool.answer),
        annotations=types.ToolAnnotations(
            read_only_hint=reads,
            destructive_hint=tool.effect == "destroys",
            idempotent_hint=reads,
            open_world_hint=not reads,
        ),
    )


def client_of(ctx: Context) -> str:
    """Return the name that the client gave itself."""
    params = ctx.session.client_params
    return params.client_info.name if params is not None else ""


async def answered(visit: Visit, name: str, given: dict[str, Any]) -> types.CallToolResult:
    """Call a tool and return its answer, or the error with its code and what to do next."""
    try:
        tool = TOOLS.get(name)
        if tool is None:
            raise NoSuchTool(name, list(TOOLS))
        answer = await _called(tool, visit, given)
    except HoldfastError as error:
        return _failed(error.code, str(error))
    except Exception as error:  # noqa: BLE001 - a defect of ours ends one call, and is told in full
        trace = "".join(traceback.format_exception(error))
        return _failed(
            "internal", f"{error!r}. This is a defect of Holdfast: please report it. {trace}"
        )
    return _result(answer)


async def _called(tool: Tool, visit: Visit, given: dict[str, Any]) -> dict[str, Any]:
    asked = tool.arguments(given)
    if tool.wait is not None:
        found = await tool.wait(visit, asked)
    else:
        assert tool.handle is not None, "a tool does something"
        found = await trio.to_thread.run_sync(partial(tool.handle, visit, asked))
    return await trio.to_thread.run_sync(partial(bounded, found))


def _result(answer: dict[str, Any], *, is_error: bool = False) -> types.CallToolResult:
    text = types.TextContent(type="text", text=encoded(answer).decode())
    return types.CallToolResult(content=[text], structured_content=answer, is_error=is_error)


def _failed(code: str, message: str) -> types.CallToolResult:
    told = {"code": code, "message": shortened(printable(message), LONGEST_ERROR)}
    return _result({"error": {**told, "next": call_in(message)}}, is_error=True)


async def serve_stdio(desk: Desk) -> None:
    """Serve one client over standard input and output, until it leaves."""
    server = make_server(desk)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
