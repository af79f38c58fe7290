"""A scripted model's answer in the words of four protocols: as one body, and as a stream of events."""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.model_request import Json, Request
from tests.support.model_script import Call, Reply


def sse(data: Json, *, named: bool = False) -> bytes:
    head = f"event: {data['type']}\n" if named else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def pieces(text: str, size: int = 24) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


class Anthropic:
    """POST /v1/messages"""

    def body(self, request: Request, reply: Reply) -> Json:
        blocks: list[Json] = [{"type": "text", "text": reply.text}] if reply.text else []
        for call in reply.calls:
            blocks.append(
                {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
            )
        stops = {"length": "max_tokens", "refusal": "refusal"}
        return {
            "id": f"msg_{request.turn}",
            "type": "message",
            "role": "assistant",
            "model": request.model,
            "content": blocks,
            "stop_reason": stops.get(reply.stop, "tool_use" if reply.calls else "end_turn"),
            "stop_sequence": None,
            "usage": {
                "input_tokens": reply.usage["input"],
                "output_tokens": reply.usage["output"],
                "cache_read_input_tokens": reply.usage["cached"],
                "cache_creation_input_tokens": 0,
            },
        }

    def events(self, request: Request, reply: Reply) -> Iterator[bytes]:
        whole = self.body(request, reply)
        start = whole | {"content": [], "stop_reason": None}
        yield sse({"type": "message_start", "message": start}, named=True)
        for index, block in enumerate(whole["content"]):
            at: Json = {"index": index}
            if block["type"] == "text":
                empty, parts = block | {"text": ""}, pieces(block["text"])
                deltas: list[Json] = [{"type": "text_delta", "text": part} for part in parts]
            else:
                empty, parts = block | {"input": {}}, pieces(json.dumps(block["input"]))
                deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
            yield sse({"type": "content_block_start", **at, "content_block": empty}, named=True)
            for delta in deltas:
                yield sse({"type": "content_block_delta", **at, "delta": delta}, named=True)
            yield sse({"type": "content_block_stop", **at}, named=True)
        ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield sse({"type": "message_delta", "delta": ended, "usage": whole["usage"]}, named=True)
        yield sse({"type": "message_stop"}, named=True)

    def error(self, status: int, message: str) -> Json:
        kinds = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
        kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}


