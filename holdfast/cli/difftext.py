"""What differs between two runs as text, readable also where that is thousands of steps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import click
import msgspec

from holdfast.eventlog import Failure, Log, Value, reference
from holdfast.reducer import Change, Comparison, Difference, Pair, Step, aligned

from .columns import drawn
from .forks import as_fork, fork_line
from .sides import Named, plain, told
from .values import decoded
from .view import COLOURS, one_line_kept, text_of
from .words import duration, money, one_line

WHOLE = 10
"""How many keys are shown with all that differs; the rest has a line each."""

LINES = 12
"""How many lines of one text are shown."""

LOADED_BYTES = 1 << 20
SHORT = 48
EMPTY = "(empty)"


Files = Callable[[str, str], Sequence[str] | None]
"""Tells how the files of two git trees differ, a line each; None where that cannot be told."""


class Page:
    """How much to show: `width` in columns; with `every`, all there is. `files` reads git trees."""

    def __init__(self, width: int, *, every: bool = False, files: Files | None = None) -> None:
        self.width, self.every, self.files = width, every, files

    @property
    def whole(self) -> int | None:
        return None if self.every else WHOLE

    @property
    def lines(self) -> int | None:
        return None if self.every else LINES


def lines(log: Log, a: Named, b: Named, found: Comparison, page: Page) -> Iterator[str]:
    """Yield the lines that `diff` prints."""
    yield from _heads(log, a, b)
    yield from _summary(found)
    if found.run:
        yield ""
        yield click.style("the run", bold=True)
        for change in found.run:
            yield from _change(log, change, page)
    shown = [item for item in found.items if item.matters or page.every]
    for item in islice(shown, page.whole):
        yield ""
        yield from _whole(log, item, a, b, page)
    rest = shown[WHOLE:] if page.whole else []
    if rest:
        yield f"\n{_count(len(rest), 'more')} (shown whole with --all):"
        yield from (_line(log, item) for item in rest)


def _heads(log: Log, a: Named, b: Named) -> Iterator[str]:
    width = max(len(one_line(side.name)) for side in (a, b))
    for letter, side in (("a", a), ("b", b)):
        state = side.side.state
        status = click.style(f"{state.status:<9}", fg=COLOURS.get(state.status, "cyan"))
        whole = "" if state.offset == side.row.head else f" of {side.row.head}"
        took = duration((state.now - state.started) / 1e9) if state.started else ""
        facts = [status, f"{state.offset}{whole} events", took, money(state.usage.cost_usd)]
        if forked := state.forked:
            facts.append(fork_line(log, as_fork(log, forked)))
        name = f"{one_line(side.name):<{width}}"
        yield f"{letter}  {click.style(name, bold=True)}  {'  '.join(filter(None, facts))}"


def _summary(found: Comparison) -> Iterator[str]:
    if found.shared:
        yield f"common  the first {_count(found.shared, 'event')}"
    spent = sum(not item.matters for item in found.items)
    other = f"; {spent} took other time, tries or money" if spent else ""
    differing = len(found.items) - spent
    yield f"same    {found.same + spent} of {found.same + len(found.items)} steps and waits{other}"
    if found.equal:
        yield "nothing differs that matters"
    elif first := found.first:
        yield f"differ  {differing}, first {one_line(first.key)} ({_where(first)})"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 or what == 'more' else 's'}"


def _where(item: Difference) -> str:
    if item.where != "both":
        at = item.a if item.where == "a" else item.b
        return f"only in {item.where}" + ("" if at is None else f" at {at}")
    if item.a is None or item.b is None:
        return "in both"
    return f"at {item.a}" if item.a == item.b else f"a at {item.a}, b at {item.b}"


def _title(item: Difference) -> str:
    colour = {"a": "red", "b": "green"}.get(item.where)
    where = click.style(_where(item), fg=colour) if colour else _where(item)
    return f"{click.style(one_line(item.key), bold=True)}  {item.kind}  {where}"


def _line(log: Log, item: Difference) -> str:
    """Return one line for a key: what differs, by name."""
    names = ", ".join(change.what for change in told(log, item) if change.matters)
    return f"{_title(item)}  {names}".rstrip()


def _whole(log: Log, item: Difference, a: Named, b: Named, page: Page) -> Iterator[str]:
    yield _title(item)
    if item.where == "both":
        for change in told(log, item):
            yield from _change(log, change, page)
        return
    side = a if item.where == "a" else b
    step = side.side.state.steps.get(item.key)
    if step is not None:
        yield f"  {_lone(log, step, page)}"


def _lone(log: Log, step: Step, page: Page) -> str:
    """Return what a step came to that only one side has."""
    if step.error is not None:
        return one_line(f"{step.status}: [{step.error.code}] {step.error.message}", page.width - 2)
    result = "" if step.status != "succeeded" else f": {_text(log, step.result)}"
    return one_line(f"{step.status}{result}", page.width - 2)


def _change(log: Log, change: Change, page: Page) -> Iterator[str]:
    if change.a is None and change.b is None:
        yield f"  {change.what}: changed"
        return
    before, after = _short(log, change, change.a), _short(log, change, change.b)
    if before == after and not change.matters:
        return  # too little to be told
    if change.what == "files" and (listed := _files(change, page)) is not None:
        yield from listed
        return
    if max(len(before), len(after)) <= SHORT and "\n" not in before + after:
        arrow = click.style("->", dim=True)
        yield f"  {change.what}: {one_line_kept(before)} {arrow} {one_line_kept(after)}"
        return
    yield f"  {change.what}:"
    pairs = list(aligned(before.splitlines(), after.splitlines()))
    if all(pair.mood != "changed" for pair in pairs):
        yield "    only line ends differ"
        return
    for line in drawn(_first(pairs, page.lines), page.width - 4):
        yield f"    {line}"
    if page.lines is not None and len(pairs) > page.lines:
        hidden = _count(len(pairs) - page.lines, "more")
        yield click.style(f"    ... {hidden} lines (shown with --all)", dim=True)


def _files(change: Change, page: Page) -> list[str] | None:
    """Return a line for each file that differs; None where only the trees' ids can be told."""
    if page.files is None or not (isinstance(change.a, str) and isinstance(change.b, str)):
        return None
    found = page.files(change.a, change.b)
    if found is None:
        return None
    shown = [f"    {one_line(line, page.width - 4)}" for line in islice(found, page.lines)]
    if len(shown) < len(found):
        hidden = _count(len(found) - len(shown), "more")
        shown.append(click.style(f"    ... {hidden} files (shown with --all)", dim=True))
    return ["  files:", *shown]


def _first(pairs: list[Pair], count: int | None) -> Iterable[Pair]:
    return islice(pairs, count)


def _short(log: Log, change: Change, value: Any) -> str:
    """Return one side of a change as people read it."""
    match change.what:
        case "seconds":
            return duration(value)
        case "cost_usd":
            return money(value) or "$0"
        case "code" | "files" | "asks":
            return value[:12] if value else "none"
        case _:
            return _text(log, value)


def _text(log: Log, value: Any) -> str:
    match value:
        case None:
            return "none"
        case Failure():
            return f"[{value.code}] {value.message}" + (f"\n{value.detail}" if value.detail else "")
        case msgspec.Raw():
            return click.unstyle(text_of(_loaded(log, Value(value)))) or EMPTY
        case str():
            return click.unstyle(value) or EMPTY
        case _:
            return text_of(plain(log, value))


def _loaded(log: Log, value: Value) -> Any:
    """Return a recorded value; of one that would fill many screens only its size."""
    place = reference(value)
    if place is None or place.size_bytes <= LOADED_BYTES:
        return decoded(log, value)
    return f"{place.size_bytes:,} bytes, digest {place.digest.hex()[:12]}"
