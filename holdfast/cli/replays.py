"""What `holdfast replay` prints: of one run, and of all runs of a workflow."""

from collections.abc import Iterable, Iterator
from typing import Any

import click

from holdfast.eventlog import Log, RunRow
from holdfast.reducer import Divergence
from holdfast.replaying import Replay, Verdict, record_of

from . import values
from .frames import event_line
from .place import Place
from .view import one_line_kept
from .words import duration, one_line

IMPURE = (
    "The workflow function is the one that was recorded: a function that it calls was changed, or it "
    "reads something that is not recorded (find that with: holdfast check FILE)"
)
EDITED = "The workflow function is not the one that was recorded"


def replay_object(log: Log, row: RunRow, replay: Replay) -> dict[str, Any]:
    """Return what `replay --json` prints of one run."""
    proof = replay.proof
    return {
        "run": row.run,
        "workflow": row.workflow,
        "ok": replay.ok,
        "events": proof.events,
        "steps": len(proof.state.steps),
        "seconds": round(replay.seconds, 6),
        "status": proof.state.status,
        "asks": list(replay.asks),
        "unrecorded": list(replay.unrecorded),
        "stopped": proof.stopped or None,
        "divergence": _divergence_object(log, row, proof.divergence),
    }


def _divergence_object(
    log: Log, row: RunRow, divergence: Divergence | None
) -> dict[str, Any] | None:
    if divergence is None:
        return None
    return {
        "frame": divergence.frame,
        "key": divergence.key or None,
        "difference": divergence.difference,
        "edited": divergence.edited,
        "event": values.record(log, record_of(log, row, divergence.frame)),
    }


def print_replay(place: Place, log: Log, row: RunRow, replay: Replay, given: str | None) -> None:
    """Print whether a run's workflow does what is recorded, and where not.

    `given` is the workflow that was named in the command, for the commands that go on from here.
    """
    proof = replay.proof
    steps = f"{len(proof.state.steps)} steps"
    done = f"{proof.events} events, {steps} in {replay.seconds:.2f} s"
    if proof.divergence is not None:
        _print_divergence(place, log, row, proof.divergence, given)
        click.echo(f"replayed {done}", err=True)
        return
    click.echo(f"replayed {click.style(row.run, bold=True)}: {done}, and all of it fits")
    if proof.stopped:
        click.echo(f"it stops as it did: {proof.stopped}")
    elif replay.asks:
        click.echo(f"it asks for: {one_line(', '.join(replay.asks), 400)}")
    if replay.unrecorded:
        listed = one_line(", ".join(replay.unrecorded), 400)
        click.echo(f"of these, not recorded yet: {listed}")


def _print_divergence(
    place: Place, log: Log, row: RunRow, divergence: Divergence, given: str | None
) -> None:
    where = f"step {divergence.key!r}" if divergence.key else "the run as a whole"
    head = click.style(f"{row.run} diverges at frame {divergence.frame}, {where}", fg="red")
    first, *others = map(one_line_kept, divergence.difference.splitlines())
    click.echo("\n".join([f"{head}: {first}", *others]))
    click.echo(f"  {event_line(log, record_of(log, row, divergence.frame))}")
    click.echo(EDITED if divergence.edited else IMPURE)
    words = ["--at", str(divergence.look), *(["--workflow", given] if given else [])]
    click.echo(f"see the frames:  {place.command('replay', row.run, '--step', *words)}", err=True)
    click.echo(f"see the code:    {place.command('replay', row.run, '--pdb', *words)}", err=True)


def verdict_object(verdict: Verdict) -> dict[str, Any]:
    return {
        "run": verdict.run,
        "status": verdict.status,
        "events": verdict.events,
        "ok": not verdict.problem,
        "frame": verdict.frame or None,
        "key": verdict.key or None,
        "difference": verdict.problem or None,
    }


def print_verdict(verdict: Verdict) -> None:
    """Print in one line what other code would have made of a run."""
    if not verdict.problem:
        about = f"{verdict.status}, {verdict.events} events"
        click.echo(f"{click.style('ok', fg='green')}        {verdict.run}  ({about})")
        return
    where = f"step {verdict.key!r}" if verdict.key else "the run as a whole"
    place = f" at frame {verdict.frame}, {where}" if verdict.frame else ""
    head = f"{click.style('diverged', fg='red')}  {verdict.run}{place}"
    click.echo(f"{head}, because {one_line(verdict.problem, 300)}")


def with_progress(verdicts: Iterable[Verdict], count: int) -> Iterator[Verdict]:
    """Pass verdicts on; when that takes long, tell on standard error how far it is."""
    from time import monotonic

    begun = told = monotonic()
    for number, verdict in enumerate(verdicts, 1):
        yield verdict
        if (now := monotonic()) - told > 2:
            told = now
            click.echo(f"{number} of {count} runs in {duration(now - begun)}", err=True)
