"""The MCP server: lists the tools, calls them, and tells what went wrong. It knows no tool."""

from collections.abc import Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from holdfast.cli.values import encoded
from holdfast.cli.words import version
from holdfast.eventlog import HoldfastError

from . import deciding, explaining, looking, reading, scheduling, starting, traveling, writing
from .desk import Desk, Visit
from .errors import NoSuchTool
from .tool import Tool, schema
from .using import defect_object, error_object, use

ALL = [
    *starting.TOOLS,
    *writing.TOOLS,
    *looking.TOOLS,
    *deciding.TOOLS,
    *traveling.TOOLS,
    *reading.TOOLS,
    *scheduling.TOOLS,
    *explaining.TOOLS,
]
TOOLS = {tool.name: tool for tool in ALL}
INSTRUCTIONS = """\
Holdfast runs workflows of coding agents durably. list_workflows and describe_workflow tell what can be run;
create_workflow checks and stores one that you wrote, dry_run shows what one would do;
run_workflow starts one in the background and returns its id; wait_for_run waits until it ends or needs
somebody. Every answer has `next`: the tool to call to go on, with its arguments. What a run waits for at a
gate is for a person to decide: show them the subject, then call decide with their name in `by`. Lists and
texts come in pages: give `next` as `start`. `cut` names what was shortened; get_step has it whole. docs explains
the rest, such as how to write a workflow."""

Context = ServerRequestContext[Any, Any]


def make_server(
    desk: Desk, env_of: Callable[[Context], Mapping[str, str]] | None = None
) -> Server[Any]:
    """Make the server of a project; `env_of` tells the environment that a call comes from."""

    async def list_tools(
        _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[described(tool) for tool in ALL])

    async def call_tool(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        visit = Visit.of(desk, client_of(ctx), env_of(ctx) if env_of else None)
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
        answer = await use(tool, visit, given)
    except HoldfastError as error:
        return _failed(error_object(error))
    except Exception as error:  # noqa: BLE001 - a defect of ours ends one call, and is told in full
        return _failed(defect_object(error))
    text = types.TextContent(type="text", text=encoded(answer).decode())
    return types.CallToolResult(content=[text], structured_content=answer)


def _failed(told: dict[str, Any]) -> types.CallToolResult:
    """Return an error as nothing but a text that is not JSON from its first letter.

    Gemini CLI and opencode hold all that is structured against the schema of the tool's answers, errors as
    well, and give the model nothing but that it does not fit. Gemini CLI does so with a text that is JSON.
    """
    text = types.TextContent(type="text", text=f"error: {encoded(told['error']).decode()}")
    return types.CallToolResult(content=[text], is_error=True)


async def serve_stdio(desk: Desk) -> None:
    """Serve one client over standard input and output, until it leaves."""
    server = make_server(desk)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
