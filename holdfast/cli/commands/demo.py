"""`holdfast demo`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..place import Place, user

if TYPE_CHECKING:
    from holdfast.eventlog import Log

    from ..tools import Tools

RUN = "demo"
GATE = "accept the change"


@click.command()
@click.option("--folder", metavar="FOLDER", help="Where; by default a new temporary folder.")
@click.option("--yes", is_flag=True, help="Approve without asking.")
def demo(folder: str | None, yes: bool) -> int:
    """See a whole run in a few seconds, without keys or network.

    A scripted agent mends a function in a new git repository. All else is real: the workflow
    `implement`, the tests, the log, the approval.
    """
    from ..demo_project import GOAL, make

    root = make(folder)
    place = Place(str(root / ".holdfast"))
    click.echo(f"A git repository with failing tests is in {root}")
    click.echo(f"The workflow 'implement' gets the goal: {GOAL}.")
    click.echo("A scripted agent stands in for a real one. It needs three rounds.\n")
    return _demonstrate(place, root, yes=yes)


def _demonstrate(place: Place, root: Path, *, yes: bool) -> int:
    from ..finish import WAITING
    from ..tools import tools

    kit = tools(place.project())
    with place.log(create=True) as log:
        status = _start(place, log, kit, root)
        if status == WAITING:
            status = _decide_and_go_on(place, log, kit, approved=_asked(yes=yes))
    click.echo("\nWhat happened is recorded, event by event. Look at it with:")
    for words in (("show", RUN), ("log", RUN), ("audit", "verify")):
        click.echo(f"  {place.command(*words)}")
    click.echo(f"  git -C {root} diff")
    return status


def _start(place: Place, log: "Log", kit: "Tools", root: Path) -> int:
    from holdfast.engine import Engine

    from ..demo_project import workflow_input
    from .run import run_in_foreground

    workflow = kit.load("implement")
    Engine(log, kit.plugins, kit.load, actor=place.actor).create(
        workflow, workflow_input(root), run=RUN, folder=str(root), source="implement"
    )
    return run_in_foreground(place, log, kit, RUN, workflow=workflow)


def _asked(*, yes: bool) -> bool:
    """Ask the person at the terminal; without one, or with --yes, say yes."""
    if yes or not sys.stdin.isatty():
        click.echo("\nNobody is asked here, so the demo approves by itself.")
        return True
    return click.confirm("\nThe run waits, and would wait for days. Approve?", default=True)


def _decide_and_go_on(place: Place, log: "Log", kit: "Tools", *, approved: bool) -> int:
    from holdfast.runs import decide_gate

    from .run import run_in_foreground

    decide_gate(log, RUN, GATE, approved=approved, by=user(), actor=place.actor)
    return run_in_foreground(place, log, kit, RUN)
