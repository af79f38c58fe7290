"""What the HTTP side stands on: the project, who may call, and what tells that something happened."""

from collections.abc import Callable
from typing import Any, NamedTuple

import trio
from starlette.requests import Request

from holdfast.cli.place import user
from holdfast.mcp.calls import ToolPlace
from holdfast.mcp.desk import Desk, Visit

from .address import Address
from .callers import Caller
from .secret import Secret
from .token import Token


class Surface(NamedTuple):
    """One server's; without a token it has nothing but the pages that lie below the secret.

    `news` returns what is set at the next event; `stopping` is set when it is to end.
    """

    desk: Desk
    address: Address
    token: Token | None
    secret: Secret
    news: Callable[[], trio.Event]
    stopping: trio.Event


class WebPlace(ToolPlace):
    """The project as who holds the token sees it: in the name of the user whose server it is."""

    @property
    def actor(self) -> str:
        return f"web:{self.client}"


def visit_of(desk: Desk, request: Request) -> Visit:
    """Return the visit that a call is."""
    return Visit(desk, WebPlace(desk.place.home, user()), caller_of(request))


def caller_of(request: Request) -> Caller:
    """Return who is at the other end of a call's connection."""
    client, server = request.scope["client"], request.scope["server"]
    return Caller(_end(client), _end(server))


def _end(end: Any) -> tuple[str, int]:
    return str(end[0]), int(end[1])
