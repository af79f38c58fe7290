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
        json_option,
        click.pass_obj,
    )[::-1]:
        command = add(command)
    return command


@click.command()
@_options
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
def approve(
    place: Place, run: str, gate: str | None, by: str | None, note: str, usd: float | None, tokens: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Approve what RUN waits for; GATE may be left out where only one is open.

    The gate of a budget that is reached is called budget: holdfast approve RUN budget --add 5
    """
    more = {"usd": usd or 0.0, "tokens": tokens or 0} if usd or tokens else None
    _decide(place, run, gate, approved=True, by=by, note=note, as_json=as_json, more=more)


@click.command()
@_options
def deny(
    place: Place, run: str, gate: str | None, by: str | None, note: str, as_json: bool
) -> None:
    """Deny what RUN waits for; GATE may be left out where only one is open."""
    _decide(place, run, gate, approved=False, by=by, note=note, as_json=as_json)


def _decide(
    place: Place,
    run: str,
    gate: str | None,
    *,
    approved: bool,
    by: str | None,
    note: str,
    as_json: bool,
    more: dict[str, float] | None = None,
) -> None:
    import msgspec

    from holdfast.runs import decide_gate

    from ..rows import is_alive
    from ..values import print_json
    from ..words import printable

    who = by or user()
    with place.log() as log:
        found = decide_gate(
            log,
            run,
            gate,
            approved=approved,
            by=who,
            actor=place.actor,
            note=note,
            edits=msgspec.Raw(msgspec.msgpack.encode(more)),
            kind="budget" if more else "",
        )
        row = log.run(run)
        alive = is_alive(log, row)
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
    elif not alive:
        click.echo(f"go on with: {place.command('resume', row.parent_run or run)}")
