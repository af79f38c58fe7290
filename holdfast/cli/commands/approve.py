"""`holdfast approve` and `holdfast deny`."""

from collections.abc import Callable
from typing import Any

import click

from ..options import dollars, json_option
from ..place import Place, user


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for add in (
        click.argument("run"),
        click.argument("gate", required=False),
        click.option("--by", metavar="WHO", help="Who decides; by default you."),
        click.option("--note", metavar="TEXT", default="", help="Why."),
        click.option(
            "--digest",
            metavar="HEX",
            default="",
            help="Only if what it asks for still has this digest, or one that begins so.",
        ),
        json_option,
        click.pass_obj,
    )[::-1]:
        command = add(command)
    return command


@click.command()
@click.option("--edits", metavar="JSON|@FILE", help="What is to be done otherwise; @- reads it.")
@click.option(
    "--add",
    "usd",
    metavar="USD",
    type=dollars,
    help="Of a budget: how many dollars more; by default as much again.",
)
@click.option(
    "--add-tokens",
    "tokens",
    metavar="N",
    type=click.IntRange(1),
    help="Of a budget: how many tokens more.",
)
@_options
def approve(
    place: Place,
    run: str,
    gate: str | None,
    edits: str | None,
    usd: float | None,
    tokens: int | None,
    **word: Any,
) -> None:
    """Approve what RUN waits for; GATE may be left out where only one is open.

    Edits that do not fit what the gate takes are refused, field by field, and nothing is written.
    The gate of a budget that is reached is called budget: holdfast approve RUN budget --add 5
    """
    more = {"usd": usd or 0.0, "tokens": tokens or 0} if usd or tokens else None
    if more and edits is not None:
        raise click.UsageError("--add is for a budget, --edits for an approval: give one of them.")
    _decide(place, run, gate, approved=True, edits=edits, more=more, **word)


@click.command()
@_options
def deny(place: Place, run: str, gate: str | None, **word: Any) -> None:
    """Deny what RUN waits for; GATE may be left out where only one is open."""
    _decide(place, run, gate, approved=False, edits=None, **word)


def _decide(
    place: Place,
    run: str,
    gate: str | None,
    *,
    approved: bool,
    by: str | None,
    note: str,
    digest: str,
    edits: str | None,
    as_json: bool,
    more: dict[str, float] | None = None,
) -> None:
    import msgspec

    from holdfast.insiders import refuse_insider, surroundings
    from holdfast.runs import decide_gate

    from ..hints import going_on
    from ..inputs import parse
    from ..rows import is_alive
    from ..values import print_json
    from ..words import printable

    who = user() if by is None else by
    example = place.command("approve", run, *([gate] if gate else []), "--edits", '{"field": 1}')
    given = None if edits is None else parse(edits, "--edits", example)
    packed = msgspec.Raw(msgspec.msgpack.encode(more or given))
    with place.log() as log:
        refuse_insider(log, run, surroundings())
        found = decide_gate(
            log, run, gate, approved=approved, by=who, actor=place.actor, note=note, edits=packed,
            digest=digest, kind="budget" if more else "",
        )  # fmt: skip
        row = log.run(run)
        alive = is_alive(log, row)
        hint = going_on(place, log, row)
    if as_json:
        print_json(
            {
                "run": run,
                "gate": found.key,
                "approved": approved,
                "by": who,
                "offset": row.head,
                "owner_alive": alive,
            }
        )
        return
    name = printable(who, keep="")
    click.echo(f"{name} {'approved' if approved else 'denied'} {found.key!r} of {run}")
    missing = found.count - len({who, *(vote.by for vote in found.votes)}) if approved else 0
    if missing > 0:
        click.echo(f"{missing} more must approve it, with --by another name")
    elif hint:
        click.echo(hint)
