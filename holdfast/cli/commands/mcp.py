"""`holdfast mcp`."""

import click

from ..place import Place


@click.command()
@click.pass_obj
def mcp(place: Place) -> None:
    """Serve the project's runs to a coding agent, as tools over MCP on standard input and output.

    It ends when the agent does. Runs that it started go on.
    """
    import os

    import trio

    from holdfast.insiders import surroundings
    from holdfast.mcp import Desk, serve_stdio

    os.environ.update(surroundings())  # also for the runs that it starts
    trio.run(serve_stdio, Desk(place))
