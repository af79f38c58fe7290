"""A tool as data: its name, what it takes and gives, and what it does to the world. Pure."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from .desk import Visit
from .errors import BadArguments
from .shapes import Answer

Effect = Literal["reads", "adds", "destroys"]
Handler = Callable[[Visit, Any], dict[str, Any]]
AsyncHandler = Callable[[Visit, Any], Awaitable[dict[str, Any]]]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of a tool."""


A = TypeVar("A", bound=Asked)


class Tool(NamedTuple):
    """A tool. `handle` runs in a worker thread; `wait`, where there is one, in the event loop.

    What "adds" leaves all that was there as it was; what "destroys" may end or take back something.
    """

    name: str
    asked: type[Asked]
    answer: type[Answer]
    effect: Effect
    handle: Handler | None = None
    wait: AsyncHandler | None = None

    @property
    def description(self) -> str:
        return inspect.getdoc(self.handle or self.wait) or ""

    def arguments(self, given: Mapping[str, Any]) -> Asked:
        """Return checked arguments; raise BadArguments with what the tool takes."""
        try:
            return msgspec.convert({**given}, self.asked, strict=False)
        except msgspec.ValidationError as error:
            raise BadArguments(self.name, str(error).rstrip("."), self._takes()) from error

    def _takes(self) -> str:
        fields = msgspec.structs.fields(self.asked)
        named = (f"{field.name}{'' if field.required else '?'}" for field in fields)
        return ", ".join(named) or "nothing"


def schema(type_: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a struct, as the object that clients expect at the top."""
    _, parts = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    own = parts.pop(type_.__name__)
    return {**own, "$defs": parts} if parts else own
