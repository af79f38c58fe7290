"""`holdfast bisect`."""

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.bisecting import Found, Search
    from holdfast.eventlog import Log, RunRow


WORDS = "is false", "is true"
COMMAND_WORDS = "fails", "succeeds"


class Told(NamedTuple):
    """What was asked and found, the words for no and yes, and the commands that go on from there."""

    check: str
    start: int
    stop: int
    found: "Found"
    next: list[str]
    words: tuple[str, str]


@click.command()
@click.argument("run")
@click.option(
    "--check", metavar="EXPRESSION", help="Python about `state`, such as: state.usage.cost_usd < 1"
)
@click.option("--cmd", "command", metavar="COMMAND", help="A test of the files: 0 is good.")
@click.option(
    "--from", "first", type=click.IntRange(0), metavar="N", help="The first frame to look at."
)
@click.option(
    "--to", "last", type=click.IntRange(0), metavar="N", help="The last frame to look at."
)
@json_option
@click.pass_obj
def bisect(
    place: Place,
    run: str,
    check: str | None,
    command: str | None,
    first: int | None,
    last: int | None,
    as_json: bool,
) -> int:
    """Find the first frame at which something about a run is no longer true, by halving.

    The expression sees `state`: state.steps["fix"].status, state.result("test")["code"],
    state.usage.cost_usd, state.gates, state.status, len(state.steps). It is yours, and is evaluated as
    such. A command runs in a folder with the files of a frame as they were recorded, ignored ones not
    among them. Exits with 1 where it says the same at both ends.
    """
    from msgspec.structs import replace

    from ..frames import check_frame
    from ..values import print_json

    if check is not None and command is not None:
        raise click.UsageError("--check and --cmd exclude one another: choose one")
    if check is None and command is None:
        raise click.UsageError("what is to be true? Say it: --check 'state.usage.cost_usd < 1'")
    with place.log() as log:
        row = replace(log.run(run), run=run)  # as it was typed, which may be RUN@BRANCH
        start = check_frame(run, min(1, row.head) if first is None else first, row.head)
        stop = check_frame(run, last, row.head)
        if start >= stop:
            raise click.UsageError(f"there is nothing between frame {start} and frame {stop}")
        found = _search(log, row, check, command).search(start, stop)
        words = WORDS if command is None else COMMAND_WORDS
        told = Told(
            check or command or "", start, stop, found, _next(place, run, found.frame), words
        )
        if as_json:
            print_json(_object(log, row, told))
        else:
            _print(log, row, told)
    return 0 if found.frame else 1


def _search(log: "Log", row: "RunRow", check: str | None, command: str | None) -> "Search":
    from holdfast.bisecting import Bisection, FilesBisection

    if command is None:
        return Bisection(log, row, check or "")
    from ..recorded import Extractor

    return FilesBisection(log, row, command, Extractor(log, row))


def _next(place: Place, run: str, frame: int) -> list[str]:
    if not frame:
        return []
    show = place.command("show", run, "--at", str(frame))
    fork = place.command("fork", run, "--at", str(max(1, frame - 1)))  # nothing is before the first
    return [show, fork]


def _object(log: "Log", row: "RunRow", told: Told) -> dict[str, Any]:
    from holdfast.replaying import record_of

    from .. import values

    found, frame = told.found, told.found.frame
    return {
        "run": row.run,
        "check": told.check,
        "from": told.start,
        "to": told.stop,
        "at_start": found.good,
        "at_end": found.good != bool(frame),
        "frame": frame or None,
        "event": values.record(log, record_of(log, row, frame)) if frame else None,
        "evaluations": found.evaluations,
        "next": told.next,
    }


def _print(log: "Log", row: "RunRow", told: Told) -> None:
    from holdfast.replaying import record_of

    from ..frames import event_line

    found = told.found
    if not found.frame:
        ends = f"at frame {told.start} and at frame {told.stop} alike"
        click.echo(f"it {told.words[found.good]} {ends}: {told.check}")
        click.echo("choose other ends with --from and --to, or ask something else", err=True)
        return
    word = told.words[not found.good]
    click.echo(f"frame {found.frame} is the first at which it {word}: {told.check}")
    click.echo(f"  {event_line(log, record_of(log, row, found.frame))}")
    look, leave = told.next
    click.echo(f"look at it:      {look}")
    click.echo(f"go another way:  {leave}")
