"""`holdfast run`."""

from typing import TYPE_CHECKING

import click

from ..options import dollars, progress_options
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Budget, Log
    from holdfast.project import Project
    from holdfast.reducer import Edits, Workflow

    from ..tools import Tools


@click.command()
@click.argument("workflow", metavar="FILE[:NAME]|NAME")
@click.option("--input", "text", metavar="JSON|@FILE", help="The input: an object; @- reads it.")
@click.option(
    "-i", "pairs", metavar="KEY=VALUE", multiple=True, help="One field of it; may be repeated."
)
@click.option("--id", "given_id", metavar="ID", help="The run's id; by default one is made.")
@click.option(
    "--budget",
    metavar="USD",
    type=dollars,
    help="What it may cost; then it asks. By default what holdfast.toml says, or the workflow.",
)
@click.option(
    "--budget-tokens",
    metavar="N",
    type=click.IntRange(1),
    help="How many tokens it may use, read and written together.",
)
@click.option("--detach", is_flag=True, help="Execute it in the background.")
@click.option("--watch", is_flag=True, help="Take up saved edits of the file, for steps to come.")
@click.option("--dry-run", is_flag=True, help="Show what it would do, with samples for results.")
@click.option(
    "--sample",
    "samples",
    metavar="STEP=JSON",
    multiple=True,
    help="A result for --dry-run; may be repeated, and `*` stands for any text.",
)
@progress_options
@click.pass_obj
def run(
    place: Place,
    workflow: str,
    text: str | None,
    pairs: tuple[str, ...],
    given_id: str | None,
    budget: float | None,
    budget_tokens: int | None,
    detach: bool,
    watch: bool,
    dry_run: bool,
    samples: tuple[str, ...],
    as_json: bool,
    verbose: bool,
) -> int:
    """Run a workflow: a file, FILE:NAME, or the name of an installed one.

    Exits with 0 when it is done, 1 when it failed, 3 when it waits for somebody, also at its budget, 4
    when a loop reached its ceiling or the budget was not raised, 130 when it was interrupted.
    """
    from holdfast.settings import budget_of

    from ..inputs import run_id, workflow_input
    from ..tools import tools

    if dry_run or samples:
        from ..dryruns import refuse_together, show_dry_run

        limited = budget is not None or budget_tokens is not None
        refuse_together(id=given_id, detach=detach, watch=watch, budget=limited)
        return show_dry_run(place, workflow, text, pairs, samples, as_json=as_json)

    project = place.project()
    kit = tools(project)
    found = kit.load(workflow)
    given = workflow_input(found, text, pairs)
    name = run_id(given_id, found.name)
    with place.log(create=True) as log:
        limit = budget_of(kit.config.limits, budget or 0.0, budget_tokens or 0, found.budget)
        create(place, log, kit, project, found, workflow, given, name, limit)
        if detach:
            return run_in_background(place, log, name, as_json=as_json)
        return run_in_foreground(
            place, log, kit, name, workflow=found, watch=watch, as_json=as_json, verbose=verbose
        )


def create(
    place: Place,
    log: "Log",
    kit: "Tools",
    project: "Project",
    found: "Workflow",
    reference: str,
    given: dict[str, object],
    name: str,
    budget: "Budget | None",
) -> None:
    from holdfast.engine import Engine

    from ..inputs import source_of

    Engine(log, kit.plugins, kit.load, actor=place.actor, config=kit.config).create(
        found,
        given,
        run=name,
        folder=str(project.root),
        source=source_of(reference),
        budget=budget,
    )


def run_in_foreground(
    place: Place,
    log: "Log",
    kit: "Tools",
    name: str,
    *,
    workflow: "Workflow | None" = None,
    takeover: bool = False,
    watch: bool = False,
    edits: "Edits" = "refuse",
    as_json: bool = False,
    verbose: bool = False,
) -> int:
    """Execute a run with its progress shown, print how it ended and return the exit status."""
    from holdfast.reducer import WorkflowError

    from ..display import choose
    from ..execute import execute
    from ..finish import finish, stopped

    if not as_json:
        click.echo(f"run {name}", err=True)
    display = choose(name, log.load, as_json=as_json, verbose=verbose)
    try:
        execute(
            log, kit, name, display, workflow=workflow, takeover=takeover, watch=watch, edits=edits
        )
    except WorkflowError as error:
        return stopped(place, log, name, error, as_json=as_json)
    return finish(place, log, name, as_json=as_json)


def run_in_background(
    place: Place, log: "Log", name: str, *, takeover: bool = False, as_json: bool = False
) -> int:
    """Leave a run to who serves the project, else to a new process, and tell how to follow it."""
    from holdfast.runs import read_state
    from holdfast.servers import leave_to_server, server_of

    from ..detach import detach
    from ..shapes import run_object
    from ..values import print_json

    server = 0 if takeover else server_of(log.path)
    path = None
    if server:
        leave_to_server(log, name, place.actor)
    else:
        path = detach(place, log, name, takeover=takeover)
    if as_json:
        state = read_state(log, log.branch_of(name))
        more = {"log_file": str(path) if path else None, "served_by": server or None}
        print_json({**run_object(log, state), **more})
        return 0
    click.echo(name)
    click.echo(f"watch it with: {place.command('watch', name)}", err=True)
    told = f"its output goes to {path}" if path else f"holdfast serve (process {server}) has it"
    click.echo(told, err=True)
    return 0
