"""Two texts beside or below each other, with what differs in sight. Pure but for the colours' codes."""

from collections.abc import Iterable, Iterator
from unicodedata import east_asian_width

import click

from holdfast.reducer import Pair

from .view import one_line_kept

BESIDE_COLUMNS = 120
"""How wide a terminal must be for two columns."""

_BEFORE = 12  # characters that stay in sight before the first difference of a long line


def drawn(pairs: Iterable[Pair], width: int) -> Iterator[str]:
    """Yield the lines that show two aligned texts: side by side where `width` allows."""
    return _beside(pairs, width) if width >= BESIDE_COLUMNS else _below(pairs, width)


def _beside(pairs: Iterable[Pair], width: int) -> Iterator[str]:
    column = (width - 3) // 2
    for pair in pairs:
        if pair.mood == "gap":
            yield _gap(pair)
            continue
        a, b = _cut(pair, column)
        left, right = fitted(a or "", column), b or ""
        if pair.mood == "changed":
            left, right = _coloured(left, "red"), _coloured(right, "green")
            sign = "|" if a is not None and b is not None else "<" if b is None else ">"
        else:
            sign = " "
        yield f"{left} {sign} {right}".rstrip()


def _coloured(text: str, colour: str) -> str:
    return click.style(text, fg=colour) if text else ""


def _below(pairs: Iterable[Pair], width: int) -> Iterator[str]:
    """Yield removed lines before added ones, block by block."""
    added: list[str] = []
    for pair in pairs:
        if pair.mood == "changed":
            a, b = _cut(pair, width - 2)
            if a is not None:
                yield click.style(f"- {a}", fg="red")
            if b is not None:
                added.append(click.style(f"+ {b}", fg="green"))
            continue
        yield from added
        added.clear()
        yield _gap(pair) if pair.mood == "gap" else f"  {_cut(pair, width - 2)[0]}".rstrip()
    yield from added


def _gap(pair: Pair) -> str:
    return click.style(f"  ... {pair.a} equal lines", dim=True)


def _cut(pair: Pair, width: int) -> tuple[str | None, str | None]:
    """Return both lines, printable and no wider than `width`, with their first difference in sight."""
    a, b = (None if line is None else one_line_kept(line.expandtabs(4)) for line in pair[1:])
    start = 0
    if pair.mood == "changed" and a is not None and b is not None:
        start = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    return _part(a, start, width), _part(b, start, width)


def _part(line: str | None, start: int, width: int) -> str | None:
    if line is None or columns(line) <= width:
        return line
    begin = max(0, start - _BEFORE) if start > width - _BEFORE else 0
    head = "..." if begin else ""
    note = f"... (+{len(line) - begin:,})"  # at most so many characters follow
    rest = _narrowed(line[begin:], width - len(head) - len(note))
    left = len(line) - begin - len(rest)
    return head + rest + (f"... (+{left:,})" if left else "")


def columns(text: str) -> int:
    """Return how many columns of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _narrowed(text: str, width: int) -> str:
    text = text[: max(0, width)]
    while columns(text) > max(0, width):
        text = text[:-1]
    return text


def fitted(text: str, width: int) -> str:
    """Return a text filled up to `width` columns."""
    return text + " " * (width - columns(text))
