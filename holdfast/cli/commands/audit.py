"""`holdfast audit`."""

import sys
from collections.abc import Callable

import click

from ..options import json_option
from ..place import Place


@click.group()
def audit() -> None:
    """Check that the record can be trusted."""


@audit.command("verify")
@json_option
@click.pass_obj
def verify(place: Place, as_json: bool) -> int:
    """Recompute the log's Merkle tree, and name the first record that does not match.

    The printed root stands for all records: note it down elsewhere to prove later that none changed.
    """
    from holdfast.eventlog import verify as verify_log

    from ..values import print_json

    with place.log() as log:
        verdict = verify_log(log, progress=_progress(hidden=as_json))
    fault = verdict.fault
    if as_json:
        told = fault and {"seq": fault.seq, "kind": fault.kind, "detail": fault.detail}
        print_json(
            {
                "ok": verdict.ok,
                "records": verdict.records,
                "root": verdict.root.hex(),
                "fault": told,
            }
        )
    elif fault is None:
        click.echo(f"ok: {verdict.records} records, root {verdict.root.hex()}")
    else:
        sign = click.style("error[log_tampered]", fg="red")
        click.echo(f"{sign}: record {fault.seq}: {fault.detail}", err=True)
    return 0 if verdict.ok else 1


def _progress(*, hidden: bool) -> Callable[[int, int], None] | None:
    if hidden or not sys.stderr.isatty():
        return None

    def show(checked: int, total: int) -> None:
        end = "\r" if checked < total else "\r\033[K"
        click.echo(f"checked {checked} of {total} records{end}", nl=False, err=True)

    return show
