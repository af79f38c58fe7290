"""`holdfast check`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.loading import Loader
    from holdfast.reducer.calls import Known
    from holdfast.reducer.check import Finding


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE|NAME...")
@json_option
@click.pass_obj
def check(place: Place, files: tuple[str, ...], as_json: bool) -> int:
    """Find what in a workflow would not work, or what a replay could not repeat.

    The file is read and not run. Exits with 1 when there are findings; notes are none. A line that
    ends in `# holdfast: allow` is left alone. With --json: an array of objects with `file`, `line`,
    `column`, `code`, `found`, `instead` and `note`.
    """
    from holdfast.checking import known_names

    from ..tools import tools
    from ..values import print_json
    from ..words import printable

    kit = tools(place.project())
    known = known_names(kit.plugins, kit.load, kit.config)
    findings = [finding for name in files for finding in _check(kit.load, name, known)]
    if as_json:
        print_json(findings)
    for finding in [] if as_json else findings:
        click.echo(printable(told(finding), keep=""))
    if not findings and not as_json:
        click.echo(printable(f"nothing found in {', '.join(files)}", keep=""), err=True)
    return 1 if any(not finding.note for finding in findings) else 0


def told(finding: "Finding") -> str:
    """Return a finding as one line: where, what, and what to write instead."""
    note = "note: " if finding.note else ""
    where = f"{finding.file}:{finding.line}:{finding.column}"
    return f"{where} {finding.code} {note}{finding.found} -> {finding.instead}"


def _check(load: "Loader", name: str, known: "Known") -> "list[Finding]":
    from holdfast.checking import check_source

    from ..errors import BadInput

    path = _path(load, name)
    try:
        source = path.read_text(encoding="utf-8")
        folder = path.resolve().parent
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{name!r} cannot be read: {reason}") from error
    return check_source(source, str(path), folder, known)


def _path(load: "Loader", name: str) -> Path:
    """Return the file to check: the one that is named, else that of the workflow with this name."""
    if name.endswith(".py") or "/" in name or name not in load.names():
        return Path(name)
    path, here = load.file_of(name), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
