"""A model back end: calls over HTTP, with trio, to a server that speaks of its own kind of JSON."""

from .shared import COMMANDS, PYPROJECT, Files

PLUGIN = '''\
"""What this package offers to Holdfast."""

from collections.abc import Mapping

from holdfast.plugins import Model, hookimpl

from .model import ${Class}

HOLDFAST_HOOKS = 1


@hookimpl
def holdfast_models() -> Mapping[str, Model]:
    """Answer for every model whose name begins so: run.model(..., model="$name/large")."""
    return {"$name/": ${Class}()}
'''

MODEL = '''\
"""Models of $name, over HTTP."""

import os
import time
from typing import Any

import httpx
import msgspec
from holdfast.plugins import (
    BadOptions,
    Crashed,
    Emit,
    ModelCall,
    ModelResult,
    NoOutput,
    NotLoggedIn,
    OutputInvalid,
    Progress,
    RateLimited,
    Readiness,
    Refused,
    Usage,
)

TIMEOUT_S = 600


class Answer(msgspec.Struct):
    """What the server says. Change it to what yours says; fields that are not named are ignored."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0


class ${Class}:
    """Posts a call to the server at $$${VARIABLE}_URL, with the key $$${VARIABLE}_API_KEY.

    `transport` stands in for the network in tests.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        """Ask once. Holdfast tries again, waits and gives up, as the error says that it should."""
        if call.tools:
            raise BadOptions("models of $name know no tools: leave out tools=, or choose another model")
        try:
            # A client for each call: trio cancels it, and then nothing is left open.
            async with httpx.AsyncClient(transport=self._transport, timeout=TIMEOUT_S) as client:
                response = await client.post(_url(), headers=_headers(), json=_request(call))
        except httpx.HTTPError as error:
            raise Crashed(f"$name cannot be reached: {error!r}") from error
        _raise_for(response)
        answer = _read(response)
        usage = Usage(answer.input_tokens, answer.output_tokens)
        if not answer.text.strip():
            raise NoOutput(f"{call.model!r} answered with nothing", usage=usage)
        emit(Progress("text", answer.text))
        return ModelResult(text=answer.text, output=_data(call, answer.text, usage), usage=usage)

    def readiness(self) -> Readiness:
        """Say whether it can be used here, without calling anybody."""
        if "${VARIABLE}_API_KEY" in os.environ:
            return Readiness(True, _url())
        return Readiness(False, "set ${VARIABLE}_API_KEY to use it")


def _url() -> str:
    return os.environ.get("${VARIABLE}_URL", "http://localhost:8080/answer")


def _headers() -> dict[str, str]:
    return {"authorization": f"Bearer {os.environ.get('${VARIABLE}_API_KEY', '')}"}


def _request(call: ModelCall) -> dict[str, Any]:
    model = call.model.removeprefix("$name/")
    messages = [{"role": message.role, "content": message.content} for message in call.messages]
    return {"model": model, "messages": messages, "schema": call.schema, **call.params}


def _raise_for(response: httpx.Response) -> None:
    """Raise the error that tells Holdfast what to do next."""
    said = f"$name answered {response.status_code}: {response.text[:300]}"
    match response.status_code:
        case 401 | 403:
            raise NotLoggedIn(f"{said}. Set ${VARIABLE}_API_KEY to a key that is good")
        case 429:
            wait_s = float(response.headers.get("retry-after", "0"))
            until = time.time_ns() + int(wait_s * 1e9) if wait_s else 0
            raise RateLimited(said, until=until)
        case status if 400 <= status < 500:
            raise Refused(said)
        case status if status >= 500:
            raise Crashed(said)


def _read(response: httpx.Response) -> Answer:
    try:
        return msgspec.json.decode(response.content, type=Answer)
    except msgspec.DecodeError as error:
        raise Crashed(f"$name answered what cannot be read: {error}") from error


def _data(call: ModelCall, text: str, usage: Usage) -> Any:
    if call.schema is None:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise OutputInvalid(f"that is no JSON: {error}", detail=text, usage=usage) from error
'''

TEST = '''\
"""The back end, with a server that does what each test needs."""

import json

import httpx
import trio
from holdfast.plugins.testing import conformance

from $package import plugin
from $package.model import ${Class}


def said(text: str) -> httpx.Response:
    """What the server says when all is well."""
    return httpx.Response(200, json={"text": text, "input_tokens": 3, "output_tokens": 1})


async def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the prompt says."""
    match json.loads(request.content)["messages"][-1]["content"]:
        case "hang":
            await trio.sleep_forever()
        case "limit":
            return httpx.Response(429, headers={"retry-after": "7"})
        case "fail":
            return httpx.Response(500, text="out of order")
        case "say nothing":
            return said("")
        case "say nonsense":
            return httpx.Response(200, text="<html>")
        case "say data":
            return said(json.dumps({"answer": "hello"}))
    return said("hello")


test_model_conforms = conformance(
    lambda: ${Class}(httpx.MockTransport(answer)),
    works="say hello",
    schema="say data",
    hangs="hang",
    limited="limit",
    empty="say nothing",
    fails="fail",
)
test_model_conforms_with_a_broken_server = conformance(
    lambda: ${Class}(httpx.MockTransport(answer)), fails="say nonsense"
)
test_plugin_conforms = conformance(plugin)
'''

README = f"""\
# $distribution

Models of `$name` for Holdfast.

{COMMANDS}
In a workflow: `await run.model("review", "Is this right?", model="$name/large")`. The key is
`${{VARIABLE}}_API_KEY`, the server `${{VARIABLE}}_URL`.

`src/$package/model.py` is the back end. Make it yours: what `_request` sends, what `Answer` reads, which
error each status means. The errors tell the engine whether to wait (`RateLimited`), to try again
(`Crashed`), to ask again with the reason (`OutputInvalid`), or to give up (`NotLoggedIn`, `Refused`).
"""

FILES: Files = {
    "pyproject.toml": PYPROJECT.replace('["holdfast"]', '["holdfast", "httpx>=0.28"]'),
    "src/$package/plugin.py": PLUGIN,
    "src/$package/model.py": MODEL,
    "tests/test_model.py": TEST,
    "README.md": README,
}
