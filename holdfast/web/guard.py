"""Who may call: programs that have the token, by the server's own name, and no page of another site.

A browser sends a page's calls to this machine as readily as anybody's. So a name that is not the server's
(which a hostile name server can make lead here), another origin and a missing token each end a call here,
before any of it is read; and nothing ever allows another site to read an answer.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import failed
from .errors import BodyTooLarge, ForeignHost, ForeignOrigin, NotForYou, TokenMissing
from .token import Token

MOST_BYTES = 4 << 20
FRIENDLY_SITES = ("", "none", "same-origin")


class Guard:
    """Lets through what may call `app`, the server at one of `names`."""

    def __init__(self, app: ASGIApp, names: Sequence[str], token: Token) -> None:
        self._app, self._names, self._token = app, names, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            assert scope["type"] == "websocket", "a server calls for nothing else"
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check(headers)
            size = headers.get("content-length", "0")
            if not size.isdecimal() or int(size) > MOST_BYTES:
                raise BodyTooLarge(MOST_BYTES)
        except (NotForYou, BodyTooLarge) as error:
            await failed(error)(scope, receive, send)
        else:
            # Routes see the path as it was sent, so that a run's name may have a slash in it, as %2F.
            path = scope["raw_path"].decode("ascii", errors="replace")
            await self._app({**scope, "path": path}, _bounded(receive), send)

    def _check(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._names:
            raise ForeignHost(", ".join(hosts), self._names[0])
        origin = headers.get("origin", "")
        if origin and origin.lower() != f"http://{hosts[0].lower()}":
            raise ForeignOrigin(origin)
        if (site := headers.get("sec-fetch-site", "")) not in FRIENDLY_SITES:
            raise ForeignOrigin(origin or site)
        words = headers.getlist("authorization")
        if len(words) != 1 or not self._token.is_in(words[0]):
            raise TokenMissing(str(self._token.path))


def _bounded(receive: Receive) -> Receive:
    """Let no more than the bound be read of a body, whatever its header says."""
    size = 0

    async def read() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BYTES:
            raise BodyTooLarge(MOST_BYTES)
        return message

    return read
