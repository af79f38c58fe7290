"""`holdfast log`."""

from typing import TYPE_CHECKING, Any

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log, Record

HIDDEN = {"type", "key", "seq", "offset", "time", "actor", "fingerprint", "code", "reads", "digest"}


@click.command()
@click.argument("run")
@json_option
@click.pass_obj
def log(place: Place, run: str, as_json: bool) -> None:
    """Show what happened in a run, event by event.

    With --json one object a line: seq, offset, time, actor, type and the event's own fields.
    """
    with place.log() as events:
        for record in events.records(events.branch_of(run)):
            click.echo(_json(events, record) if as_json else _text(events, record))


def _json(log: "Log", record: "Record") -> bytes:
    from .. import values

    return values.encoded(values.record(log, record))


def _text(log: "Log", record: "Record") -> str:
    from .. import values
    from ..words import moment, one_line

    line = values.record(log, record)
    about = {name: value for name, value in line.items() if name not in HIDDEN and _tells(value)}
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
