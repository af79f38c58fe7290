"""`holdfast changes`."""

from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.recorded import StepFiles
    from holdfast.workspaces import Change, Repository


@click.command()
@click.argument("run")
@click.argument("step")
@click.option("--patch/--stat", "whole", help="Print the whole difference, or only how much of it.")
@json_option
@click.pass_obj
def changes(place: Place, run: str, step: str, whole: bool, as_json: bool) -> None:
    """Show what a step changed in the files: from when it first began until it ended.

    With --patch it is a patch that `git apply` takes. Ignored files are not recorded.
    """
    from functools import partial

    from holdfast.recorded import step_files

    from ..recorded import with_repository
    from ..values import print_json
    from ..words import for_reader

    with place.log() as log:
        row = log.run(run)
        found = step_files(log, row, step)
        changed, patch = with_repository(log, row, partial(_read, found, whole or as_json))
    if as_json:
        told = {"run": row.run, "step": step, "before": found.before, "after": found.after}
        print_json({**told, "files": [_object(change) for change in changed], "patch": patch})
    elif whole:
        click.echo(for_reader(patch).encode(errors="surrogateescape"), nl=False)
    elif not changed:
        click.echo(f"step {step!r} changed no file", err=True)
    else:
        _print(changed)


async def _read(
    found: "StepFiles", whole: bool, repository: "Repository"
) -> tuple[list["Change"], str]:
    from holdfast.workspaces import changes as changes_between
    from holdfast.workspaces import diff

    changed = await changes_between(repository, found.before, found.after)
    return changed, await diff(repository, found.before, found.after) if whole else ""


def _object(change: "Change") -> dict[str, object]:
    is_binary = change.lines_added < 0
    return {
        "path": change.path,
        "how": change.how,
        "was": change.was or None,
        "lines_added": None if is_binary else change.lines_added,
        "lines_deleted": None if is_binary else change.lines_deleted,
    }


def _print(changed: list["Change"]) -> None:
    from ..recorded import line_counts
    from ..words import table

    rows = [[change.how, line_counts(change), _path(change)] for change in changed]
    click.echo(table(["how", "lines", "file"], rows))


def _path(change: "Change") -> str:
    return f"{change.was} -> {change.path}" if change.was else change.path
