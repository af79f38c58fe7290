"""How an execution ends for the shell: what is printed, and the exit status."""

import click

from holdfast.eventlog import Log
from holdfast.reducer import ENDED, State, WorkflowError
from holdfast.runs import read_state

from .failures import INTERRUPTED, tell
from .hints import going_on
from .place import Place
from .reasons import root_of
from .shapes import run_object
from .values import decoded, print_json
from .view import print_waiting, report_of
from .words import duration, for_reader, money, one_line, printable

WAITING, EXHAUSTED = 3, 4
EXHAUSTED_CODES = {"loop_exhausted", "budget_exceeded"}


def finish(place: Place, log: Log, run: str, *, as_json: bool) -> int:
    """Print how a run stands, which was executed until now, and return the exit status."""
    state = read_state(log, log.branch_of(run))
    if as_json:
        print_json(run_object(log, state))
    else:
        _print(place, log, state)
        _point_to_parent(place, log, run)
    return exit_status(state)


def stopped(place: Place, log: Log, run: str, error: WorkflowError, *, as_json: bool) -> int:
    """Tell why a workflow cannot be driven on; the run itself can, once that is mended."""
    state = read_state(log, log.branch_of(run))
    if state.error is None or state.error.code != error.code:
        raise error  # it never got so far: nothing of it is recorded
    if as_json:
        print_json(run_object(log, state))
    else:
        tell(error, place, as_json=False)
        root = root_of(log, log.run(run))
        click.echo(f"when that is mended, go on with: {place.command('resume', root)}", err=True)
    return error.exit_status


def exit_status(state: State) -> int:
    """Return the exit status that a run's state stands for."""
    match state.status:
        case "succeeded":
            return 0
        case "waiting":
            return WAITING
        case "running":
            return INTERRUPTED
        case _:
            codes = {state.error.code, state.error.type} if state.error else set[str]()
            return EXHAUSTED if codes & EXHAUSTED_CODES else 1


def _print(place: Place, log: Log, state: State) -> None:
    match state.status:
        case "succeeded":
            output = decoded(log, state.output)
            if output is not None:
                click.echo(for_reader(report_of(output)))
            click.echo(f"{state.run} succeeded {_spent(state)}", err=True)
        case "waiting":
            print_waiting(place, log, state)
            click.echo(f"\n{place.command('show', state.run)}", err=True)
        case "running":
            command = place.command("resume", root_of(log, log.run(state.run)))
            click.echo(f"{state.run} was interrupted. Go on with: {command}", err=True)
        case _:
            _print_failure(place, state)


def _point_to_parent(place: Place, log: Log, run: str) -> None:
    """Say how the parent goes on that waits for a child which was executed by itself, and has ended."""
    row = log.run(run)
    if row.status in ENDED and row.parent_run and (hint := going_on(place, log, row)):
        root = root_of(log, row)
        if root != run:
            click.echo(f"{root} has yet to take it in: {hint}", err=True)


def _print_failure(place: Place, state: State) -> None:
    if state.error is None:
        click.echo(f"{state.run} was {state.status} {_spent(state)}", err=True)
    else:
        sign = click.style(f"error[{one_line(state.error.code)}]", fg="red")
        message = printable(state.error.message)
        click.echo(f"{sign}: {state.run} {state.status}: {message}", err=True)
        if "\n" in state.error.detail.strip():
            click.echo(printable(state.error.detail.strip()), err=True)
    click.echo(f"look at it with: {place.command('show', state.run)}", err=True)


def _spent(state: State) -> str:
    took = duration((state.now - state.started) / 1e9)
    cost = money(state.usage.cost_usd)
    return f"in {took}{', ' if cost else ''}{cost}"
