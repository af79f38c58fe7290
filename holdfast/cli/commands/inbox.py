"""`holdfast inbox`."""

import time
from typing import TYPE_CHECKING, Any

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import AnyEvent, Log, Waiting


@click.command()
@click.option("--all", "every", is_flag=True, help="All of them, not only the oldest.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@json_option
@click.pass_obj
def inbox(place: Place, every: bool, limit: int, as_json: bool) -> None:
    """List what waits for people, in all runs, the oldest first.

    With each stands who may decide it, until when, and the command that does.
    """
    from ..values import print_json

    with place.log() as log:
        found = log.inbox(None if every else limit)
        if as_json:
            print_json([waiting_object(place, log, waiting) for waiting in found])
            return
        now = time.time_ns()
        for waiting in found:
            click.echo(_text(place, log, waiting, now) + "\n")
        _note(place, log.inbox_size(), len(found))


def _event(log: "Log", waiting: "Waiting") -> "AnyEvent":
    """Return what opened the gate."""
    at = waiting.gate.offset
    return next(log.records(waiting.branch, at, at + 1)).event


def _subject(log: "Log", event: "AnyEvent") -> Any:
    from holdfast.eventlog import NONE

    from ..values import decoded

    return decoded(log, getattr(event, "subject", getattr(event, "question", NONE)))


def waiting_object(place: Place, log: "Log", waiting: "Waiting") -> dict[str, Any]:
    from ..gates import commands
    from ..words import rfc3339

    gate, event = waiting.gate, _event(log, waiting)
    command, *other = commands(place, waiting.run, gate.kind, gate.key)
    digest: bytes = getattr(event, "digest", b"")
    return {
        "run": waiting.run,
        "gate": gate.key,
        "kind": gate.kind,
        "subject": _subject(log, event),
        "digest": digest.hex() or None,
        "by": gate.by,
        "escalated_to": gate.also,
        "count": gate.count,
        "approved": gate.approved,
        "opened": rfc3339(gate.opened),
        "expires": rfc3339(gate.expires_at),
        "on_expire": _on_expire(event, waiting),
        "command": command,
        "other_commands": other,
    }


def _on_expire(event: "AnyEvent", waiting: "Waiting") -> str | None:
    if not waiting.gate.expires_at:
        return None
    return "deny" if waiting.gate.also else getattr(event, "on_expire", "deny")


def _text(place: Place, log: "Log", waiting: "Waiting", now: int) -> str:
    from ..gates import commands, expiry, kind_of, people
    from ..view import text_of
    from ..words import duration, one_line

    gate, event = waiting.gate, _event(log, waiting)
    kind, subject = kind_of(gate.kind), _subject(log, event)
    so_far = f" ({len(gate.approved)} of {gate.count} so far)" if gate.count > 1 else ""
    about = [
        f"waits {duration(max(0, now - gate.opened) / 1e9)} for {people(gate.by, gate.also)}{so_far}",
        expiry(gate.expires_at, _on_expire(event, waiting) or "", now),
    ]
    name = click.style(one_line(f"{waiting.run} {gate.key!r}"), bold=True)
    head = f"{name}  {kind.wanted}: {one_line(', '.join(filter(None, about)), 200)}"
    shown = one_line(text_of(subject), 100) if subject is not None else kind.about
    lines = [head, *([f"  {shown}"] if shown else [])]
    return "\n".join(
        [*lines, *(f"  {c}" for c in commands(place, waiting.run, gate.kind, gate.key))]
    )


def _note(place: Place, count: int, shown: int) -> None:
    if not count:
        click.echo("nothing waits for anybody", err=True)
    elif count > shown:
        command = place.command("inbox", "--all")
        click.echo(f"{count - shown} newer ones are not shown: {command}", err=True)
