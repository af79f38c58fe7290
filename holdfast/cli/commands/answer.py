"""`holdfast answer`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from ..options import json_option
from ..place import Place, user

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.reducer import Gate


@click.command()
@click.argument("run")
@click.argument("gate", required=False)
@click.option("--input", "text", metavar="JSON|@FILE", help="The answer; @- reads it.")
@click.option("--by", metavar="WHO", help="Who answers; by default you.")
@click.option("--note", metavar="TEXT", default="", help="Why.")
@json_option
@click.pass_obj
def answer(
    place: Place, run: str, gate: str | None, text: str | None, by: str | None, note: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Answer a question of RUN; GATE may be left out where only one is open.

    On a terminal it is a form, field by field. An answer that does not fit is refused with what is
    wrong with each field, and nothing is written.
    """
    from holdfast.insiders import refuse_insider, surroundings
    from holdfast.runs import answer_question

    from ..inputs import parse

    who = user() if by is None else by
    with place.log() as log:
        refuse_insider(log, run, surroundings())
        if text is None:
            found = _question(log, run, gate, who)
            gate, value = found.key, _filled_in(place, log, run, found)
        else:
            value = parse(text, "--input", place.command("answer", run, "--input", '{"field": 1}'))
        found = answer_question(log, run, gate, value, by=who, actor=place.actor, note=note)
        _tell(place, log, run, found.key, who, as_json=as_json)


def _question(log: "Log", run: str, gate: str | None, who: str) -> "Gate":
    """Return the question that is meant, so that nobody fills in a form for nothing."""
    import time

    from holdfast.people import open_gate
    from holdfast.runs import read_state

    state = read_state(log, log.branch_of(run))
    return open_gate(state, gate, who, "answered", time.time_ns())[0]


def _filled_in(place: Place, log: "Log", run: str, gate: "Gate") -> Any:
    from holdfast.runs import form_of

    from ..errors import BadInput
    from ..form import fill_in, outline
    from ..values import decoded
    from ..view import text_of
    from ..words import printable

    form = form_of(log, gate)
    if not sys.stdin.isatty():
        command = place.command("answer", run, gate.key, "--input")
        raise BadInput(
            f"there is no terminal for a form. Give the answer to {gate.key!r} as JSON ({outline(form)}): "
            f"{command} JSON"
        )
    click.echo(printable(click.unstyle(text_of(decoded(log, gate.subject)))) + "\n", err=True)
    return fill_in(form)


def _tell(place: Place, log: "Log", run: str, gate: str, who: str, *, as_json: bool) -> None:
    from ..hints import going_on
    from ..rows import is_alive
    from ..values import print_json
    from ..words import printable

    row = log.run(run)
    if as_json:
        alive = is_alive(log, row)
        print_json({"run": run, "gate": gate, "by": who, "offset": row.head, "owner_alive": alive})
        return
    click.echo(f"{printable(who, keep='')} answered {gate!r} of {run}")
    if hint := going_on(place, log, row):
        click.echo(hint)
