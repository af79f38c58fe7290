"""What went wrong with a model call, told from whatever litellm raised."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

from holdfast.reducer import SecretRules

from ..errors import Crashed, NotLoggedIn, PluginError, RateLimited, Refused, WorkError

RETRYABLE = {408, 409, 425}
OVERLOADED = {429, 503, 529}
NO_KEY = re.compile(
    r"missing credentials|missing .*api[_ ]key|api_key client option", re.IGNORECASE
)
NO_MONEY = re.compile(r"insufficient_quota|exceeded your current quota", re.IGNORECASE)
NO_PROVIDER = re.compile(r"LLM Provider NOT provided")
PREFIX = re.compile(r"^(litellm\.)?\w*(Error|Exception|Timeout)(:\s+|\s+-\s+)")
SUFFIX = re.compile(r"\.? Handle with `litellm\.\w+`\.?$")
LONGEST = 2000


def explain(error: Exception, model: str, params: Mapping[str, Any]) -> WorkError | PluginError:
    """Return the error that tells the engine what to do. It holds no secret of ours."""
    if isinstance(error, ModuleNotFoundError):
        return missing_package(error.name or str(error))
    raw = str(error)
    said = without_secrets(provider_text(raw), params)[:LONGEST]
    status = status_of(error)
    detail = f"{type(error).__name__} {status or ''}".strip()
    if NO_PROVIDER.search(raw):
        return Refused(
            f"no provider is known for the model {model!r}. Write it as provider/name, as in "
            "anthropic/claude-sonnet-4-5, or start it with openai/ and give api_base.",
            detail=detail,
        )
    if status in (401, 403) or NO_KEY.search(raw):
        return NotLoggedIn(
            f"{model!r} was not let in: {said}. Set {key_name(model)} in the environment to a "
            "key that is valid for this model.",
            detail=detail,
        )
    if status in OVERLOADED and not NO_MONEY.search(raw):
        return RateLimited(
            f"{model!r} is limited or overloaded ({status}): {said}. It is asked again later.",
            until=retry_at(error, now_ns=time.time_ns()),
            detail=detail,
        )
    if 400 <= status < 500 and status not in RETRYABLE:
        return Refused(
            f"{model!r} refused the request ({status}): {said}. "
            "Change the prompt, the model or its params, then retry.",
            detail=detail,
        )
    return Crashed(
        f"{model!r} did not answer ({status or type(error).__name__}): {said}. "
        "Check the provider's status and api_base, then retry.",
        detail=detail,
    )


def missing_package(name: str) -> PluginError:
    """Say how to get a package that litellm wants."""
    wanted = "litellm[mcp]" if name.partition(".")[0] in ("litellm", "mcp") else name
    return PluginError(
        f"model calls need the Python package {name!r}, which is not installed. "
        f"Install it with: pip install '{wanted}'"
    )


def status_of(error: Exception) -> int:
    """The HTTP status, 0 for none: the provider's own, since litellm turns 529 into 500."""
    statuses = [
        status
        for each in _chain(error)
        if isinstance(status := _attribute(each, "status_code"), int)
    ]
    return 529 if 529 in statuses else (statuses or [0])[0]


def provider_text(text: str) -> str:
    """What the provider said, without litellm's words around it."""
    while (shorter := SUFFIX.sub("", PREFIX.sub("", text))) != text:
        text = shorter
    start = text.find("{")
    try:
        told = json.JSONDecoder().raw_decode(text, start)[0] if start >= 0 else None
    except ValueError:
        told = None
    inner = cast(dict[str, Any], told).get("error") if isinstance(told, dict) else None
    message = cast(dict[str, Any], inner).get("message") if isinstance(inner, dict) else inner
    return (message if isinstance(message, str) else text).strip().rstrip(".")


def without_secrets(text: str, params: Mapping[str, Any]) -> str:
    """Blot out the call's own secrets, those of the environment, and what looks like one."""
    return SecretRules([*os.environ.items(), *params.items()]).text(text)


def retry_at(error: Exception, *, now_ns: int) -> int:
    """When the server wants to be asked again, in nanoseconds since 1970; 0 if it did not say."""
    headers = cast(Mapping[str, str], _attribute(error, "litellm_response_headers") or {})
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return now_ns + int(float(value) * 1e9)
    except ValueError:
        pass  # no number: the other form is an HTTP date
    try:
        return int(parsedate_to_datetime(value).timestamp()) * 10**9
    except ValueError:
        return 0


def key_name(model: str) -> str:
    """The environment variable in which most providers look for their key."""
    return f"{model.partition('/')[0].upper().replace('-', '_')}_API_KEY"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _attribute(error: BaseException, name: str) -> Any:
    return getattr(error, name, None)
