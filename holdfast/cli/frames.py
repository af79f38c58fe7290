"""A run's frames as text: what happened, what it changed, what it has cost so far."""

from collections.abc import Iterator

import click

from holdfast.eventlog import Log, Record, Usage
from holdfast.reducer import State, frame_changes

from . import values
from .telling import telling
from .words import moment, money, one_line


def check_frame(run: str, at: int | None, head: int) -> int:
    """Return the frame that was asked for, the last one by default. Raises NoSuchFrame."""
    from holdfast.errors import NoSuchFrame

    if at is None:
        return head
    if not 0 <= at <= head:
        raise NoSuchFrame(run, at, head)
    return at


def event_line(log: Log, record: Record) -> str:
    """Return an event in one line, as `holdfast log` has it."""
    shown = values.record(log, record)
    when = click.style(moment(record.time), dim=True)
    about = one_line(str(shown.get("key", shown.get("signal", ""))))
    return f"{when}  {shown['type']}  {about}".rstrip()


def frame_lines(log: Log, record: Record, before: State, after: State) -> Iterator[str]:
    """Yield what a frame's event was, what it changed, and the cost so far."""
    yield event_line(log, record)
    if (told := telling(record.event, after, log.load)) is not None:
        yield f"  {one_line(told.text, 200)}"
    for change in frame_changes(before, after, record.event):
        key = f" {one_line(change.key)}" if change.key else ""
        yield f"  {change.what}{key}: {change.before or '(none)'} -> {change.after or '(gone)'}"
    if after.usage != Usage():
        yield f"  cost so far: {spent(after.usage)}"


def state_lines(state: State) -> Iterator[str]:
    """Yield a state in short."""
    yield f"{state.run or '(not begun)'}  {state.workflow}  {state.status}"
    counts: dict[str, int] = {}
    for step in state.steps.values():
        counts[step.status] = counts.get(step.status, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    yield f"  steps: {told or 'none'}"
    going = [s.key for s in state.steps.values() if s.status not in _SETTLED]
    waits = [
        ("at work", going),
        ("gates", [gate.key for gate in state.open_gates]),
        ("timers", list(state.timers)),
        ("signals", [wait.signal for wait in state.waits.values()]),
        ("children", [c.key for c in state.children.values() if c.status not in _SETTLED]),
    ]
    for name, keys in waits:
        if keys:
            yield f"  {name}: {one_line(', '.join(keys), 200)}"
    if state.error is not None:
        yield f"  error: [{state.error.code}] {one_line(state.error.message, 200)}"
    if state.usage != Usage():
        yield f"  cost so far: {spent(state.usage)}"


def spent(usage: Usage) -> str:
    """Return tokens and money in a few words."""
    tokens = f"{usage.input_tokens} + {usage.output_tokens} tokens"
    return f"{money(usage.cost_usd)}, {tokens}" if usage.cost_usd else tokens


_SETTLED = {"succeeded", "failed", "cancelled"}
