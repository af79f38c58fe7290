"""`holdfast new`."""

from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.loading import Loader


@click.command()
@click.argument("name")
@click.option(
    "--from", "origin", metavar="NAME", help="Copy this workflow: see holdfast workflows."
)
@json_option
@click.pass_obj
def new(place: Place, name: str, origin: str | None, as_json: bool) -> int:
    """Write a workflow into the project, to be made your own. It can be run by its name at once.

    It is a short loop of an agent, tests and a reviewer, then an approval; or, with --from, a copy of a
    workflow that is there. The file is .holdfast/workflows/NAME.py, which git does not ignore.
    """
    from holdfast.scaffold import checked_name, starter, store

    from ..tools import tools
    from ..values import print_json

    project = place.project()
    load = tools(project).load
    checked_name(name)
    source = starter(name) if origin is None else _copy(load, origin, name)
    hides = name in load.names()
    path = store(project.make_workflows(), name, source, how="change that file")
    steps = [
        place.command("check", name),
        place.command("run", "--dry-run", name),
        place.command("run", name, *_required(load, name)),
    ]
    if as_json:
        print_json({"name": name, "file": str(path), "from": origin, "next": steps})
        return 0
    click.echo(f"wrote {path}")
    if hides:
        click.echo(
            f"{name!r} now means this file, not the installed workflow of that name", err=True
        )
    click.echo("next:")
    for step in steps:
        click.echo(f"  {step}")
    return 0


def _copy(load: "Loader", origin: str, name: str) -> str:
    from holdfast.scaffold import copied

    load(origin)  # says what there is, where this is not
    return copied(load.file_of(origin).read_text(encoding="utf-8"), name)


def _required(load: "Loader", name: str) -> list[str]:
    import msgspec

    fields = msgspec.structs.fields(load(name).input_type)
    words = [f"{field.encode_name}=..." for field in fields if field.required]
    return [part for word in words for part in ("-i", word)]
