"""Who may call: programs that have the token, by the server's own name, and no page of another site.

A browser sends a page's calls to this machine as readily as anybody's. So a name that is not the server's
(which a hostile name server can make lead here), another origin and a missing token each end a call here,
before any of it is read; and nothing ever allows another site to read an answer. For the pages of the debugger
the secret in their path stands for the token, since people follow links to them.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import failed
from .errors import BodyTooLarge, ForeignHost, ForeignOrigin, NoSuchPage, NotForYou, TokenMissing
from .secret import Secret
from .token import Token

MOST_BYTES = 4 << 20
FRIENDLY_SITES = ("", "none", "same-origin")


class Guard:
    """Lets through what may call the server at one of `names`: its pages, and its `app` where it has a token."""

    def __init__(
        self,
        app: ASGIApp,
        pages: ASGIApp,
        names: Sequence[str],
        token: Token | None,
        secret: Secret,
    ) -> None:
        self._app, self._pages, self._names = app, pages, names
        self._token, self._secret = token, secret

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
        # Routes see the path as it was sent, so that a run's name may have a slash in it, as %2F.
        path = scope["raw_path"].decode("ascii", errors="replace")
        page = self._secret.below(path)
        try:
            self._check_site(headers, is_followed=page is not None and scope["method"] == "GET")
            if page is None:
                self._check_token(headers, path)
            size = headers.get("content-length", "0")
            if not size.isdecimal() or int(size) > MOST_BYTES:
                raise BodyTooLarge(MOST_BYTES)
        except (NotForYou, NoSuchPage, BodyTooLarge) as error:
            await failed(error)(scope, receive, send)
        else:
            app = self._app if page is None else self._pages
            await app({**scope, "path": page or path}, _bounded(receive), send)

    def _check_site(self, headers: Headers, *, is_followed: bool) -> None:
        """Refuse other names and other sites; a link to a page may be followed from anywhere."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._names:
            raise ForeignHost(", ".join(hosts), self._names[0])
        origin = headers.get("origin", "")
        if origin and origin.lower() != f"http://{hosts[0].lower()}":
            raise ForeignOrigin(origin)
        site = headers.get("sec-fetch-site", "")
        if site not in FRIENDLY_SITES and not (is_followed and _is_followed(headers)):
            raise ForeignOrigin(origin or site)

    def _check_token(self, headers: Headers, path: str) -> None:
        if self._token is None:
            raise NoSuchPage(path)
        words = headers.getlist("authorization")
        if len(words) != 1 or not self._token.is_in(words[0]):
            raise TokenMissing(str(self._token.path))


def _is_followed(headers: Headers) -> bool:
    """Tell whether a browser says that it opens this as a page of its own, in no frame of another."""
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == (
        "navigate",
        "document",
    )


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
