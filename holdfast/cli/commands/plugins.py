"""`holdfast plugins`, and `holdfast plugins new`."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.plugins import PluginRow

KINDS = ("agent", "model", "sandbox", "workflow", "observer")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> int:
    """List the plugins and what each one offers. Exits with 1 when one is broken.

    `holdfast plugins new NAME --kind KIND` writes a package to begin with.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    from ..tools import tools
    from ..values import print_json

    rows = tools(ctx.obj.project()).plugins.listing()
    if as_json:
        print_json(rows)
    else:
        _print(rows)
    return 1 if any(row.broken for row in rows) else 0


def _print(rows: "Sequence[PluginRow]") -> None:
    from ..words import one_line, table

    def offers(row: "PluginRow") -> str:
        if not row.broken:
            return ", ".join(row.offers)
        place = f" ({row.where})" if row.where else ""
        return one_line(f"broken: {row.broken}", 300) + place

    cells = [[row.plugin, f"{row.distribution} {row.version}".strip(), offers(row)] for row in rows]
    click.echo(table(["PLUGIN", "FROM", "OFFERS"], cells))


@plugins.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What it will offer.")
@click.option(
    "--folder", metavar="FOLDER", type=Path, help="Where to write it; else ./holdfast-NAME."
)
@json_option
@click.pass_obj
def new(place: Place, name: str, kind: str, folder: Path | None, as_json: bool) -> int:
    """Write a package with a working plugin and its tests, to be made your own."""
    from holdfast.scaffold import write_plugin

    from ..values import print_json

    made = write_plugin(name, kind, folder, taken=_taken(place, kind))
    steps = [
        f"cd {shlex.quote(made.folder)}",
        f"{_command('pip')} install -e '.[test]'",
        _command("pytest"),
        f"{_command('holdfast')} plugins",
    ]
    if as_json:
        print_json({"plugin": made, "next": steps})
        return 0
    click.echo(f"wrote {made.folder}: {len(made.files)} files of {made.distribution}, which work")
    click.echo("next:")
    for step in steps:
        click.echo(f"  {step}")
    return 0


def _taken(place: Place, kind: str) -> dict[str, str]:
    """Return the names that are offered already, each with who does."""
    from holdfast.plugins import NO_SANDBOX

    from ..tools import tools

    kit = tools(place.project())
    names: dict[str, str] = {
        row.plugin: f"a plugin of {row.distribution}" for row in kit.plugins.listing()
    }
    offered = {
        "agent": kit.plugins.agents,
        "model": kit.plugins.models,
        "sandbox": lambda: {NO_SANDBOX: None, **kit.plugins.sandboxes()},
        "workflow": kit.plugins.workflows,
    }
    if kind in offered:
        names |= {each.rstrip("/"): f"an installed {kind}" for each in offered[kind]()}
    return names


def _command(module: str) -> str:
    """Return a command of the environment that this Holdfast is in, whatever the PATH says."""
    python = shutil.which("python")
    same = python is not None and os.path.dirname(python) == os.path.dirname(sys.executable)
    return module if same else f"{shlex.quote(sys.executable)} -m {module}"
