"""`holdfast files`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.workspaces import File, Repository


@click.command()
@click.argument("run")
@click.argument("path", required=False)
@click.option("--at", type=click.IntRange(0), metavar="N", help="As they were after N events.")
@click.option("--extract", "target", metavar="FOLDER", help="Write them all into a new folder.")
@click.option("--workspace", metavar="KEY", default="", help="Those of a workspace that it opened.")
@json_option
@click.pass_obj
def files(
    place: Place,
    run: str,
    path: str | None,
    at: int | None,
    target: str | None,
    workspace: str,
    as_json: bool,
) -> None:
    """List the files of a run at any frame, print the one at PATH, or extract all of them.

    They are what the last step with a record of them left; ignored files are not recorded.
    """
    from holdfast.recorded import tree_at

    from ..frames import check_frame
    from ..recorded import Extractor, with_repository
    from ..values import print_json

    if target is not None and path is not None:
        raise click.UsageError("--extract writes all files: leave out PATH")
    with place.log() as log:
        row = log.run(run)
        tree = tree_at(log, row, check_frame(run, at, row.head), workspace)
        if target is not None:
            Extractor(log, row)(tree, _new_folder(target))
            click.echo(target)
            return
        found, content = with_repository(log, row, partial(read_files, tree, path or ""))
    if as_json:
        print_json([file_object(file) for file in found])
    elif content is not None:
        click.echo(content, nl=False)
    else:
        _print(found)


def _new_folder(name: str) -> Path:
    from ..errors import BadInput

    folder = Path(name).absolute()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise BadInput(
            f"{name!r} is there already and not empty. Choose a new folder to extract into"
        )
    return folder


async def read_files(
    tree: str, path: str, repository: "Repository"
) -> tuple[list["File"], bytes | None]:
    """Return the files below a path; of a single file, also what it holds. Raises NoSuchFile."""
    from holdfast.workspaces import content, files

    found = await files(repository, tree, path)
    is_one = [file.path for file in found] == [path]
    if path.strip("/") and (is_one or not found):
        return found, await content(repository, tree, path)
    return found, None


def file_object(file: "File") -> dict[str, object]:
    return {
        "path": file.path, "kind": file.kind, "size_bytes": file.size_bytes, "blob": file.blob
    }  # fmt: skip


def _print(found: list["File"]) -> None:
    from ..words import printable

    for file in found:
        click.echo(printable(file.path, keep=""))
