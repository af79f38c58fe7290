"""The rules for model back ends. A case is a call; a rule whose case is not given is left out."""

from collections.abc import Callable

import msgspec
import trio

from ..errors import NoOutput, RateLimited, WorkError
from ..types import Emit, Message, Model, ModelCall, ModelResult, Progress
from .kit import (
    Rule,
    cancelled,
    check_data,
    check_protocol,
    check_readiness,
    check_result,
    check_text,
    expect,
    require,
    require_plain,
    watched,
)

Make = Callable[[], Model]


def _protocol(make: Make) -> None:
    check_protocol(make(), "call")


def _readiness(make: Make) -> None:
    check_readiness(make())


async def ask(make: Make, call: ModelCall) -> tuple[ModelResult, list[Progress]]:
    """Return the result of a call and what was shown, both sound."""
    model = make()

    async def answer(emit: Emit) -> ModelResult:
        return await model.call(call, emit)

    result, shown = await watched(answer)
    check_result(result, ModelResult)
    return result, shown


def _works(make: Make, call: ModelCall) -> ModelResult:
    result, _ = trio.run(ask, make, call)
    (check_text if call.schema is None else check_data)(result)
    return result


def _shows(make: Make, call: ModelCall) -> None:
    _, shown = trio.run(ask, make, call)
    require(bool(shown), "it answered and showed nothing: call emit(Progress('text', ...))")


def _schema(make: Make, call: ModelCall) -> None:
    require(call.schema is not None, "the case 'schema' is a call without a schema")
    result, _ = trio.run(ask, make, call)
    check_data(result)


def _tools(make: Make, call: ModelCall) -> None:
    require(bool(call.tools), "the case 'tools' is a call without tools")
    result, _ = trio.run(ask, make, call)
    require(bool(result.calls), "it was to call a tool, and there are no calls in the result")
    offered = [tool.name for tool in call.tools]
    for each in result.calls:
        require(each.name in offered, f"it called {each.name!r}, and was offered {offered}")
        require_plain(each.extra, "the extra of a call")
    require_plain(result.extra, "the extra of the result")
    said = Message("assistant", result.text, result.calls, extra=result.extra)
    told = [Message("tool", "done", call_id=each.id) for each in result.calls]
    trio.run(ask, make, msgspec.structs.replace(call, messages=[*call.messages, said, *told]))


def _hangs(make: Make, call: ModelCall) -> None:
    trio.run(_cancel, make, call)


async def _cancel(make: Make, call: ModelCall) -> None:
    model = make()
    await cancelled(lambda emit: model.call(call, emit))


def _fails_with(error: type[WorkError]) -> Callable[[Make, ModelCall], None]:
    def check(make: Make, call: ModelCall) -> None:
        trio.run(_expect, make, call, error)

    return check


async def _expect(make: Make, call: ModelCall, error: type[WorkError]) -> None:
    model = make()
    await expect(error, lambda emit: model.call(call, emit))


MODEL_RULES = (
    Rule("has-its-methods", _protocol),
    Rule("tells-its-readiness", _readiness),
    Rule("works", _works, ("works",)),
    Rule("shows-what-it-says", _shows, ("works",)),
    Rule("answers-with-data", _schema, ("schema",)),
    Rule("calls-tools-and-reads-results", _tools, ("tools",)),
    Rule("is-cancelled", _hangs, ("hangs",)),
    Rule("names-a-rate-limit", _fails_with(RateLimited), ("limited",)),
    Rule("names-an-empty-answer", _fails_with(NoOutput), ("empty",)),
    Rule("names-a-failure", _fails_with(WorkError), ("fails",)),
)
"""In this order; each is one test."""