class Chat:
    """POST /v1/chat/completions"""

    def body(self, request: Request, reply: Reply) -> Json:
        message: Json = {"role": "assistant", "content": reply.text or None}
        if reply.calls:
            message["tool_calls"] = [self._call(call) for call in reply.calls]
        stops = {"length": "length", "refusal": "content_filter"}
        finish = stops.get(reply.stop, "tool_calls" if reply.calls else "stop")
        return {
            **self._head(request, "chat.completion"),
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": self._usage(reply),
        }

    def events(self, request: Request, reply: Reply) -> Iterator[bytes]:
        head = self._head(request, "chat.completion.chunk")
        finish = self.body(request, reply)["choices"][0]["finish_reason"]
        deltas: list[Json] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": part} for part in pieces(reply.text)]
        for index, call in enumerate(reply.calls):
            deltas.append({"tool_calls": [{"index": index, **self._call(call)}]})
        for delta in deltas:
            yield sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        yield sse({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if (request.body.get("stream_options") or {}).get("include_usage"):
            yield sse({**head, "choices": [], "usage": self._usage(reply)})
        yield b"data: [DONE]\n\n"

    def error(self, status: int, message: str) -> Json:
        kind = "invalid_request_error" if status < 500 else "server_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def _head(self, request: Request, kind: str) -> Json:
        name = f"chatcmpl-{request.turn}"
        return {"id": name, "object": kind, "created": 0, "model": request.model}

    def _call(self, call: Call) -> Json:
        function = {"name": call.name, "arguments": call.arguments}
        return {"id": call.id, "type": "function", "function": function}

    def _usage(self, reply: Reply) -> Json:
        used = reply.usage
        return {
            "prompt_tokens": used["input"],
            "completion_tokens": used["output"],
            "total_tokens": used["input"] + used["output"],
            "prompt_tokens_details": {"cached_tokens": used["cached"]},
        }


class Responses(Chat):
    """POST /v1/responses"""

    def body(self, request: Request, reply: Reply) -> Json:
        return self._response(request, reply, self._items(request, reply), "completed")

    def events(self, request: Request, reply: Reply) -> Iterator[bytes]:
        numbers = iter(range(10**9))

        def event(kind: str, **fields: Any) -> bytes:
            data = {"type": f"response.{kind}", "sequence_number": next(numbers), **fields}
            return sse(data, named=True)

        items = self._items(request, reply)
        for kind in ("created", "in_progress"):
            yield event(kind, response=self._response(request, reply, [], "in_progress"))
        for index, item in enumerate(items):
            at: Json = {"item_id": item["id"], "output_index": index}
            opened = item | {"status": "in_progress"}
            if item["type"] == "message":
                part, empty = item["content"][0], item["content"][0] | {"text": ""}
                at["content_index"] = 0
                yield event("output_item.added", output_index=index, item=opened | {"content": []})
                yield event("content_part.added", **at, part=empty)
                for piece in pieces(reply.text):
                    yield event("output_text.delta", **at, delta=piece, logprobs=[])
                yield event("output_text.done", **at, text=reply.text, logprobs=[])
                yield event("content_part.done", **at, part=part)
            else:
                name = "input" if item["type"] == "custom_tool_call" else "arguments"
                kind = "custom_tool_call_input" if name == "input" else "function_call_arguments"
                yield event("output_item.added", output_index=index, item=opened | {name: ""})
                yield event(f"{kind}.delta", **at, delta=item[name])
                yield event(f"{kind}.done", **at, **{name: item[name]})
            yield event("output_item.done", output_index=index, item=item)
        yield event("completed", response=self._response(request, reply, items, "completed"))

    def _items(self, request: Request, reply: Reply) -> list[Json]:
        items: list[Json] = []
        if reply.text:
            part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
            said = {"type": "message", "role": "assistant", "content": [part]}
            items.append({**said, "id": f"msg_{request.turn}", "status": "completed"})
        for call in reply.calls:
            item: Json = {"id": f"item_{call.id}", "call_id": call.id, "name": call.name}
            if call.name == "tool_search":
                kept = {"execution": "client", "arguments": call.input, "status": "completed"}
                items.append({**item, "type": "tool_search_call", **kept})
                continue
            namespace, _, name = call.name.rpartition("__")
            if namespace:
                item |= {"name": name, "namespace": namespace}
            freeform = not request.tools.get(call.name)
            kind, name = (
                ("custom_tool_call", "input") if freeform else ("function_call", "arguments")
            )
            items.append({**item, "type": kind, name: call.arguments, "status": "completed"})
        return items

    def _response(self, request: Request, reply: Reply, items: list[Json], status: str) -> Json:
        used = reply.usage
        usage = {
            "input_tokens": used["input"],
            "input_tokens_details": {"cached_tokens": used["cached"]},
            "output_tokens": used["output"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used["input"] + used["output"],
        }
        return {
            "id": f"resp_{request.turn}",
            "object": "response",
            "created_at": 0,
            "status": status,
            "model": request.model,
            "output": items,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": usage if status == "completed" else None,
        }


class Gemini:
    """POST /v1beta/models/NAME:generateContent, and :streamGenerateContent"""

    def body(self, request: Request, reply: Reply) -> Json:
        parts: list[Json] = [{"text": reply.text}] if reply.text else []
        for call in reply.calls:
            made = {"id": call.id, "name": call.name, "args": call.input}
            parts.append({"functionCall": made})
        stops = {"length": "MAX_TOKENS", "refusal": "SAFETY"}
        return self._part(parts, reply, stops.get(reply.stop, "STOP"))

    def events(self, request: Request, reply: Reply) -> Iterator[bytes]:
        last = self.body(request, reply)
        calls = [part for part in last["candidates"][0]["content"]["parts"] if "text" not in part]
        for piece in pieces(reply.text):
            yield sse(self._part([{"text": piece}], reply, None))
        last["candidates"][0]["content"]["parts"] = calls
        yield sse(last)

    def error(self, status: int, message: str) -> Json:
        kinds = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 400: "INVALID_ARGUMENT"}
        return {
            "error": {"code": status, "message": message, "status": kinds.get(status, "INTERNAL")}
        }

    def _part(self, parts: list[Json], reply: Reply, finish: str | None) -> Json:
        candidate: Json = {"index": 0, "content": {"role": "model", "parts": parts}}
        if finish is not None:
            candidate["finishReason"] = finish
        used = reply.usage
        counts = {
            "promptTokenCount": used["input"],
            "candidatesTokenCount": used["output"],
            "cachedContentTokenCount": used["cached"],
            "totalTokenCount": used["input"] + used["output"],
        }
        return {"candidates": [candidate], "usageMetadata": counts}


Wire = Anthropic | Chat | Gemini
WIRES: dict[str, Wire] = {
    "messages": Anthropic(),
    "completions": Chat(),
    "responses": Responses(),
    "generateContent": Gemini(),
    "streamGenerateContent": Gemini(),
}
