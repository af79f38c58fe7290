"""Webhooks: a POST of JSON, signed as the Standard Webhooks specification says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, version 1.0.0:
the headers `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature` ("v1," and the base64 of an
HMAC-SHA256 over "id.timestamp.body"). The secret is base64 after the prefix "whsec_". The id is the same
for every try, the timestamp is that of the try.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .failures import Undelivered
from .messages import Message

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

POST_S = 10.0
PREFIX = "whsec_"
LONGEST_WAIT_S = 3600.0  # however long a server asks for


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for. Raises ValueError."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if not key:
        raise ValueError("it is empty")
    return key


def fault_of_secret(name: str, environ: Mapping[str, str]) -> str:
    """Say what is wrong with the secret in an environment variable; nothing where it can be used."""
    secret = environ.get(name, "")
    if not secret:
        return f"the environment has no {name}, with which to sign"
    try:
        key_of(secret)
    except ValueError as error:
        return f"{name} is no secret of Standard Webhooks, {PREFIX!r} and base64: {error}"
    return ""


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    signed = f"{id}.{timestamp}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def post(url: str, message: Message, secret: str, now: float) -> None:
    """Send a message, signed where there is a secret. Raises Undelivered."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    body = message.body()
    headers = {
        "content-type": "application/json",
        "user-agent": "holdfast",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now)),
    }
    if secret:
        headers["webhook-signature"] = sign(secret, message.id, int(now), body)
    try:
        request = Request(url, body, headers, method="POST")
        with _opener().open(request, timeout=POST_S):
            return
    except HTTPError as error:
        with error:
            raise _refused(error.code, error.headers.get("retry-after", "")) from error
    except ValueError as error:
        raise Undelivered(str(error), again=False) from error
    except (OSError, HTTPException) as error:
        raise Undelivered(f"{type(error).__name__}: {error}", again=True) from error


def _opener() -> "OpenerDirector":
    from urllib.request import HTTPRedirectHandler, build_opener

    class Stay(HTTPRedirectHandler):
        """A POST that is sent elsewhere as a GET would tell nobody anything."""

        def redirect_request(self, *args: Any, **options: Any) -> None:
            return None

    return build_opener(Stay)


def _refused(status: int, retry_after: str) -> Undelivered:
    again = status in (408, 425, 429) or status >= 500
    wait = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    return Undelivered(f"it answered {status}", again=again, after_s=min(wait, LONGEST_WAIT_S))
