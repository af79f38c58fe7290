"""`holdfast init`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="NAME",
    help="Who works here; may be repeated. By default all that are found.",
)
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--dry-run", is_flag=True, help="Only show what would be written.")
@click.option("--undo", is_flag=True, help="Take back what init wrote, and only that.")
@json_option
@click.pass_obj
def init(
    place: Place, agents: tuple[str, ...], yes: bool, dry_run: bool, undo: bool, as_json: bool
) -> int:
    """Set a project up for the coding agents that work in it.

    Each gets the skill, which tells it when and how to use Holdfast, and `holdfast mcp` as a server
    where it has settings for one project. holdfast.toml gets roles to begin with. What would be
    written is shown first. What is there already is never replaced, and doing it again is harmless.
    """
    from .. import initial
    from ..values import print_json

    if undo and agents:
        raise click.UsageError("--undo takes everything back: leave --agent out")
    found = initial.undone(place) if undo else initial.planned(place, agents)
    told = initial.told(found)
    if not as_json:
        initial.show(told)
    wanted = bool(told.changes) and not dry_run
    agreed = wanted and (yes or (not as_json and initial.agreed(place, undo, agents)))
    if agreed:
        found.write(place.project().home)
    if as_json:
        print_json({**told._asdict(), "written": agreed})
    elif agreed:
        initial.show_end(undo)
    if not wanted or agreed:
        return 0
    return 2 if as_json else 1
