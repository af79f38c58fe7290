"""A model call of a workflow in the words of the model's adapter, and the adapter's answer as its result."""

import functools
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from holdfast.plugins import (
    BadOptions,
    Message,
    ModelCall,
    ModelResult,
    OutputInvalid,
    ToolCall,
    ToolOffer,
)
from holdfast.reducer import (
    ModelAsk,
    Reply,
    Said,
    Step,
    StepRequest,
    ToolResult,
    ToolSpec,
    ToolUse,
    answer_of,
    fingerprint,
)


def model_call(call: ModelAsk, request: StepRequest, step: Step) -> ModelCall:
    """Return what is asked; after an answer that did not fit, with the reason. Raises BadOptions."""
    for tool in call.tools:
        _validator(tool.name, json.dumps(tool.schema))
    return ModelCall(
        model=call.model,
        messages=[*(_message(said, call.model) for said in call.messages), *_asked_again(step)],
        schema=fingerprint.schema(answer_of(request.output)),
        params=call.params,
        tools=[ToolOffer(tool.name, tool.description, tool.schema) for tool in call.tools],
    )


def _asked_again(step: Step) -> Iterator[Message]:
    error = step.error
    if error is None or error.code != "output_invalid":
        return
    if error.detail:
        yield Message("assistant", error.detail)
    yield Message("user", f"This does not fit: {error.message}\nAnswer again.")


def _message(said: Said, model: str) -> Message:
    match said:
        case Reply(text=text, calls=uses):
            ours = said.model == model  # another provider takes what is not its own for nonsense
            calls = [_sent_back(use, ours=ours) for use in uses]
            return Message("assistant", text, calls, extra=said.extra if ours else {})
        case ToolResult(id=id, content=content):
            return Message("tool", content, call_id=id)
        case (role, content):
            return Message(role, content)


def _sent_back(use: ToolUse, *, ours: bool) -> ToolCall:
    arguments = msgspec.json.encode(use.arguments).decode()
    return ToolCall(use.id, use.name, arguments, use.extra if ours else {})


# --- the answer --------------------------------------------------------------------------------------


def reply(call: ModelAsk, output: type[Reply], result: ModelResult) -> Reply:
    """Return what a model with tools said, as the type that the workflow knows. Raises OutputInvalid."""
    try:
        said = {
            "text": result.text,
            "calls": [*_uses(call, result.calls)],
            "output": None if result.calls else result.output,
            "model": call.model,
            "extra": result.extra,
        }
        return msgspec.convert(said, output, str_keys=True)
    except ValueError as error:  # msgspec's, and our own
        wanted = "".join(f"\nYou called {c.name}({c.arguments[:1000]})" for c in result.calls)
        raise OutputInvalid(
            f"{error}{wanted}",
            detail="" if result.calls else result.text,
            usage=result.usage,
        ) from error


def _uses(call: ModelAsk, calls: Iterable[ToolCall]) -> Iterator[dict[str, Any]]:
    from holdfast.plugins.agents.builtin.conversation import with_ids

    tools = {tool.name: tool for tool in call.tools}
    turn = sum(isinstance(said, Reply) for said in call.messages)
    for each in with_ids([*calls], turn):
        if each.name not in tools:
            known = ", ".join(tools)
            raise ValueError(f"there is no tool {each.name!r}; there are: {known}")
        arguments = _arguments(each, tools[each.name])
        yield {"id": each.id, "name": each.name, "arguments": arguments, "extra": each.extra}


def _arguments(call: ToolCall, tool: ToolSpec) -> Any:
    try:
        given = json.loads(call.arguments or "{}")
    except ValueError as error:
        raise ValueError(f"the arguments of {call.name!r} are not JSON: {error}") from error
    validator = _validator(tool.name, json.dumps(tool.schema))
    for fault in validator.iter_errors(given):
        place = "".join(f"[{part!r}]" for part in fault.absolute_path)
        raise ValueError(f"the arguments of {call.name!r} do not fit{place}: {fault.message}")
    return given


@functools.lru_cache(maxsize=256)
def _validator(name: str, schema: str) -> Any:
    """Return what checks arguments against a schema, which looks up nothing outside of it."""
    jsonschema = importlib.import_module("jsonschema")
    registry = importlib.import_module("referencing").Registry()
    given: Mapping[str, Any] = json.loads(schema)
    kind = jsonschema.Draft202012Validator
    try:
        kind.check_schema(given)
    except jsonschema.SchemaError as error:
        raise BadOptions(
            f"the parameters of the tool {name!r} are no JSON Schema: {error.message}. Mend them in "
            "the workflow."
        ) from error
    return kind(given, registry=registry)
