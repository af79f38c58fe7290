"""`holdfast log`."""

from typing import TYPE_CHECKING, Any

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log, Record

HIDDEN = {
    "type", "key", "seq", "offset", "time", "actor", "fingerprint", "code", "reads", "digest",
    "tree", "started", "finished", "files",
}  # fmt: skip


@click.command()
@click.argument("run")
@click.option("--own", is_flag=True, help="Of a fork only what is its own, nothing inherited.")
@json_option
@click.pass_obj
def log(place: Place, run: str, own: bool, as_json: bool) -> None:
    """Show what happened in a run, event by event.

    Of a fork, a line marks where it left the history that it comes from; before that line are the
    events that it inherited. With --json one object a line: seq, offset, time, actor, type and the
    event's own fields. @NAME shows a schedule's: who added it, and what became of each of its times.
    """
    from holdfast.eventlog import SCHEDULE_SIGN, is_schedule

    with place.log() as events:
        name = run.removeprefix(SCHEDULE_SIGN)
        branch = events.schedule(name).branch if is_schedule(run) else events.branch_of(run)
        written_to = 0
        for record in events.records(branch, events.branch(branch).offset if own else 0):
            if as_json:
                click.echo(_json(events, record))
                continue
            if record.branch != written_to and (mark := _mark(events, record.branch)):
                click.echo(mark)
            written_to = record.branch
            click.echo(_text(events, record))


def _mark(log: "Log", branch: int) -> str | None:
    from ..forks import fork_line, fork_of

    fork = fork_of(log, branch)
    return fork and click.style(f"--- {fork_line(log, fork)}", fg="cyan")


def _json(log: "Log", record: "Record") -> bytes:
    from .. import values

    return values.encoded(values.record(log, record))


def _text(log: "Log", record: "Record") -> str:
    from .. import values
    from ..words import moment, one_line

    line = values.record(log, record)
    about = {name: value for name, value in line.items() if name not in HIDDEN and _tells(value)}
    if line["type"] == "step.reused":
        about = {"from": line["origin"] or "an edit", **about}
        about.pop("origin", None)
    detail = "  ".join(f"{name}={_short(value)}" for name, value in about.items())
    place = click.style(f"{record.offset:>5}  {moment(record.time)}", dim=True)
    key = str(line.get("key", ""))
    return (
        f"{place}  {one_line(line['type']):<20} {one_line(key)}  {one_line(detail, 160)}".rstrip()
    )


def _tells(value: Any) -> bool:
    return value not in (None, "", 0, [], {}, False)


def _short(value: Any) -> str:
    from .. import values
    from ..words import one_line

    text = value if isinstance(value, str) else values.encoded(value).decode()
    return one_line(text, 80)
