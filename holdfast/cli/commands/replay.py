"""`holdfast replay`."""

from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log, RunRow
    from holdfast.reducer import Workflow
    from holdfast.replaying import Replayer

WORKFLOW = "FILE[:NAME]"


@click.command()
@click.argument("run", required=False)
@click.option("--at", type=click.IntRange(0), metavar="N", help="Only up to frame N.")
@click.option(
    "--workflow", metavar=WORKFLOW, help="The code; by default where the run has it from."
)
@click.option("--step", "stepwise", is_flag=True, help="Step through the frames.")
@click.option("--pdb", "debug", is_flag=True, help="Open a debugger in the workflow's own code.")
@click.option("--all", "every", is_flag=True, help="All runs of the workflow of --against.")
@click.option("--against", metavar=WORKFLOW, help="With --all: the changed code to be tried.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="With --all: only the newest N.")
@json_option
@click.pass_obj
def replay(
    place: Place,
    run: str | None,
    at: int | None,
    workflow: str | None,
    stepwise: bool,
    debug: bool,
    every: bool,
    against: str | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """Drive a run anew with what is recorded, and compare: does its code still do the same?

    Nothing is executed and nothing is written. Exits with 1 where run and code part. With --all
    --against FILE, every recorded run is a test of a changed workflow.
    """
    if every or against is not None:
        if run is not None or at is not None or workflow is not None or stepwise or debug:
            raise click.UsageError("--all --against FILE takes nothing else but --limit and --json")
        if not every or against is None:
            raise click.UsageError("--all and --against FILE belong together")
        return _all(place, against, limit, as_json=as_json)
    if run is None:
        raise click.UsageError("which run? Name one, or try all: --all --against FILE")
    if limit is not None:
        raise click.UsageError("--limit belongs to --all")
    if stepwise + debug + as_json > 1:
        raise click.UsageError("--step, --pdb and --json exclude each other")
    with place.log() as log:
        row = log.run(run)
        replayer = _replayer(place, log)
        if stepwise:
            return _step(log, row, replayer, run, at, workflow)
        code = replayer.workflow(row, workflow)
        if debug:
            return _debug(log, row, replayer, run, at, code)
        return _prove(place, log, row, replayer, run, at, code, as_json=as_json)


def _replayer(place: Place, log: "Log") -> "Replayer":
    import os

    from holdfast.redact import Redactor
    from holdfast.replaying import Replayer

    from ..tools import tools

    kit = tools(place.project())
    return Replayer(log, kit.load, Redactor(os.environ, kit.plugins))


def _prove(
    place: Place,
    log: "Log",
    row: "RunRow",
    replayer: "Replayer",
    run: str,
    at: int | None,
    workflow: "Workflow",
    *,
    as_json: bool,
) -> int:
    from ..frames import check_frame
    from ..replays import print_replay, replay_object
    from ..values import print_json

    found = replayer.prove(run, workflow, check_frame(run, at, row.head))
    if as_json:
        print_json(replay_object(log, row, found))
    else:
        print_replay(place, log, row, found)
    return 0 if found.ok else 1


def _step(
    log: "Log", row: "RunRow", replayer: "Replayer", run: str, at: int | None, given: str | None
) -> int:
    from ..frames import check_frame
    from ..stepper import Stepper, typed, where_lines

    def lines_at(frame: int) -> list[str]:
        with replayer.driven(run, replayer.workflow(row, given), frame) as driven:
            return where_lines(*driven)

    start = check_frame(run, min(1, row.head) if at is None else at, row.head)
    Stepper(log, row, lines_at).step(start, typed())
    return 0


def _debug(
    log: "Log",
    row: "RunRow",
    replayer: "Replayer",
    run: str,
    at: int | None,
    workflow: "Workflow",
) -> int:
    from holdfast.debugging import debugger
    from holdfast.replaying import record_of

    from ..frames import check_frame, event_line

    frame = check_frame(run, at, row.head)
    if at is None:
        frame = _where_to_look(replayer, run, workflow)
    record = record_of(log, run, frame) if frame else None
    with replayer.driven(run, workflow, frame) as (driver, _):
        opened = debugger(driver, run, frame, record and record.event)
        about = event_line(log, record) if record else ""
        click.echo(f"frame {frame} of {row.head}  {about}", err=True)
        if len(opened.stacks) > 1:
            listed = "\n".join(opened.listed())
            click.echo(f"{listed}\nchoose another with: task N", err=True)
        else:
            click.echo(f"at: {next(iter(opened.stacks))}", err=True)
        opened.open()
    return 0


def _where_to_look(replayer: "Replayer", run: str, workflow: "Workflow") -> int:
    """Return where a run stands or failed, and for one that ended well the last frame before that."""
    proof = replayer.prove(run, workflow).proof
    if proof.mismatch is not None:
        click.echo(f"the code parts from the record: {proof.mismatch.difference}", err=True)
        return proof.mismatch.reached
    if proof.ended_at and proof.state.status != "failed":
        return proof.ended_at - 1
    return proof.events


def _all(place: Place, against: str, limit: int | None, *, as_json: bool) -> int:
    from holdfast.replaying import runs_of

    from ..replays import print_verdict, verdict_object, with_progress
    from ..values import print_json

    with place.log() as log:
        replayer = _replayer(place, log)
        workflow = replayer.load(against)
        rows = runs_of(log, workflow.name, limit)
        verdicts = []
        for verdict in with_progress(replayer.against(workflow, rows), len(rows)):
            verdicts.append(verdict)
            if not as_json:
                print_verdict(verdict)
    diverged = sum(bool(verdict.problem) for verdict in verdicts)
    if as_json:
        runs = [verdict_object(verdict) for verdict in verdicts]
        print_json(
            {"workflow": workflow.name, "ok": diverged == 0, "diverged": diverged, "runs": runs}
        )
    elif not rows:
        click.echo(f"no run of workflow {workflow.name!r} is recorded", err=True)
    else:
        click.echo(f"{len(rows) - diverged} of {len(rows)} runs of {workflow.name!r} stay the same")
    return 1 if diverged else 0
