"""`holdfast check`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.reducer.check import Finding


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
@click.pass_obj
def check(place: Place, files: tuple[str, ...], as_json: bool) -> int:
    """Find what a workflow file does that a replay could not repeat.

    The file is read and not run. Exits with 1 when there are findings; notes are none. A line that
    ends in `# holdfast: allow` is left alone.
    """
    from ..values import print_json
    from ..words import printable

    findings = [finding for name in files for finding in _check(name)]
    if as_json:
        print_json(findings)
    for finding in [] if as_json else findings:
        note = "note: " if finding.note else ""
        where = f"{finding.file}:{finding.line}:{finding.column}"
        line = f"{where} {finding.code} {note}{finding.found} -> {finding.instead}"
        click.echo(printable(line, keep=""))
    if not findings and not as_json:
        click.echo(printable(f"nothing found in {', '.join(files)}", keep=""), err=True)
    return 1 if any(not finding.note for finding in findings) else 0


def _check(name: str) -> "list[Finding]":
    from holdfast.reducer.check import check as findings_in

    from ..errors import BadInput

    try:
        return findings_in(Path(name).read_text(encoding="utf-8"), name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{name!r} cannot be read: {reason}") from error
