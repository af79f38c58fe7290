"""A model in process that says what a script says, and the plugin that offers it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio

from holdfast.eventlog import Usage
from holdfast.plugins import (
    Emit,
    Message,
    Model,
    ModelCall,
    ModelResult,
    Progress,
    Readiness,
    Tool,
    ToolCall,
    hookimpl,
)

PRICE = Usage(100, 10, 0, 0.01)
Turn = ModelResult | Exception | Callable[[ModelCall], ModelResult]


def says(text: str, **more: Any) -> ModelResult:
    return ModelResult(text=text, usage=PRICE, **more)


def calls(*wanted: tuple[str, Mapping[str, Any] | str], text: str = "") -> ModelResult:
    """Return an answer that wants tools called: names with their arguments."""
    made = [
        ToolCall(f"c{n}", name, given if isinstance(given, str) else json.dumps(given))
        for n, (name, given) in enumerate(wanted)
    ]
    return ModelResult(text=text, usage=PRICE, calls=made, stop="calls")


class Scripted:
    """Answers turn n to a conversation in which it has answered n times: also after a crash.

    Past the end it says its last turn again. An exception is raised the first time only.
    """

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = [*turns]
        self.asked: list[ModelCall] = []

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        self.asked.append(call)
        await trio.lowlevel.checkpoint()
        number = sum(message.role == "assistant" for message in call.messages)
        place = min(number, len(self.turns) - 1)
        turn = self.turns[place]
        if isinstance(turn, Exception):
            del self.turns[place]
            raise turn
        result = turn if isinstance(turn, ModelResult) else turn(call)
        if result.text:
            emit(Progress("text", result.text))
        return result

    def readiness(self) -> Readiness:
        return Readiness(True, "scripted")

    @property
    def last(self) -> list[Message]:
        """What it was shown last, without the system prompt."""
        return self.asked[-1].messages[1:]

    def results(self) -> list[str]:
        """What the tools said, as it was shown last."""
        return [message.content for message in self.last if message.role == "tool"]


class ScriptedPlugin:
    """Offers a scripted model for every name, and tools."""

    def __init__(self, model: Model, tools: Mapping[str, Tool] | None = None) -> None:
        self._model, self._tools = model, dict(tools or {})

    @hookimpl
    def holdfast_models(self) -> Mapping[str, Model]:
        return {"scripted/": self._model}

    @hookimpl
    def holdfast_tools(self) -> Mapping[str, Tool]:
        return self._tools
