"""A run as text: what `show` prints, and what `run` prints of a run that waits."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import click

from holdfast.eventlog import Journaled, Log, RunRow
from holdfast.reducer import ENDED, NEVER, Gate, State, Step

from .forks import as_fork, fork_line
from .gates import commands, expiry, kind_of, people
from .place import Place
from .reasons import root_of
from .rows import is_alive
from .shapes import budget_object
from .values import decoded, encoded, shown
from .words import duration, moment, money, one_line, printable, table

COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "red", "interrupted": "yellow"}
SUBJECT_LINES = 40


def print_state(place: Place, log: Log, state: State, row: RunRow, at: int | None) -> None:
    """Print everything that a person wants to know of a run first."""
    status = state.status
    replaced = log.name_of(row.branch) != row.run
    gone = at is None and not replaced and status == "running" and not is_alive(log, row)
    rewound = replaced and status != "continued"
    word = "replaced by a rewind" if rewound else "interrupted" if gone else status
    for name, value in _facts(log, state, word, row, at):
        click.echo(f"{click.style(f'{name:<9}', dim=True)} {value}")
    if state.steps:
        now = state.now if gone or at is not None else time.time_ns()
        click.echo("\n" + _steps(state.steps.values(), now))
    _print_failures(state)
    _print_journals(log, state, row)
    if at is None and not replaced:
        print_waiting(place, log, state)
    if gone:
        click.echo(f"\ngo on with: {place.command('resume', root_of(log, row))}")


def _facts(
    log: Log, state: State, word: str, row: RunRow, at: int | None
) -> Iterator[tuple[str, str]]:
    yield "run", click.style(state.run, bold=True)
    source = click.style(printable(state.source, keep=""), dim=True)
    yield "workflow", f"{printable(state.workflow, keep='')}  {source}"
    yield from _fork_facts(log, state, row.run)
    frame = f" after {state.offset} of {row.head} events" if at is not None else ""
    yield "status", click.style(word, fg=COLOURS.get(word, "cyan")) + frame
    if state.started:
        took = duration((state.now - state.started) / 1e9)
        yield "started", f"{moment(state.started)}, last event {took} later"
    yield "input", one_line(encoded(shown(log, state.input)).decode(), 200)
    if state.usage.cost_usd or state.usage.input_tokens:
        usage = state.usage
        yield "used", f"{usage.input_tokens} + {usage.output_tokens} tokens {money(usage.cost_usd)}"
    if (budget := budget_object(state)) is not None:
        yield "budget", " and ".join(_of_budget(budget))
    if state.status == "succeeded":
        output = printable(click.unstyle(report_of(decoded(log, state.output))))
        yield "output", f"\n{indented(output, '  ')}" if "\n" in output else output
    if state.error is not None:
        yield "error", printable(f"[{state.error.code}] {state.error.message}")


def _of_budget(budget: dict[str, Any]) -> Iterator[str]:
    if budget["usd"]:
        aside = budget["reserved_usd"]
        more = f", {money(aside)} set aside" if aside else ""
        yield f"{money(budget['used_usd']) or '$0'} of {money(budget['usd'])}{more}"
    if budget["tokens"]:
        aside = budget["reserved_tokens"]
        more = f", {aside} set aside" if aside else ""
        yield f"{budget['used_tokens']} of {budget['tokens']} tokens{more}"


def _fork_facts(log: Log, state: State, run: str) -> Iterator[tuple[str, str]]:
    if state.continues:
        yield "continues", f"{run}@{state.continues}, in a fresh history"
    if state.status == "continued":
        given = one_line(encoded(shown(log, state.output)).decode(), 200)
        yield "goes on", f"as {run}, with the input {given}"
    if state.forked is not None:
        yield "forked", fork_line(log, as_fork(log, state.forked)).removeprefix("forked ")
    if state.effects:
        which = "each one" if state.effects == "hold" else "one that has happened before"
        yield "effects", f"held: {which} asks first"


def report_of(output: Any) -> str:
    """Return a run's output as people read it: its page, where it has one in `markdown`."""
    if isinstance(output, dict):
        page = cast(dict[object, Any], output).get("markdown")
        if isinstance(page, str) and page:
            return page
    return text_of(output)


def text_of(value: Any) -> str:
    """Return a value as people read it: text as it is, objects and lists one thing a line."""
    match value:
        case str():
            return value
        case dict() if value:
            pairs = cast(dict[object, Any], value).items()
            return "\n".join(_named(str(name), item) for name, item in pairs)
        case list() if value:
            items = map(text_of, cast(Iterable[Any], value))
            return "\n".join("- " + indented(item, "  ").lstrip() for item in items)
        case _:
            return encoded(value).decode()


def _named(name: str, value: Any) -> str:
    text = text_of(value).rstrip()
    if "\n" in text or isinstance(value, list | dict):
        return f"{name}:\n{indented(text, '  ')}"
    return f"{name}: {text}"


def indented(text: str, by: str) -> str:
    return "\n".join(f"{by}{line}" for line in text.splitlines())


