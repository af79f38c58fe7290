"""The API's description in OpenAPI 3.1, made from the types that check the calls. Pure."""

import inspect
from typing import Any

import msgspec

from holdfast.cli.words import version
from holdfast.mcp.shapes import Call

from .following import EVENTS_TOOL
from .routes import EVENTS, VERBS, Verb

ABOUT = """\
What the command line does, over HTTP. An operationId is the name of the tool in the `next` of an answer, which
says what to call to go on, with its arguments. Lists and texts come in pages: give `next` as `start`. `cut`
names what was shortened."""
REFERENCE = "#/components/schemas/{name}"
STREAM = "text/event-stream"


class Problem(msgspec.Struct):
    """What went wrong: `code` is stable, `message` is for people, `next` is the call that helps."""

    code: str
    message: str
    next: Call | None = None


class Failed(msgspec.Struct):
    """What every call answers that did not do what was asked."""

    error: Problem


class _Schemas:
    """The schemas of all arguments and answers, by their types."""

    def __init__(self) -> None:
        tools = [verb.tool for verb in VERBS]
        kinds: list[type[msgspec.Struct]] = [Failed, EVENTS_TOOL.asked]
        kinds += dict.fromkeys(tool.asked for tool in tools)
        kinds += dict.fromkeys(tool.answer for tool in tools)
        found, parts = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
        self.parts: dict[str, dict[str, Any]] = parts
        self._references = dict(zip(kinds, found, strict=True))

    def reference(self, kind: type[msgspec.Struct]) -> dict[str, Any]:
        return self._references[kind]

    def whole(self, kind: type[msgspec.Struct]) -> dict[str, Any]:
        return self.parts[self.reference(kind)["$ref"].rpartition("/")[2]]


def description() -> dict[str, Any]:
    """Return the description of every path."""
    schemas = _Schemas()
    paths = dict[str, Any]()
    for verb in VERBS:
        paths.setdefault(verb.template, {})[verb.method.lower()] = _operation(verb, schemas)
    paths[EVENTS] = {"get": _stream(schemas)}
    arguments = [EVENTS_TOOL.asked, *(verb.tool.asked for verb in VERBS)]
    inlined = [schemas.whole(kind) for kind in arguments]  # in parameters and bodies
    kept = {name: part for name, part in schemas.parts.items() if part not in inlined}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Holdfast", "version": version(), "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": kept,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(verb: Verb, schemas: _Schemas) -> dict[str, Any]:
    asked = schemas.whole(verb.tool.asked)
    fields, required = asked.get("properties", {}), set(asked.get("required", ()))
    in_path = {name: fields[name] for name in verb.fields}
    others = {name: field for name, field in fields.items() if name not in in_path}
    parameters = [_parameter("path", name, field, True) for name, field in in_path.items()]
    told: dict[str, Any] = {
        **_head(verb.tool.name, verb.tool.description),
        "parameters": parameters,
    }
    if verb.method == "GET":
        told["parameters"] += [_parameter("query", n, f, n in required) for n, f in others.items()]
    else:
        told["requestBody"] = _body(others, sorted(required & others.keys()))
    return {
        **told,
        "responses": _responses(verb.status, schemas.reference(verb.tool.answer), schemas),
    }


def _head(name: str, text: str) -> dict[str, Any]:
    return {"operationId": name, "summary": text.splitlines()[0], "description": text}


def _parameter(place: str, name: str, field: dict[str, Any], required: bool) -> dict[str, Any]:
    schema = {word: value for word, value in field.items() if word != "description"}
    about = {"description": field["description"]} if "description" in field else {}
    return {"name": name, "in": place, "required": required, **about, "schema": schema}


def _body(fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields, "required": required}
    content = {"application/json": {"schema": {**schema, "additionalProperties": False}}}
    return {"required": bool(required), "content": content}


def _responses(status: int, schema: dict[str, Any], schemas: _Schemas) -> dict[str, Any]:
    failure = {"application/json": {"schema": schemas.reference(Failed)}}
    return {
        str(status): {"description": "What was asked.", "content": {"application/json": {"schema": schema}}},
        "default": {"description": "Why it was not done.", "content": failure},
    }  # fmt: skip


def _stream(schemas: _Schemas) -> dict[str, Any]:
    fields = schemas.whole(EVENTS_TOOL.asked)["properties"]
    seen = {"description": "In place of `after`.", "type": "integer"}
    parameters = [_parameter("query", name, field, False) for name, field in fields.items()]
    told = _head(EVENTS_TOOL.name, inspect.getdoc(EVENTS_TOOL.asked) or "")
    responses = _responses(200, {}, schemas)
    responses["200"] = {
        "description": "The events.",
        "content": {STREAM: {"schema": {"type": "string"}}},
    }
    parameters.append(_parameter("header", "Last-Event-ID", seen, False))
    return {**told, "parameters": parameters, "responses": responses}
