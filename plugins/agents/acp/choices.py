"""What a session lets one choose: its model, its mode, and whatever else the agent has settings for.

Agents offer it in two ways, of which the newer is a list of options with a category each.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...errors import BadOptions
from ..cli import Json, part, parts


class Choice(NamedTuple):
    """One thing that can be chosen: how to say so, what it is now, and the values with their names."""

    method: str
    params: Json
    value_name: str
    current: Any
    values: dict[Any, str]

    def request(self, value: Any) -> Json:
        return {**self.params, self.value_name: value}


def option(session: Json, *, id: str = "", category: str = "") -> Choice | None:
    """Return the option of that id or category, if the session has it."""
    for each in parts(session, "configOptions"):
        if (id and each.get("id") == id) or (category and each.get("category") == category):
            params: Json = {"configId": each.get("id")}
            if each.get("type") == "boolean":
                params["type"], values = "boolean", {True: "on", False: "off"}
            else:
                values = dict(_values(each))
            return Choice(
                "session/set_config_option", params, "value", each.get("currentValue"), values
            )
    return None


def mode(session: Json) -> Choice | None:
    """Return the choice of a mode: how much the agent does without asking."""
    if found := option(session, category="mode"):
        return found
    modes = part(session, "modes")
    values = {each.get("id"): str(each.get("name")) for each in parts(modes, "availableModes")}
    if not values:
        return None
    return Choice("session/set_mode", {}, "modeId", modes.get("currentModeId"), values)


def model(session: Json) -> Choice | None:
    """Return the choice of a model."""
    if found := option(session, category="model"):
        return found
    models = part(session, "models")
    offered = parts(models, "availableModels")
    values = {each.get("modelId"): str(each.get("name")) for each in offered}
    if not values:
        return None
    return Choice("session/set_model", {}, "modelId", models.get("currentModelId"), values)


def pick(choice: Choice | None, wanted: Any, what: str) -> Any:
    """Return the value that is meant, by its id or name, with or without its provider's prefix.

    Raises BadOptions, which lists what there is.
    """
    if choice is None:
        raise BadOptions(
            f"the agent lets nobody choose {what}, and the step asks for {wanted!r}. "
            "Leave it out, and choose in the agent's own settings."
        )
    if not isinstance(wanted, str):
        if wanted in choice.values:
            return wanted
    else:
        for short in (wanted, wanted.partition("/")[2]):
            for value, name in choice.values.items():
                if short and short.lower() in (str(value).lower(), name.lower()):
                    return value
    offered = ", ".join(repr(value) for value in list(choice.values)[:30])
    raise BadOptions(f"the agent does not offer {wanted!r} for {what}; it offers: {offered}")


def _values(listed: Json) -> Iterator[tuple[Any, str]]:
    for each in parts(listed, "options"):
        if "options" in each:  # a group
            yield from _values(each)
        else:
            yield each.get("value"), str(each.get("name"))