def _steps(steps: Sequence[Step], now: int) -> str:
    """Return the table of steps; of those that were taken over it says from where."""
    heading = ["STEP", "KIND", "STATUS", "TRIES", "TIME", "COST"]
    rows = [_cells(step, now) for step in steps]
    if any(step.reused for step in steps):
        heading.append("REUSED FROM")
        for step, row in zip(steps, rows, strict=True):
            row.append((one_line(step.origin) or "an edit") if step.reused else "")
    if any(step.by for step in steps):
        heading.append("BY")
        for step, row in zip(steps, rows, strict=True):
            row.append(one_line(step.by, 60))
    return table(heading, rows)


def _cells(step: Step, now: int) -> list[str]:
    seconds = step.seconds if step.finished else max(0, now - step.started) / 1e9
    took = duration(seconds) if step.finished or step.status == "running" else ""
    cost = money(step.usage.cost_usd) if step.usage else ""
    return [step.key, step.kind, step.status, str(step.attempt), took, cost]


def _print_failures(state: State) -> None:
    for step in state.steps.values():
        for one in step.left:
            left = f"{step.key}: left by {one.by} ({one.reason})"
            until = f" until {moment(one.until)}" if one.until < NEVER else ""
            click.echo(f"\n{printable(left + until, keep='')}")
        if step.error is not None and step.status != "succeeded":
            where = printable(f"{step.key}: [{step.error.code}]", keep="")
            click.echo(f"\n{where} {one_line(step.error.message, 400)}")


def _print_journals(log: Log, state: State, row: RunRow) -> None:
    """Print how far the agents are that write down what they do."""
    for step in state.steps.values():
        if not step.journal or step.status in ENDED:
            continue
        last = ""
        for record in log.records(row.branch, step.journal_at, state.offset):
            event = record.event
            if isinstance(event, Journaled) and event.key == step.key and event.text:
                last = event.text
        where = printable(step.key, keep="")
        entries = f"{step.journal} journal entr{'y' if step.journal == 1 else 'ies'}"
        click.echo(f"\n{where}: {entries}{f', the last: {one_line(last, 200)}' if last else ''}")


def print_waiting(place: Place, log: Log, state: State) -> None:
    """Print what a run waits for, and the command that goes on with each."""
    if state.status in ENDED:
        return
    if state.paused is not None:
        why = f" ({one_line(state.paused.reason)})" if state.paused.reason else ""
        command = place.command("unpause", state.run)
        click.echo(
            f"\npaused since {moment(state.paused.since)}{why}. Let it go on with: {command}"
        )
    for gate in state.open_gates:
        click.echo("\n" + printable(_gate(place, log, state, gate)))
    for wait in state.waits.values():
        keyed = ["--key", wait.correlation] if wait.correlation else []
        command = place.command("signal", state.run, wait.signal, *keyed)
        what = f"{wait.signal!r}" + (f" with key {wait.correlation!r}" if keyed else "")
        click.echo(printable(f"\nwaits for signal {what}. Send it with: {command}"))
    for timer in state.timers.values():
        command = place.command("resume", root_of(log, log.run(state.run)))
        key = printable(timer.key, keep="")
        click.echo(f"\nwaits until {moment(timer.until)} ({key}). Then: {command}")
    for child in state.children.values():
        if child.run and child.status not in ENDED:
            _print_child(place, log, child.run)


def _gate(place: Place, log: Log, state: State, gate: Gate) -> str:
    kind = kind_of(gate.kind)
    head = f"waits for {kind.wanted} {gate.key!r}"
    if kind.about:
        head += f": {kind.about}"
    if gate.by:
        head += f", by {people(gate.by, gate.also)}"
    if gate.count > 1:
        approvals = sum(vote.approved for vote in gate.votes)
        head += f" ({approvals} of {gate.count} so far)"
    if gate.expires_at:
        head += f", {expiry(gate.expires_at, gate.on_expire, time.time_ns())}"
    lines = [f"  {command}" for command in commands(place, state.run, gate.kind, gate.key)]
    return "\n".join([head, *_subject(decoded(log, gate.subject)), *lines])


def _subject(value: Any) -> list[str]:
    if value is None:
        return []
    lines = click.unstyle(text_of(value)).splitlines()
    cut = [f"... {len(lines) - SUBJECT_LINES} more lines"] if len(lines) > SUBJECT_LINES else []
    return [f"  | {one_line_kept(line)}" for line in [*lines[:SUBJECT_LINES], *cut]]


def one_line_kept(line: str) -> str:
    """Return a line with its spaces, without what would steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in line)


def _print_child(place: Place, log: Log, run: str) -> None:
    from holdfast.eventlog import NoSuchRun
    from holdfast.runs import read_state

    try:
        state = read_state(log, log.branch_of(run))
    except NoSuchRun:
        return  # it was asked for and is not there yet
    click.echo(f"\nchild run {run} {state.status}")
    print_waiting(place, log, state)
