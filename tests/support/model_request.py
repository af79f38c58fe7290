"""What a model is asked, alike for four protocols: who said what, the tools, and which turn it is."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

Json = dict[str, Any]
CALL_ID = re.compile(r"turn(\d+)x\d+")
NOTE = re.compile(r"<((?:\w+[-_])*(?:reminder|context|instructions))\b[^>]*>.*?</\1>", re.DOTALL)


@dataclass
class Request:
    """One request as the server understood it; `hung_up` when the client left before the answer."""

    api: str
    path: str
    key: str
    model: str
    user: str
    system: str
    turn: int
    tools: dict[str, Json]
    schema: bool
    body: Json
    results: list[str] = field(default_factory=list)  # what tools gave since a person spoke
    earlier: list[str] = field(default_factory=list)  # what they gave before that
    hung_up: bool = False
    answered: bool = False


def words(content: object) -> str:
    """The text of a message's content, whether it is one string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "\n".join(text for text in texts if isinstance(text, str))


def turns_of(item: Json) -> Iterator[tuple[str, str]]:
    """One wire message as (role, text or call id) pairs, alike for the four protocols."""
    role, kind = item.get("role", ""), item.get("type", "message")
    content = item.get("content") or item.get("parts")
    results = [*results_of(item, content)]
    if results:  # and whatever words a client puts beside them are not a person's
        yield from [("tool", text) for text in results]
    elif role == "model":
        calls = [part["functionCall"] for part in content or [] if "functionCall" in part]
        yield from [("assistant", call.get("id", "")) for call in calls] or [("assistant", "")]
    elif kind.endswith("_call"):
        yield "assistant", item.get("call_id") or ""
    elif role == "assistant":
        calls = item.get("tool_calls") or [
            part for part in content or [] if isinstance(part, dict) and "id" in part
        ]
        yield from [("assistant", call["id"]) for call in calls] or [("assistant", "")]
    elif role == "user":
        yield "user", NOTE.sub("", words(content)).strip()
    elif role in ("system", "developer"):
        yield "system", words(content)


def results_of(item: Json, content: object) -> Iterator[str]:
    """The results of tools in one wire message."""
    parts = content if isinstance(content, list) else []
    for part in parts:
        if isinstance(part, dict) and part.get("type") == "tool_result":
            yield words(part.get("content"))
        elif isinstance(part, dict) and "functionResponse" in part:
            given = part["functionResponse"].get("response") or {}
            yield words(given.get("output") or given.get("error")) or json.dumps(given)
    if item.get("type", "").endswith("_call_output"):
        yield words(item.get("output"))
    elif item.get("role") == "tool":
        yield words(content)


def offered(body: Json) -> dict[str, Json]:
    """The tools that the request offers, by name, with their schemas ({} for free-form text)."""
    tools = list(body.get("tools") or [])
    items = body.get("input")
    for item in items if isinstance(items, list) else []:
        tools += item.get("tools") or []  # Codex hands some tools over inside the conversation
    tools += [each for tool in tools for each in tool.get("functionDeclarations") or []]
    tools = [each for tool in tools for each in unpacked(tool)]
    found: dict[str, Json] = {}
    for tool in tools:
        inner = tool.get("function") or tool.get("custom") or tool
        if name := inner.get("name") or inner.get("type"):
            schemas = ("parameters", "input_schema", "parametersJsonSchema")
            found[name] = next((inner[each] for each in schemas if inner.get(each)), {})
    return found


def unpacked(tool: Json) -> Iterator[Json]:
    """A tool, or those of a namespace, whose names then begin with it."""
    if tool.get("type") == "namespace":
        for inner in tool["tools"]:
            yield {**inner, "name": f"{tool['name']}__{inner['name']}"}
    elif "functionDeclarations" not in tool:
        yield tool


def understand(api: str, path: str, key: str, body: Json) -> Request:
    items: Any = body.get("input") or body.get("messages") or body.get("contents")
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    said = [pair for item in items or [] for pair in turns_of(item)]
    spoken = [text for role, text in said if role == "user" and text]
    start = max((i for i, (role, text) in enumerate(said) if role == "user" and text), default=-1)
    since = [(role, text) for role, text in said[start + 1 :] if role not in ("user", "tool")]
    ours = [int(found[1]) for _, text in since if (found := CALL_ID.search(text))]
    groups = sum(role == "assistant" for role, _ in groupby(since, key=lambda pair: pair[0]))
    wanted = body.get("response_format") or body.get("output_format") or body.get("output_config")
    wanted = wanted or (body.get("text") or {}).get("format")
    wanted = wanted or (body.get("generationConfig") or {}).get("responseJsonSchema")
    told = body.get("system") or body.get("instructions")
    told = told or (body.get("systemInstruction") or {}).get("parts")
    return Request(
        api=api,
        path=path,
        key=key,
        model=str(body.get("model", "")),
        user=spoken[-1] if spoken else "",
        system="\n".join([words(told)] + [text for role, text in said if role == "system"]),
        turn=max(ours) + 1 if ours else groups,
        tools=offered(body),
        schema="schema" in json.dumps(wanted),
        body=body,
        results=[text for role, text in said[start + 1 :] if role == "tool"],
        earlier=[text for role, text in said[: start + 1] if role == "tool"],
    )
