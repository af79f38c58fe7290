"""The MCP server: what the command line does, as tools for coding agents. Imported when it is used."""

from .desk import Desk
from .server import make_server, serve_stdio

__all__ = ["Desk", "make_server", "serve_stdio"]
