"""A conversation with tools in the words of the OpenAI protocol, which litellm translates."""

import json
from collections.abc import Iterable
from typing import Any

from ..types import Message, ToolCall, ToolOffer

Json = dict[str, Any]


def wire_message(message: Message) -> Json:
    """Return a message as litellm takes it."""
    wire: Json = {"role": message.role, "content": message.content}
    if message.role == "tool":
        wire["tool_call_id"] = message.call_id
    if message.calls:
        wire["content"] = message.content or None  # providers refuse an empty text beside calls
        wire["tool_calls"] = [_wire_call(call) for call in message.calls]
    return wire | message.extra


def _wire_call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": _sent_back(call.arguments)}
    return {"id": call.id, "type": "function", "function": function, **call.extra}


def _sent_back(arguments: str) -> str:
    """Return arguments that every provider's translation can read, also where they are no JSON."""
    try:
        json.loads(arguments)
    except ValueError:
        return json.dumps({"not_json": arguments})
    return arguments


def wire_tool(tool: ToolOffer) -> Json:
    """Return the offer of a tool."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    return {"type": "function", "function": function}


def calls_of(message: Any) -> list[ToolCall]:
    """Take the calls out of litellm's message."""
    found: Iterable[Any] = getattr(message, "tool_calls", None) or ()
    return [
        ToolCall(call.id, call.function.name or "", call.function.arguments or "{}", _extra(call))
        for call in found
    ]


def extra_of(message: Any) -> Json:
    """Return what a provider wants back with the message: its signed thoughts."""
    names = ("thinking_blocks", "reasoning_content")
    return {name: value for name in names if (value := getattr(message, name, None))}


def _extra(call: Any) -> Json:
    fields = getattr(call, "provider_specific_fields", None)
    return {"provider_specific_fields": dict(fields)} if fields else {}
