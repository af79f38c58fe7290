"""`holdfast replay`."""

from typing import TYPE_CHECKING, NamedTuple

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.debugging import Debugger
    from holdfast.eventlog import Log, RunRow
    from holdfast.replaying import Replayer, Verdict

WORKFLOW = "FILE[:NAME]"


class One(NamedTuple):
    """One run to be driven anew: up to frame `at`, if it was given, with the code of `given`, if it was."""

    place: Place
    log: "Log"
    row: "RunRow"
    replayer: "Replayer"
    at: int | None
    given: str | None


@click.command()
@click.argument("run", required=False)
@click.option("--at", type=click.IntRange(0), metavar="N", help="Only up to frame N.")
@click.option("--workflow", metavar=WORKFLOW, help="The code; else where the run has it from.")
@click.option("--step", "stepwise", is_flag=True, help="Step through the frames.")
@click.option("--pdb", "debug", is_flag=True, help="Open a debugger in the workflow's own code.")
@click.option("--all", "every", is_flag=True, help="All runs of the workflow of --against.")
@click.option("--against", metavar=WORKFLOW, help="With --all: the changed code to be tried.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="With --all: the newest N runs.")
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
        one = _one(place, log, run, at, workflow)
        if stepwise:
            return _step(one)
        return _debug(one) if debug else _prove(one, as_json=as_json)


def _one(place: Place, log: "Log", run: str, at: int | None, given: str | None) -> One:
    from msgspec.structs import replace

    from ..frames import check_frame

    row = replace(log.run(run), run=run)  # as it was typed, which may be RUN@BRANCH
    frame = None if at is None else check_frame(run, at, row.head)
    return One(place, log, row, _replayer(place, log), frame, given)


def _replayer(place: Place, log: "Log") -> "Replayer":
    import os

    from holdfast.redact import Redactor
    from holdfast.replaying import Replayer

    from ..tools import tools

    kit = tools(place.project())
    return Replayer(log, kit.load, Redactor(os.environ, kit.plugins))


def _prove(one: One, *, as_json: bool) -> int:
    from ..replays import print_replay, replay_object
    from ..values import print_json

    found = one.replayer.prove(one.row, one.replayer.workflow(one.row, one.given), one.at)
    if as_json:
        print_json(replay_object(one.log, one.row, found))
    else:
        print_replay(one.place, one.log, one.row, found, one.given)
    return 0 if found.ok else 1


def _step(one: One) -> int:
    from contextlib import closing

    from ..stepper import Stepper, typed, where_lines

    def lines_at(frame: int) -> list[str]:
        workflow = one.replayer.workflow(one.row, one.given)
        with one.replayer.driven(one.row, workflow, frame) as driver:
            return where_lines(driver)

    start = min(1, one.row.head) if one.at is None else one.at
    with closing(typed()) as commands:  # at once: a terminal is to be put back as it was
        Stepper(one.log, one.row, lines_at).step(start, commands)
    return 0


def _debug(one: One) -> int:
    from holdfast.debugging import debugger, post_mortem
    from holdfast.reducer import WorkflowError, raised

    from ..frames import event_line

    workflow = one.replayer.workflow(one.row, one.given)
    frame = one.at
    if frame is None:
        proof = one.replayer.prove(one.row, workflow).proof
        frame = proof.look
        if proof.divergence is not None:
            click.echo(f"the code parts from the record: {proof.divergence.difference}", err=True)
    record = one.replayer.record(one.row, frame) if frame else None
    happened = event_line(one.log, record) if record else "before the first event"
    click.echo(f"frame {frame} of {one.row.head}  {happened}", err=True)
    try:
        with one.replayer.driven(one.row, workflow, frame) as driver:
            _open(debugger(driver, one.row.run, frame, record.event if record else None))
    except WorkflowError as error:
        if not raised(error):
            raise
        _open(post_mortem(error))
    return 0


def _open(debugger: "Debugger") -> None:
    click.echo("\n".join(debugger.listed()), err=True)
    debugger.open()


def _all(place: Place, against: str, limit: int | None, *, as_json: bool) -> int:
    from holdfast.replaying import runs_of

    from ..replays import print_verdict, with_progress

    verdicts: list[Verdict] = []
    with place.log() as log:
        replayer = _replayer(place, log)
        workflow = replayer.load(against)
        rows = runs_of(log, workflow.name, limit)
        for verdict in with_progress(replayer.against(workflow, rows), len(rows)):
            verdicts.append(verdict)
            if not as_json:
                print_verdict(verdict)
    return _sum_up(workflow.name, verdicts, as_json=as_json)


def _sum_up(workflow: str, verdicts: "list[Verdict]", *, as_json: bool) -> int:
    from ..replays import verdict_object
    from ..values import print_json

    diverged = sum(bool(verdict.problem) for verdict in verdicts)
    if as_json:
        runs = [verdict_object(verdict) for verdict in verdicts]
        print_json({"workflow": workflow, "ok": diverged == 0, "diverged": diverged, "runs": runs})
    elif not verdicts:
        click.echo(f"no run of workflow {workflow!r} is recorded", err=True)
    else:
        same = len(verdicts) - diverged
        click.echo(f"{same} of {len(verdicts)} runs of {workflow!r} stay the same")
    return 1 if diverged else 0
