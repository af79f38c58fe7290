"""What a scripted model answers: a scenario's turn, put into the tools that the client offers."""

import json
import posixpath
import re
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.model_request import Json, Request, words

Scenario = Json | list[Json] | Callable[[Request], Json]
USAGE = {"input": 100, "output": 20, "cached": 0}
FOLDER = re.compile(r"(?:[Ww]orking (?:in the )?directory:\s*|<cwd>)(/[^\n<]*)")
STRUCTURED = re.compile(r"structured_?output|json_tool_call", re.IGNORECASE)
SHELL = re.compile(r"^(bash|shell|exec_command|run_shell_command|execute|terminal)$", re.IGNORECASE)
SEARCH = re.compile(r"tool_?search", re.IGNORECASE)
WRITE = re.compile(r"^(write|write_?file|create_?file)$", re.IGNORECASE)


@dataclass
class Call:
    """A tool call; `input` is a text where the tool takes no JSON."""

    id: str
    name: str
    input: Any

    @property
    def arguments(self) -> str:
        return self.input if isinstance(self.input, str) else json.dumps(self.input)


@dataclass
class Reply:
    """What the model answers, before it is put into a protocol's words."""

    text: str = ""
    calls: list[Call] = field(default_factory=list)
    usage: Json = field(default_factory=dict)
    stop: str = ""


class Script:
    """A scenario that counts how often each turn was asked for, for `attempts`."""

    def __init__(self, scenario: Scenario) -> None:
        self.answer = scenario if callable(scenario) else None
        spec: Json = scenario if isinstance(scenario, dict) else {"turns": scenario}
        self.key = spec.get("key")
        self.rules: list[Json] = [*spec.get("rules", []), {"turns": spec.get("turns") or []}]
        self.asked: Counter[tuple[int, int]] = Counter()

    def turn(self, request: Request) -> Json:
        """The turn that answers this request."""
        if self.key is not None and request.key != self.key:
            return {"status": 401, "message": f"Incorrect API key provided: {request.key}"}
        if self.answer is not None:
            return self.answer(request)
        for place, rule in enumerate(self.rules):
            if rule["turns"] and fits(rule.get("when", {}), request):
                return self._pick(place, rule["turns"], request.turn)
        return {"status": 404, "message": f"no rule of the scenario fits {request.user!r}"}

    def _pick(self, place: int, turns: list[Json], number: int) -> Json:
        if number >= len(turns):
            last = turns[-1].get("attempts", turns)[-1]
            return {"text": last.get("text", "Done.")}
        turn, key = turns[number], (place, number)
        if "attempts" in turn:
            attempts = turn["attempts"]
            turn = attempts[min(self.asked[key], len(attempts) - 1)]
        self.asked[key] += 1
        return turn


def fits(when: Json, request: Request) -> bool:
    if "tools" in when and when["tools"] != bool(request.tools):
        return False
    return all(
        re.search(when[name], getattr(request, name), re.DOTALL)
        for name in ("user", "model", "system")
        if name in when
    )


def reply_to(request: Request, turn: Json) -> Reply:
    """The turn as an answer that this client can work with: its own tools, its own folder."""
    text, chosen = turn.get("text", ""), []
    for action in turn.get("calls") or [turn]:
        if "json" in action:
            tool = next((name for name in request.tools if STRUCTURED.search(name)), None)
            if tool is None:
                text += json.dumps(action["json"])
            else:
                chosen.append((tool, action["json"]))
        elif "bash" in action:
            chosen.append(shell_call(request, action["bash"]))
        elif "write_file" in action:
            chosen.append(write_call(request, **action["write_file"]))
        elif "mcp" in action:
            chosen.append((tool_of_server(request, action["mcp"]), action.get("args", {})))
        elif "search" in action:
            chosen.append(search_call(request, action["search"]))
        elif "tool" in action:
            chosen.append((action["tool"], action.get("args", {})))
    calls = [
        Call(f"turn{request.turn}x{place}after{len(request.earlier)}", name, given)
        for place, (name, given) in enumerate(chosen)
    ]
    return Reply(text, calls, USAGE | turn.get("usage", {}), turn.get("stop", ""))


def arguments(schema: Json, *given: tuple[str, Any]) -> Json:
    """Fill a tool's parameters: each value goes where the name of a parameter suits it."""
    properties: Json = schema.get("properties", {})
    filled: Json = {}
    for pattern, value in given:
        name = next(name for name in properties if re.fullmatch(pattern, name, re.IGNORECASE))
        listed = properties[name].get("type") == "array"
        filled[name] = ["bash", "-c", value] if listed else value
    for name in schema.get("required", []):
        filled.setdefault(name, "as the scenario says")
    return filled


def shell_call(request: Request, command: str) -> tuple[str, Any]:
    for name, schema in request.tools.items():
        if SHELL.match(name):
            return name, arguments(schema, ("command|cmd|script", command))
    raise LookupError(f"no shell among the tools {sorted(request.tools)}")


def write_call(request: Request, path: str, content: str) -> tuple[str, Any]:
    if found := FOLDER.search(request.system + "\n" + conversation(request.body)):
        path = posixpath.join(found[1].strip(), path)
    for name, schema in request.tools.items():
        if WRITE.match(name):
            where = ("(file_?)?path|file|file_?name", path)
            return name, arguments(schema, where, ("contents?|text", content))
    folder = shlex.quote(posixpath.dirname(path) or ".")
    text, name = shlex.quote(content), shlex.quote(path)
    return shell_call(request, f"mkdir -p {folder} && printf %s {text} > {name}")


def tool_of_server(request: Request, name: str) -> str:
    """The name that the client gave to a tool of an MCP server."""
    found = next((tool for tool in request.tools if is_tool(tool, name)), None)
    if found is None:
        raise LookupError(f"no {name} among the tools {sorted(request.tools)}")
    return found


def is_tool(offered: str, name: str) -> bool:
    """Tell whether a client offers this tool of a server so: each puts a prefix of its own before it."""
    return re.fullmatch(f"(.*(_|-|/|[.]))?{re.escape(name)}", offered) is not None


def search_call(request: Request, query: str) -> tuple[str, Any]:
    """Ask for tools that the client keeps back until a model looks for them."""
    for name, schema in request.tools.items():
        if SEARCH.fullmatch(name):
            return name, arguments(schema, ("query", query), ("limit|max_results", 50))
    raise LookupError(f"nothing finds tools among the tools {sorted(request.tools)}")


def conversation(body: Json) -> str:
    items = body.get("input") or body.get("messages") or body.get("contents") or []
    texts = [
        words(item.get("content") or item.get("parts")) for item in items if isinstance(item, dict)
    ]
    return "\n".join(texts)
