"""A project that is served over HTTP by this process, on a real socket, and who calls it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import jsonschema
import pytest
import trio

from holdfast.cli.place import Place
from holdfast.cli.tools import tools
from holdfast.engine import Engine
from holdfast.eventlog import Log
from holdfast.project import Project
from holdfast.servers import only_server
from holdfast.serving import Server
from holdfast.web import Address
from holdfast.web.hosting import Hosting
from holdfast.web.openapi import description
from holdfast.web.routes import ROOT
from tests.mcp.conftest import folder

__all__ = ["folder"]  # a fixture here as well

LOOPBACK = Address("127.0.0.1", 0)


class Site(NamedTuple):
    """A served project. `await site("GET", "/runs")` calls it, and checks the answer's shape."""

    client: httpx.AsyncClient
    log: Log
    url: str
    token: str
    hosting: Hosting
    news: Callable[[], trio.Event]

    async def __call__(self, method: str, path: str, /, **body: Any) -> dict[str, Any]:
        told = await self.tell(method, path, **body)
        assert told.status_code < 300, told.text
        check(method, told)
        return told.json()

    async def refused(self, method: str, path: str, /, **body: Any) -> tuple[int, str]:
        """Call for something that is refused, and return the status and the error's code."""
        told = await self.tell(method, path, **body)
        assert told.status_code >= 400, told.text
        assert told.json()["error"]["message"]
        return told.status_code, told.json()["error"]["code"]

    async def tell(self, method: str, path: str, /, **body: Any) -> httpx.Response:
        if method == "POST":
            return await self.client.post(ROOT + path, json=body)
        return await self.client.get(ROOT + path, params=body)

    @asynccontextmanager
    async def stream(
        self, last: int | None = None, path: str = f"{ROOT}/events", **query: Any
    ) -> AsyncGenerator["Lines"]:
        """Open a stream of events, after the last one that was seen, and give its lines."""
        seen = "" if last is None else f"Last-Event-ID: {last}\r\n"
        head = f"GET {path}?{urlencode(query)} HTTP/1.0\r\n{seen}"  # so not in chunks
        head += f"Host: {self.hosting.address.names[0]}\r\nAuthorization: Bearer {self.token}"
        async with await trio.open_tcp_stream(*self.hosting.address) as stream:
            await stream.send_all(f"{head}\r\n\r\n".encode())
            lines = Lines(stream)
            assert " 200 " in await anext(lines)
            yield lines


class Lines(AsyncIterator[str]):
    """The lines of an answer, until it ends; httpx leaves generators behind where one stops before."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream, self._rest = stream, b""

    async def __anext__(self) -> str:
        while b"\n" not in self._rest:
            piece = await self._stream.receive_some()
            if not piece:
                raise StopAsyncIteration
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode().rstrip("\r")


def check(method: str, told: httpx.Response) -> None:
    """Hold an answer against what the description promises of it."""
    described = description()
    operation = operation_at(described, method, told.url.raw_path.decode().partition("?")[0])
    schema = operation["responses"][str(told.status_code)]["content"]["application/json"]["schema"]
    jsonschema.validate(told.json(), {**schema, "components": described["components"]})


def operation_at(described: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Return the operation whose path fits best: the one with the most words of its own."""
    fits = [
        (template.count("/") - template.count("{"), operations[method.lower()])
        for template, operations in described["paths"].items()
        if method.lower() in operations and _fits(template.split("/"), path.split("/"))
    ]
    return max(fits, key=lambda fit: fit[0])[1]


def _fits(template: list[str], path: list[str]) -> bool:
    if not template or not path:
        return template == path
    if template[0].startswith("{"):
        return len(template) == 1 or _fits(template[1:], path[1:])
    return template[0] == path[0] and _fits(template[1:], path[1:])


@asynccontextmanager
async def serving() -> AsyncGenerator[Site]:
    """Serve the project in the working directory within this process."""
    project = Project.find()
    kit = tools(project)
    hosting = Hosting.open(LOOPBACK, project.home)
    token = (project.home / "http-token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    with project.open_log(create=True) as log, only_server(log.path):
        engine = Engine(log, kit.plugins, kit.load, linger_s=0, serves=True)
        async with engine, trio.open_nursery() as nursery:
            url = hosting.address.url
            async with (
                httpx.AsyncClient(base_url=url, headers=headers, timeout=None) as client,
                hosting.serving(engine, Place(), kit, nursery),
            ):
                nursery.start_soon(Server(engine, lambda happening: None).run)
                yield Site(client, log, url, token, hosting, engine.news)
            nursery.cancel_scope.cancel()


@pytest.fixture
async def site(folder: Path) -> AsyncGenerator[Site]:
    async with serving() as site:
        yield site
