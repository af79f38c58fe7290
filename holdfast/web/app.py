"""The whole of it as one ASGI application: the API, the stream, the description, MCP, the pages; behind the guard."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from holdfast.eventlog import HoldfastError
from holdfast.mcp.server import Context, make_server

from . import api
from .answers import answer, broken, failed
from .callers import Caller
from .errors import NoSuchRoute
from .guard import Guard
from .openapi import description
from .pages import make_pages
from .routes import EVENTS, MCP, OPENAPI, ROOT, VERBS, Verb
from .stream import follow
from .surface import Surface, caller_of, visit_of

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(surface: Surface) -> ASGIApp:
    """Make the application of a project's server."""
    sessions = StreamableHTTPSessionManager(make_server(surface.desk, _caller))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with sessions.run():
            yield

    routes = [
        Route(ROOT + verb.path, _told(_verb(surface, verb)), methods=[verb.method])
        for verb in VERBS
    ]
    routes += [
        Route(EVENTS, _told(_events(surface)), methods=["GET"]),
        Route(OPENAPI, _told(_described), methods=["GET"]),
        Route(MCP, StreamableHTTPASGIApp(sessions)),
    ]
    handlers = {HTTPException: _no_route, HoldfastError: _refused}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, make_pages(surface), surface.address.names, surface.token, surface.secret)


def _caller(context: Context) -> Caller:
    return caller_of(cast(Request, context.request))  # which it has, for it came over HTTP


def _told(endpoint: Endpoint) -> Endpoint:
    """Make answers of an endpoint's errors; a defect of ours ends one call."""

    async def call(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HoldfastError as error:
            return failed(error)
        except Exception as error:  # noqa: BLE001 - told in full
            return broken(error)

    return call


def _verb(surface: Surface, verb: Verb) -> Endpoint:
    async def call(request: Request) -> Response:
        return await api.call(verb, visit_of(surface.desk, request), request)

    return call


def _events(surface: Surface) -> Endpoint:
    async def events(request: Request) -> Response:
        return await follow(surface, request)

    return events


async def _described(_: Request) -> Response:
    return answer(description())


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HoldfastError), "that is what it is registered for"
    return failed(error)  # of what the guard says while a body is read


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "that is what it is registered for"
    response = failed(NoSuchRoute(request.method, request.url.path))
    response.status_code = error.status_code  # 405 where only the method is wrong
    response.headers.update(error.headers or {})
    return response
