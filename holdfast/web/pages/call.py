"""One call of a page: what was asked, the tools in the name of who calls, and the page that answers."""

from typing import Any
from urllib.parse import parse_qs

import trio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.cli.place import user
from holdfast.eventlog import HoldfastError
from holdfast.mcp.server import TOOLS
from holdfast.mcp.using import error_object, use

from ..statuses import status_of
from ..surface import Surface, visit_of
from .frame import FRAME
from .links import Links
from .rendering import environment

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Not no-referrer: with that, browsers hide also from us that a form comes from a page of ours.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
OWN_TOOLS = {FRAME.name: FRAME}


class Call:
    """A call. What the address says is text; the tools check it as they do that of the API."""

    def __init__(self, surface: Surface, request: Request) -> None:
        self.surface, self.request, self.link = surface, request, Links(surface.secret.root)

    def given(self, *names: str) -> dict[str, str]:
        """Return what the address has of these names; what was left empty in a form is not there."""
        found = self.request.query_params
        return {name: found[name] for name in names if found.get(name)}

    async def typed(self) -> dict[str, str]:
        """Return what was typed into a form."""
        body = (await self.request.body()).decode(errors="replace")
        return {name: values[-1] for name, values in parse_qs(body).items()}

    async def use(self, tool: str, **given: Any) -> dict[str, Any]:
        """Return what a tool answers. Raises what it raises."""
        visit = visit_of(self.surface.desk, self.request)
        asked = {name: value for name, value in given.items() if value is not None}
        return await use(OWN_TOOLS.get(tool) or TOOLS[tool], visit, asked)

    async def newest(self) -> int:
        """Return the place of the last event, so that a page hears of all that comes after it was made."""
        with self.surface.desk.log() as log:
            return await trio.to_thread.run_sync(log.size) - 1

    async def page(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """Answer with a page; with `live`, the last event that it knows of, it shows by itself what comes.

        With `live_run` that is what comes in this run and in those that it started.
        """
        place = self.surface.desk.place
        about = {
            "command": place.command,
            "link": self.link,
            "live": None,
            "live_run": None,
            "project": place.project().root.name,
            "user": user(),
        }
        shown = environment().get_template(template)
        html = await trio.to_thread.run_sync(lambda: shown.render({**about, **values}))
        return Response(html, status, HEADERS, "text/html")

    async def failed(self, error: HoldfastError) -> Response:
        told = error_object(error)["error"]
        back = self.request.query_params.get("run")
        return await self.page("error.html", status_of(error), **told, back=back)

    def elsewhere(self, page: str, **query: Any) -> Response:
        """Send the browser on, after something was done, so that reading the page again does it not again."""
        return RedirectResponse(self.link(page, **query), 303, HEADERS)
