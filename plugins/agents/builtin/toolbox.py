"""The tools of one task: which are offered, and what becomes of a call, whatever the model wrote."""

import json
from collections.abc import Mapping
from typing import Any, cast, get_args

from ... import confining
from ...errors import BadOptions, NotConfinable, ToolFailed, WorkError
from ...models.json_output import wire_schema
from ...types import Permissions, Tool, ToolCall, ToolOffer, ToolSetting
from .bounded import clean, cut
from .conversation import FINAL, Finished

LONGEST_RESULT = 100_000  # characters
_RANKS: tuple[Permissions, ...] = get_args(Permissions)


class Toolbox:
    """What a model may call in this task; with a `schema`, also what its answer is handed over by."""

    def __init__(
        self,
        tools: Mapping[str, Tool],
        setting: ToolSetting,
        schema: dict[str, Any] | None,
        only: list[str] | None,
    ) -> None:
        self.tools = _allowed(tools, setting.permissions, only)
        if confining.current() is not None:
            self.tools = _confinable(self.tools, only)
        self._setting, self._schema = setting, schema

    def offers(self) -> list[ToolOffer]:
        """Return what the model is told of them."""
        found = [
            ToolOffer(name, tool.description, tool.schema) for name, tool in self.tools.items()
        ]
        if self._schema is not None:
            words = "Hand over your final answer. This ends the task."
            found.append(ToolOffer(FINAL, words, wire_schema(self._schema)))
        return found

    def has_effect(self, call: ToolCall) -> bool:
        """Whether to make the call twice could do harm."""
        return call.name in self.tools and self.tools[call.name].effect

    async def perform(self, call: ToolCall, number: int) -> Finished:
        """Make a call; what is wrong with it is told to the model, which may mend it."""
        try:
            result = await self._call(call)
        except WorkError:
            raise  # of the step, not of the call: nothing that a model could mend
        except ToolFailed as error:
            return Finished(number, cut(clean(f"error: {error}"), LONGEST_RESULT), ok=False)
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is told to the model
            why = f"error: {type(error).__name__}: {error}"
            return Finished(number, cut(clean(why), LONGEST_RESULT), ok=False)
        return Finished(number, cut(clean(result), LONGEST_RESULT))

    async def _call(self, call: ToolCall) -> str:
        is_final = call.name == FINAL and self._schema is not None
        if call.name not in self.tools and not is_final:
            known = ", ".join(offer.name for offer in self.offers())
            raise ToolFailed(f"there is no tool {call.name!r} here; there are: {known or 'none'}")
        given = _arguments(call)
        if is_final:
            return "The answer was handed over."
        return _text(call.name, await self.tools[call.name].run(given, self._setting))


def _text(name: str, result: object) -> str:
    """Hold a plugin to its promise."""
    if not isinstance(result, str):
        raise ToolFailed(f"{name!r} returned {type(result).__name__}, not a text")
    return result


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        given = json.loads(call.arguments or "{}")
    except ValueError as error:
        raise ToolFailed(
            f"the arguments of {call.name!r} are not JSON ({error}). Write the call again, complete."
        ) from error
    if not isinstance(given, dict):
        raise ToolFailed(f"the arguments of {call.name!r} have to be a JSON object")
    return cast(dict[str, Any], given)


def _allowed(
    tools: Mapping[str, Tool], permissions: Permissions, only: list[str] | None
) -> dict[str, Tool]:
    unknown = [name for name in only or () if name not in tools]
    if unknown:
        raise BadOptions(
            f"the option tools names {unknown[0]!r}, and there is no such tool; there are: "
            f"{', '.join(sorted(tools))}"
        )
    rank = _RANKS.index(permissions)
    return {
        name: tool
        for name, tool in tools.items()
        if _RANKS.index(tool.needs) <= rank and (only is None or name in only) and name != FINAL
    }


def _confinable(tools: Mapping[str, Tool], only: list[str] | None) -> dict[str, Tool]:
    """Leave out what would work outside of the sandbox; what the step names is not left out silently."""
    for name in only or ():
        if name in tools and not tools[name].confinable:
            raise NotConfinable(
                f"the tool {name!r} works in Holdfast's own process, where the step's sandbox cannot hold "
                'it. Leave it out of the option tools, or choose sandbox="none"'
            )
    return {name: tool for name, tool in tools.items() if tool.confinable}
