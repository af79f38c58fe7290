"""What the forms do: the tools that write, with what the address says and what was typed."""

from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from ..errors import FieldNotJson, NoSuchPage
from .call import Call


class Deed(NamedTuple):
    """What a tool takes from the address, which the page wrote, and from what a person typed.

    Whatever a run or a gate is called comes back in the address just as it is; fields of forms do not keep
    line breaks. `json` are the fields that hold any value.
    """

    fixed: str
    typed: str = ""
    json: str = ""


DEEDS = {
    "decide": Deed("run gate digest", "decision by note add_usd", "edits answer"),
    "signal": Deed("run name key", json="payload"),
    "resume": Deed("run"),
    "unpause": Deed("run"),
    "retry": Deed("run step"),
    "fork": Deed("run at", "id resume"),
    "rewind": Deed("run at", "resume"),
    "pause": Deed("run", "reason"),
    "cancel": Deed("run", "reason"),
}


async def do(call: Call) -> Response:
    """Do what a form asks for, and show the run that it was done to."""
    name = call.request.path_params["deed"]
    deed = DEEDS.get(name)
    if deed is None:
        raise NoSuchPage(call.request.scope["path"])
    typed = await call.typed()
    given: dict[str, Any] = call.given(*deed.fixed.split())
    given |= {field: typed[field] for field in deed.typed.split() if typed.get(field)}
    for field in deed.json.split():
        if typed.get(field):
            given[field] = typed[field] if call.given("plain") else _value(field, typed[field])
    done = await call.use(name, **given)
    if done.get("problem"):  # what resumes raises it instead
        return await call.page("stuck.html", run=done["run"], problem=done["problem"])
    return call.elsewhere("run", run=done["run"])


def _value(field: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise FieldNotJson(field, str(error)) from error
