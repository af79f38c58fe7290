"""A conversation with a model that may ask for tools: what it is offered, says, and is told.

The model's word is the result of one step, so nothing happens by itself: the workflow makes each use of a
tool by steps of its own, and asks again with what came of it. Pure.
"""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn, Optional, Union, cast

import msgspec

from .errors import WorkflowError

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what every provider takes
FREE = (Any, None, type(None), str)


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as the model is told of it: `schema` is the JSON Schema of its arguments, an object."""

    name: str
    description: str
    schema: dict[str, Any]


class ToolResult(msgspec.Struct, frozen=True):
    """What came of a use of a tool, in words for the model. `ToolUse.result` makes one."""

    id: str
    content: str


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """A model wants a tool used. `arguments` are of the tool's type, or plain data that fit its schema.

    `extra` is the provider's own, which it wants back as it was.
    """

    id: str
    arguments: Any
    extra: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The tool's name."""
        return str(self.__struct_config__.tag)

    def result(self, value: Any) -> ToolResult:
        """Return what came of it for the next call's messages: a text as it is, else as JSON."""
        told = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return ToolResult(self.id, told)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a model with tools said. It is done when it has no `calls`.

    `output` is set then where data was asked for. `model` said it; `extra` is its provider's own.
    """

    answer: ClassVar[Any] = str
    text: str = ""
    calls: list[Any] = []  # each a ToolUse
    output: Any = None
    model: str = ""
    extra: dict[str, Any] = {}


Said = tuple[str, str] | Reply | ToolResult


def conversation(name: str, prompt: object) -> list[Said]:
    """Return the messages of a model call as they were written, checked. Raises WorkflowError."""
    if isinstance(prompt, str):
        return [("user", prompt)]
    messages = [_message(name, each) for each in cast(Sequence[object], prompt)]
    _check_results(name, messages)
    return messages


def _message(name: str, given: object) -> Said:
    match given:
        case Reply() | ToolResult():
            return given
        case [str(role), str(content)] if isinstance(given, list | tuple) and role != "tool":
            return role, content
        case _:
            raise WorkflowError(
                f"{given!r} is no message for the model call {name!r}. Write pairs such as "
                '("user", "..."), a Reply, or what use.result(...) returns.'
            )


def _check_results(name: str, messages: Sequence[Said]) -> None:
    """Providers refuse a conversation in which a use of a tool has no result, or more than one."""
    due: list[str] = []
    for message in messages:
        match message:
            case ToolResult(id=id) if id in due:
                due.remove(id)
            case ToolResult(id=id):
                raise WorkflowError(
                    f"the model call {name!r} has a result for {id!r}, which the reply before it did not "
                    "ask for, or which has one already. Give each use of a tool one result."
                )
            case _ if due:
                break
            case Reply(calls=calls):
                due = [use.id for use in calls]
            case _:
                pass
    if due:
        raise WorkflowError(
            f"the model call {name!r} has no result for {due[0]!r}, which a reply asks for. Add "
            "use.result(...) for each of reply.calls right after the reply; an error is a result as well."
        )


# --- tools -------------------------------------------------------------------------------------------


def tool_specs(name: str, tools: Sequence[object]) -> tuple[list[ToolSpec], list[tuple[str, Any]]]:
    """Return tools as the model is told of them, and the types of their arguments by name.

    A tool is a type, named and described as it is, or a mapping with `name`, `description` and
    `parameters`, a JSON Schema. Raises WorkflowError.
    """
    specs: list[ToolSpec] = []
    types: list[tuple[str, Any]] = []
    for tool in tools:
        known = isinstance(tool, Mapping)
        spec = _plain(name, cast(Mapping[str, Any], tool)) if known else _typed(name, tool)
        if not NAME.fullmatch(spec.name):
            why = f"{spec.name!r} is no name of a tool: use letters, digits, _ and -, 64 at most"
            _refuse(name, tool, why)
        if any(spec.name == other.name for other in specs):
            _refuse(name, tool, f"there are two of the name {spec.name!r}")
        specs.append(spec)
        types.append((spec.name, dict[str, Any] if known else tool))
    return specs, types


def _plain(name: str, tool: Mapping[str, Any]) -> ToolSpec:
    match tool:
        case {"name": str(its), "description": str(told), "parameters": {"type": "object"}, **more}:
            if not more:
                return ToolSpec(its, told, dict(tool["parameters"]))
        case _:
            pass
    _refuse(name, tool, "it needs name, description, parameters (of type object) and no more")


def _typed(name: str, tool: object) -> ToolSpec:
    try:
        return _spec_of(tool)
    except TypeError as error:
        _refuse(name, tool, str(error))


@functools.lru_cache(maxsize=256)
def _spec_of(tool: Any) -> ToolSpec:
    schema = msgspec.json.schema(tool)
    definitions = schema.get("$defs", {})
    root = dict(definitions.get(schema.get("$ref", "").removeprefix("#/$defs/"), schema))
    label, told = root.pop("title", ""), root.pop("description", "")
    if root.get("type") != "object" or not label:
        raise TypeError("its arguments are no object with names: use a msgspec.Struct")
    if '"$ref"' in json.dumps(root):
        root["$defs"] = definitions
    return ToolSpec(label, told, root)


def _refuse(name: str, tool: object, why: str) -> NoReturn:
    told = getattr(tool, "__name__", None) or repr(tool)
    raise WorkflowError(
        f"the model call {name!r} cannot offer the tool {told}: {why}. Give a struct type with a "
        'docstring, or {"name": ..., "description": ..., "parameters": <JSON Schema>}.'
    )


# --- what a reply is made of -------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def reply_type(types: tuple[tuple[str, Any], ...], output: Any) -> type[Reply]:
    """Return the type of a reply that uses these tools, and otherwise answers with `output`."""
    uses = [
        msgspec.defstruct(
            f"Use_{name}",
            [("arguments", type_)],
            bases=(ToolUse,),
            tag=name,
            tag_field="name",
            frozen=True,
            kw_only=True,
        )
        for name, type_ in types
    ]
    answer = Any if output in FREE else output
    made = msgspec.defstruct(
        "Reply",
        [("calls", list[Union[tuple(uses)]], []), ("output", Optional[answer], None)],  # type: ignore[misc]  # noqa: UP007, UP045
        bases=(Reply,),
        namespace={"answer": output},
        frozen=True,
        kw_only=True,
    )
    return cast(type[Reply], made)


def answer_of(output: Any) -> Any:
    """Return the type of the answer: of a reply, that which it has without calls."""
    is_reply = isinstance(output, type) and issubclass(output, Reply)
    return cast(type[Reply], output).answer if is_reply else cast(Any, output)
