"""`holdfast diff`."""

import shutil
import sys
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log, RunRow
    from holdfast.reducer import Comparison

    from ..difftext import Files
    from ..sides import Named

EQUAL, DIFFERENT, TROUBLE = 0, 1, 2
PLAIN_COLUMNS = 100


@click.command()
@click.argument("a", metavar="RUN")
@click.argument("b", metavar="RUN|STEP")
@click.option("--at-a", type=click.IntRange(0), metavar="N", help="A as it was after N events.")
@click.option("--at-b", type=click.IntRange(0), metavar="N", help="B as it was after N events.")
@click.option("--all", "every", is_flag=True, help="Show everything that differs, and all of it.")
@click.option("--patch", is_flag=True, help="Of a step: print the whole difference of its files.")
@json_option
@click.pass_obj
def diff(
    place: Place,
    a: str,
    b: str,
    at_a: int | None,
    at_b: int | None,
    every: bool,
    patch: bool,
    as_json: bool,
) -> int:
    """Compare two runs, or one run at two frames; or show what a step changed in the files.

    The second word is a step of the first run where no run has that name: `diff RUN STEP` is
    `changes RUN STEP`, and ends with 0 when that could be told.

    Of runs, tells where they part and then, step by step, what differs: what was asked, what came of it, who
    decided, which files. The time, tries and money that a step took are told and make no difference.

    Exit status 0: nothing differs that matters; 1: something does; 2: they could not be compared.
    """
    from holdfast.eventlog import HoldfastError

    try:
        with place.log() as log:
            if (step := _step(log, a, b)) is not None:
                if at_a is not None or at_b is not None:
                    raise click.UsageError(f"{b!r} is a step of {a!r}: leave out --at-a and --at-b")
                return _changes(log, step, b, whole=patch or every, as_json=as_json)
            if patch:
                raise click.UsageError(f"--patch is for a step of a run, and {b!r} is a run")
            return _diff(log, (a, at_a), (b, at_b), every=every, as_json=as_json)
    except HoldfastError as error:
        from ..failures import tell

        tell(error, place, as_json=as_json)
        return TROUBLE


def _step(log: "Log", run: str, word: str) -> "RunRow | None":
    """Return the run's row if `word` names no run but a step of it, or nearly."""
    from holdfast.errors import NoSuchStep
    from holdfast.eventlog import NoSuchRun
    from holdfast.frames import near
    from holdfast.reducer import replay

    row = log.run(run)
    try:
        log.branch_of(word)
    except NoSuchRun:
        steps = replay(log.records(row.branch)).steps
        if word in steps:
            return row
        if close := near(word, list(steps)):
            raise NoSuchStep(row.run, word, close) from None
        raise
    return None


def _changes(log: "Log", row: "RunRow", step: str, *, whole: bool, as_json: bool) -> int:
    from ..changed import show_changes

    show_changes(log, row, step, whole=whole, as_json=as_json)
    return EQUAL


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
