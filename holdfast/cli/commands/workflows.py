"""`holdfast workflows`."""

import inspect
from typing import TYPE_CHECKING, Any

import click

from ..options import json_option
from ..place import Place
from ..words import money

if TYPE_CHECKING:
    from holdfast.config import LimitsConfig
    from holdfast.reducer import Workflow


@click.command()
@json_option
@click.pass_obj
def workflows(place: Place, as_json: bool) -> int:
    """List the workflows that can be run by name, and what each one takes."""
    from holdfast.reducer import NotAWorkflow

    from ..tools import tools
    from ..values import print_json

    kit = tools(place.project())
    load, limits = kit.load, kit.config.limits
    rows: list[dict[str, Any]] = []
    for name in load.names():
        try:
            rows.append(described(name, load(name), limits))
        except NotAWorkflow as error:
            rows.append({"name": name, "error": {"code": error.code, "message": str(error)}})
    if as_json:
        print_json(rows)
    else:
        click.echo("\n\n".join(map(_text, rows)))
    return 1 if any("error" in row for row in rows) else 0


def described(name: str, workflow: "Workflow", limits: "LimitsConfig") -> dict[str, Any]:
    """Return what a workflow does and takes, and the budget of a run that is started without one."""
    import msgspec

    from holdfast.settings import budget_of

    budget = budget_of(limits, otherwise=workflow.budget)
    fields = msgspec.structs.fields(workflow.input_type)
    parameters = inspect.signature(workflow.function).parameters
    return {
        "name": name,
        "description": workflow.description,
        "source": workflow.reference,
        "budget": {"usd": budget.usd, "tokens": budget.tokens} if budget else None,
        "inputs": [
            {
                "name": field.encode_name,
                "type": _type_name(field.type),
                "required": field.required,
                "default": None if field.required else parameters[field.name].default,
                "description": _description(field.type),
            }
            for field in fields
        ],
    }


def _type_name(type_: Any) -> str:
    return inspect.formatannotation(getattr(type_, "__origin__", type_) if _meta(type_) else type_)


def _description(type_: Any) -> str:
    return next((meta.description for meta in _meta(type_) if meta.description), "")


def _meta(type_: Any) -> list[Any]:
    import msgspec

    found = getattr(type_, "__metadata__", ())
    return [meta for meta in found if isinstance(meta, msgspec.Meta)]


def _text(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{click.style(row['name'], bold=True)}  {row['error']['message']}"
    lines = [f"{click.style(row['name'], bold=True)}  {row['description']}"]
    for field in row["inputs"]:
        default = "" if field["required"] else f" = {field['default']!r}"
        about = f"  {field['description']}" if field["description"] else ""
        lines.append(f"    {field['name']}: {field['type']}{default}{click.style(about, dim=True)}")
    if row["budget"]:
        lines.append(f"    it asks before it uses more than {_amount(**row['budget'])}")
    return "\n".join(lines)


def _amount(usd: float, tokens: int) -> str:
    return " or ".join(filter(None, [money(usd), f"{tokens:,} tokens" if tokens else ""]))
