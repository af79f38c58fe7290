"""Any provider's model through litellm, which is imported on the first call and lives beside trio.

Answers in words are streamed, so that they are seen as they come. Data comes whole, and so does what
OpenAI's Responses say: litellm gives their streams a shape of its own, and warns of it.
"""

import importlib
import importlib.metadata
import logging
import os
import threading
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from holdfast.eventlog import HoldfastError, Usage

from ..errors import Crashed, NoOutput, OutputInvalid, Refused
from ..types import Emit, ModelCall, ModelResult, Progress, Readiness, Stop
from .failures import explain, missing_package
from .json_output import in_words, parse, response_format
from .messages import calls_of, extra_of, wire_message, wire_tool
from .streaming import Lines, Say, gather

if TYPE_CHECKING:
    from .asyncio_thread import AsyncioThread

# Without these it asks the network for prices, and reads a .env that the user did not mean for us.
ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
}
LOGGERS = ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router")
TIMEOUT_S = 600.0
SHOWN = 300  # characters of an answer in an error

_loading = threading.Lock()


class LitellmModel:
    """Every model that litellm knows, named provider/model. It keeps nothing between calls."""

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        """Ask once: the engine decides about another attempt."""
        lines = Lines(emit)
        try:
            answer = await _answer(call, lines.say)
        finally:
            lines.close()
        result = read(answer, call)
        if not is_streamed(call) and result.text:
            emit(Progress("text", result.text))
        return result

    def readiness(self) -> Readiness:
        """Tell the version from the installed metadata: importing takes seconds."""
        if package := lacking():
            return Readiness(False, str(missing_package(package)))
        return Readiness(True, f"litellm {importlib.metadata.version('litellm')}")


async def _answer(call: ModelCall, say: Say) -> Any:
    import asyncio

    try:
        return await loop_thread().run(partial(_ask, call, say))
    except HoldfastError:
        raise
    except asyncio.CancelledError:
        failure: Exception = Crashed(f"litellm dropped the call of {call.model!r}. Retry it.")
    except Exception as error:  # noqa: BLE001 - litellm raises all kinds, not only its own
        failure = explain(error, call.model, call.params)
    raise failure  # out here, so that the original, which may quote a key, is not chained to it


async def _ask(call: ModelCall, say: Say) -> Any:
    """Runs under asyncio."""
    import asyncio

    litellm = await asyncio.to_thread(load)
    asked = arguments(litellm, call)
    if asked["stream"]:
        return await gather(litellm, asked, say)
    return await litellm.acompletion(**asked)


def is_streamed(call: ModelCall) -> bool:
    """Whether the answer is shown as it comes; the param stream=False forbids it."""
    plain = call.schema is None and "/responses/" not in call.model
    return plain and call.params.get("stream") is not False


@cache
def loop_thread() -> "AsyncioThread":
    """One for all back ends: litellm's clients belong to the loop that they were made in."""
    from .asyncio_thread import AsyncioThread

    return AsyncioThread("holdfast-litellm")


def lacking() -> str:
    """The first package that is needed and not installed, or nothing."""
    for package in ("litellm", "mcp"):  # litellm's calls with tools end badly without mcp
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return package
    return ""


@cache
def load() -> Any:
    """Import litellm, offline and quiet. It takes seconds: call it in a worker thread."""
    with _loading:
        if package := lacking():
            raise missing_package(package)
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        litellm: Any = importlib.import_module("litellm")
        litellm.suppress_debug_info = True
        for logger in map(logging.getLogger, LOGGERS):
            logger.handlers[:] = [logging.NullHandler()]
        return litellm


def arguments(litellm: Any, call: ModelCall) -> dict[str, Any]:
    """What `acompletion` is called with. Retrying is the engine's, so there is none in here."""
    messages = [wire_message(each) for each in call.messages]
    wanted: dict[str, Any] = {"tools": [*map(wire_tool, call.tools)]} if call.tools else {}
    streamed = is_streamed(call)
    if streamed:
        wanted["stream_options"] = {"include_usage": True}
    if call.schema is not None:
        supported = litellm.get_supported_openai_params(call.model)
        # Where litellm makes a tool of the schema, a model would be held to that one and call no other.
        if not call.tools and (supported is None or "response_format" in supported):
            wanted["response_format"] = response_format(call.schema)
        else:
            messages.insert(0, {"role": "system", "content": in_words(call.schema)})
    fixed = {"model": call.model, "messages": messages, "num_retries": 0, "max_retries": 0}
    return (
        {"timeout": TIMEOUT_S} | cached(call) | call.params | wanted | fixed | {"stream": streamed}
    )


def cached(call: ModelCall) -> dict[str, Any]:
    """Let a conversation with tools, which is sent again and again, be paid in full only once.

    Anthropic wants to be told where; others do it by themselves. Their params may say otherwise.
    """
    if not call.tools or not call.model.startswith("anthropic/"):
        return {}
    points = [{"location": "message", "role": "system"}, {"location": "message", "index": -1}]
    return {"cache_control_injection_points": points}


def read(answer: Any, call: ModelCall) -> ModelResult:
    """Take the text, the data and the price out of litellm's answer."""
    choice, usage = answer.choices[0], usage_of(answer)
    text: str = choice.message.content or ""
    calls = calls_of(choice.message) if call.tools else []
    if choice.finish_reason == "content_filter":
        raise Refused(
            f"{call.model!r} declined to answer: {text[:SHOWN] or 'it gave no reason'}. "
            "Change the prompt or the model.",
            usage=usage,
        )
    if not text.strip() and not calls:
        raise NoOutput(
            f"{call.model!r} answered with no text (it stopped for {choice.finish_reason!r}). "
            "Ask again, or raise max_tokens.",
            usage=usage,
        )
    stop: Stop = "length" if choice.finish_reason == "length" else "calls" if calls else "end"
    if call.schema is None or calls:
        extra = extra_of(choice.message) if call.tools else {}
        return ModelResult(text=text, usage=usage, calls=calls, stop=stop, extra=extra)
    try:
        output = parse(text, call.schema)
    except ValueError as error:
        cut = choice.finish_reason == "length"
        raise OutputInvalid(
            f"{call.model!r} was asked for JSON and said {text[:SHOWN]!r}"
            + (", cut off at its token limit: raise max_tokens." if cut else f" ({error}).")
            + " Answer with JSON alone.",
            detail=text,
            usage=usage,
        ) from None
    return ModelResult(text=text, output=output, usage=usage, stop=stop)


def usage_of(answer: Any) -> Usage:
    """Tokens and money. A model that has no known price costs 0.0."""
    used = answer.usage
    details = getattr(used, "prompt_tokens_details", None)
    return Usage(
        input_tokens=used.prompt_tokens,
        output_tokens=used.completion_tokens,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
        # What completion_cost() computed on the way; calling it again raises for unknown models.
        cost_usd=getattr(answer, "_hidden_params", {}).get("response_cost") or 0.0,
    )
