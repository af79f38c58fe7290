"""A plan as text and as JSON."""

from collections.abc import Iterable

import click

from holdfast.reducer import Item, Plan

from .words import duration, money, one_line

MOST_REASONS = 12  # lines of one difference
ACTIONS = {
    "runs": ("runs", "yellow"),
    "asks": ("asks", "yellow"),
    "waits": ("waits", "yellow"),
    "dropped": ("dropped", "red"),
    "reused": ("reused", "green"),
    "kept": ("kept", "green"),
}


def plan_object(plan: Plan) -> dict[str, object]:
    """Return what `plan --json` prints."""
    import msgspec

    return {
        "run": plan.origin,
        "reason": plan.reason,
        "offset": plan.base,
        "at": plan.at,
        "difference": plan.difference or None,
        "ends": plan.ended or None,
        "roles": plan.roles,
        "items": [msgspec.structs.asdict(item) for item in plan.items],
        "totals": {action: _totals(plan.of(action)) for action in ACTIONS},  # type: ignore[arg-type]
    }


def _totals(items: Iterable[Item]) -> dict[str, float]:
    found = list(items)
    return {
        "count": len(found),
        "cost_usd": sum(item.cost_usd for item in found),
        "seconds": sum(item.seconds for item in found),
    }


def print_plan(plan: Plan, *, err: bool = False) -> None:
    """Print what would be done; what stays is counted, what changes is told."""
    click.echo(f"{plan.reason} of {plan.origin}: leaves its history at {plan.base}", err=err)
    if plan.difference:
        click.echo(_indented(f"because {plan.difference}"), err=err)
    for change in plan.roles:
        click.echo(f"role {one_line(change, 200)}", err=err)
    for action, (word, colour) in ACTIONS.items():
        items = plan.of(action)  # type: ignore[arg-type]
        if items:
            head = click.style(f"{word:<8}", fg=colour)
            click.echo(f"{head} {_count(items)}  {_spent(items)}".rstrip(), err=err)
        for item in items:
            if item.because or action not in ("kept", "reused"):
                click.echo(_line(item), err=err)


def _line(item: Item) -> str:
    doubt = "" if item.certain else "perhaps "
    notes = [item.because.rstrip()]
    if item.repeats_effect:
        notes.append("an effect that was begun before")
    if item.lapses:
        notes.append("the approval lapses")
    first, _, rest = "; ".join(filter(None, notes)).partition("\n")
    line = f"  {doubt}{one_line(item.key)}  {click.style(one_line(first, 160), dim=True)}".rstrip()
    return f"{line}\n{_indented(rest)}" if rest else line


def _indented(text: str) -> str:
    lines = [one_line(line, 160) for line in text.splitlines()]
    if len(lines) > MOST_REASONS:
        lines = [*lines[:MOST_REASONS], f"... {len(lines) - MOST_REASONS} more lines"]
    return "\n".join(f"      {line}" for line in lines)


def _count(items: list[Item]) -> str:
    certain = sum(item.certain for item in items)
    rest = len(items) - certain
    return f"{certain}, perhaps {rest} more" if rest else str(certain)


def _spent(items: list[Item]) -> str:
    cost = money(sum(item.cost_usd for item in items))
    seconds = sum(item.seconds for item in items)
    return "  ".join(filter(None, [cost, duration(seconds) if seconds else ""]))
