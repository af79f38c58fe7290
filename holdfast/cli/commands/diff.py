"""`holdfast diff`."""

import shutil
import sys
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.reducer import Comparison

    from ..difftext import Files
    from ..sides import Named

EQUAL, DIFFERENT, TROUBLE = 0, 1, 2
PLAIN_COLUMNS = 100


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--at-a", type=click.IntRange(0), metavar="N", help="A as it was after N events.")
@click.option("--at-b", type=click.IntRange(0), metavar="N", help="B as it was after N events.")
@click.option("--all", "every", is_flag=True, help="Show everything that differs, and all of it.")
@json_option
@click.pass_obj
def diff(
    place: Place, a: str, b: str, at_a: int | None, at_b: int | None, every: bool, as_json: bool
) -> int:
    """Compare two runs, or one run at two frames.

    Tells where they part and then, step by step, what differs: what was asked, what came of it, who
    decided, which files. The time, tries and money that a step took are told and make no difference.

    Exit status 0: nothing differs that matters; 1: something does; 2: they could not be compared.
    """
    from holdfast.eventlog import HoldfastError

    try:
        with place.log() as log:
            return _diff(log, (a, at_a), (b, at_b), every=every, as_json=as_json)
    except HoldfastError as error:
        from ..failures import tell

        tell(error, place, as_json=as_json)
        return TROUBLE


def _diff(
    log: "Log", a: tuple[str, int | None], b: tuple[str, int | None], *, every: bool, as_json: bool
) -> int:
    from ..difftext import Page, lines
    from ..sides import compared, diff_object, read
    from ..values import print_json

    one, other = read(log, *a), read(log, *b)
    found = compared(log, one, other)
    if as_json:
        print_json(diff_object(log, one, other, found))
    else:
        page = Page(_columns(), every=every, files=_reader(log, found, other))
        for line in lines(log, one, other, found, page):
            click.echo(line)
    return EQUAL if found.equal else DIFFERENT


def _reader(log: "Log", found: "Comparison", side: "Named") -> "Files | None":
    """Return what tells files apart, where some differ: git is asked for nothing else."""
    changes = [change for item in found.items for change in item.changes]
    if not any(change.what == "files" for change in changes):
        return None
    from ..recorded import Differ

    return Differ(log, side.row)


def _columns() -> int:
    """Return how wide the text may be; a pipe or a file gets one column."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PLAIN_COLUMNS
