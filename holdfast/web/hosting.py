"""Listening on loopback with Hypercorn, on the trio loop that executes the runs, until that is to end."""

import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import trio
from hypercorn.config import Config
from hypercorn.trio import serve  # pyright: ignore[reportUnknownVariableType]

from holdfast.cli.place import Place
from holdfast.cli.tools import Loaded
from holdfast.engine import Engine
from holdfast.mcp.desk import Desk, Kit

from .address import Address
from .app import make_app
from .errors import AddressTaken
from .secret import Secret
from .surface import Surface
from .token import Token

GRACE_S = 1.0  # for answers that are being made when the server is to end
STALLED_MS = 10_000  # after which a client that takes in nothing is left


class Hosting:
    """An open socket and who may call: made before anything else begins, so that what is wrong is told at once.

    Without a token, nothing but the pages is served.
    """

    def __init__(self, token: Token | None, listener: socket.socket) -> None:
        self.token, self.secret, self._listener = token, Secret(), listener
        self.address = Address(*listener.getsockname()[:2])

    @classmethod
    def open(cls, address: Address, home: Path) -> Self:
        """Take the address for all there is. Raises AddressTaken, TokenUnsafe."""
        token = Token.of(home)
        return cls(token, _listen(address))

    @classmethod
    def for_pages(cls, address: Address) -> Self:
        """Take the address for the pages alone. Raises AddressTaken."""
        return cls(None, _listen(address))

    @property
    def pages_url(self) -> str:
        """Where the pages begin: who has this may call them."""
        return f"{self.address.url}{self.secret.root}/"

    def close(self) -> None:
        """Let the address go where nobody ever served at it."""
        self._listener.close()

    @asynccontextmanager
    async def serving(
        self, engine: Engine, place: Place, tools: Loaded, nursery: trio.Nursery
    ) -> AsyncGenerator[None]:
        """Serve what an engine executes, in a nursery meanwhile."""
        desk = Desk(place, log=engine.log, kit=Kit(*tools[:3]), news=engine.news)
        async with self.showing(desk, engine.news, nursery):
            yield

    @asynccontextmanager
    async def showing(
        self, desk: Desk, news: Callable[[], trio.Event], nursery: trio.Nursery
    ) -> AsyncGenerator[None]:
        """Serve a desk in a nursery meanwhile; then end the open streams, and what else there is after a moment.

        What cancels the body does not cancel this: the audience of a run sees how it is let go.
        """
        surface = Surface(desk, self.address, self.token, self.secret, news, trio.Event())
        descriptor = self._listener.detach()
        ended = trio.Event()
        await nursery.start(_host, surface, descriptor, ended)
        os.set_inheritable(descriptor, False)  # Hypercorn lets all children have it
        try:
            yield
        finally:
            surface.stopping.set()
            with trio.CancelScope(shield=True):
                await ended.wait()


async def _host(
    surface: Surface,
    descriptor: int,
    ended: trio.Event,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    app: Any = make_app(surface)  # each library has types of its own for the same calls
    config, stop = _config(descriptor), surface.stopping.wait
    try:
        await serve(app, config, shutdown_trigger=stop, task_status=task_status, mode="asgi")
    finally:
        ended.set()


def _listen(address: Address) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if address.is_v6 else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if timeout := getattr(socket, "TCP_USER_TIMEOUT", None):
            listener.setsockopt(socket.IPPROTO_TCP, timeout, STALLED_MS)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise AddressTaken(address.names[0], error.strerror or str(error)) from error
    return listener


def _config(descriptor: int) -> Config:
    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = GRACE_S
    config.include_server_header = False
    return config
