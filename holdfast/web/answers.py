"""Answers and errors as HTTP has them: JSON, never kept by anybody, never shown by a browser as a page."""

from typing import Any

from starlette.responses import Response

from holdfast.cli.values import encoded
from holdfast.eventlog import HoldfastError
from holdfast.mcp.using import defect_object, error_object

from .statuses import status_of

HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}


def answer(found: Any, status: int = 200) -> Response:
    """Return an answer."""
    return Response(encoded(found) + b"\n", status, HEADERS, "application/json")


def failed(error: HoldfastError) -> Response:
    """Return an error as an answer."""
    response = answer(error_object(error), status_of(error))
    if response.status_code == 401:
        response.headers["www-authenticate"] = 'Bearer realm="holdfast"'
    return response


def broken(error: Exception) -> Response:
    """Return a defect of ours as an answer."""
    return answer(defect_object(error), 500)
