"""`holdfast tree`."""

from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from ..family import Families, Member


@click.command()
@click.argument("run", required=False)
@click.option("--children", is_flag=True, help="Show the runs that each one started as well.")
@click.option("--all", "every", is_flag=True, help="All families, not only the newest ones.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@json_option
@click.pass_obj
def tree(
    place: Place, run: str | None, children: bool, every: bool, limit: int, as_json: bool
) -> None:
    """Show a run's forks, and theirs, as a tree; without RUN all runs that have any.

    A run whose name a rewind took over is called RUN@BRANCH, which every command understands. With
    --json one array, each branch after the one that it left.
    """
    from ..family import Families
    from ..familyview import lines, member_object
    from ..values import print_json

    with place.log() as log:
        families = Families(log)
        roots = families.roots() if run is None else [families.root(log.branch_of(run))]
        shown = roots if every or run is not None else roots[:limit]
        found = _read(families, shown)
        if as_json:
            print_json(
                [
                    member_object(log, member, family[0].name, children=children)
                    for family in found
                    for member in family
                ]
            )
            return
        for index, family in enumerate(found):
            click.echo("\n" * bool(index) + "\n".join(lines(log, family, children=children)))
        _note(place, len(roots), len(shown))


def _read(families: "Families", roots: list[int]) -> "list[list[Member]]":
    return [families.members(root) for root in roots]


def _note(place: Place, count: int, shown: int) -> None:
    if not count:
        click.echo(f"no run has forks. List all runs with: {place.command('ps')}", err=True)
    elif count > shown:
        command = place.command("tree", "--all")
        click.echo(f"{count - shown} older families are not shown: {command}", err=True)
