"""Which page is where, and what becomes of an error."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from holdfast.eventlog import HoldfastError
from holdfast.mcp.using import defect_object

from ..errors import NoSuchPage
from ..stream import follow
from ..surface import Surface
from . import doing, showing
from .call import HEADERS, Call
from .rendering import static

Page = Callable[[Call], Awaitable[Response]]

PAGES: dict[str, Page] = {
    "/": showing.runs,
    "/run": showing.run,
    "/timeline": showing.timeline,
    "/step": showing.step,
    "/files": showing.files,
    "/tree": showing.tree,
    "/diff": showing.diff,
    "/rewind": showing.rewind,
    "/cancel": showing.cancel,
}
KINDS = {"web.css": "text/css", "web.js": "text/javascript"}


def make_pages(surface: Surface) -> ASGIApp:
    """Make the application of the pages; it is called with what of the path is below the secret."""

    def told(page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return await _told(page, Call(surface, request))

        return answer

    async def no_page(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException), "that is what it is registered for"
        answer = await Call(surface, request).failed(NoSuchPage(request.scope["path"]))
        answer.status_code = error.status_code  # 405 where only the method is wrong
        return answer

    async def events(call: Call) -> Response:
        return await follow(surface, call.request)

    routes = [Route(path, told(page), methods=["GET"]) for path, page in PAGES.items()]
    routes += [Route("/do/{deed}", told(doing.do), methods=["POST"])]
    routes += [Route("/events", told(events), methods=["GET"])]
    routes += [Route(f"/{name}", _static(name), methods=["GET"]) for name in KINDS]
    app = Starlette(routes=routes, exception_handlers={HTTPException: no_page})
    app.router.redirect_slashes = False
    return app


async def _told(page: Page, call: Call) -> Response:
    """Make a page of an error; a defect of ours ends one call."""
    try:
        return await page(call)
    except HoldfastError as error:
        return await call.failed(error)
    except Exception as error:  # noqa: BLE001 - told in full
        told = defect_object(error)["error"]
        return await call.page("error.html", 500, **told, back=None)


def _static(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return Response(static(name), 200, HEADERS, KINDS[name])

    return answer
