"""Small pieces of text: times, amounts, single lines, plain tables. Pure but for the version."""

import shlex
import sys
import time
from collections.abc import Sequence
from functools import lru_cache

import click

SECOND = 1_000_000_000


def rfc3339(ns: int) -> str | None:
    """Return a moment as RFC 3339 in UTC with nanoseconds; 0 is no moment."""
    if not ns:
        return None
    seconds, rest = divmod(ns, SECOND)
    return f"{_second(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=4096)  # the events of a long history share their seconds
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def clock(ns: int) -> str:
    """Return the local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(ns // SECOND))


def moment(ns: int) -> str:
    """Return a moment in local time, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns // SECOND))


def duration(seconds: float) -> str:
    """Return a duration in at most two units: `0.3 s`, `4 min 10 s`, `2 d 3 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def money(cost_usd: float) -> str:
    """Return dollars; nothing where there was no cost."""
    if not cost_usd:
        return ""
    return f"${cost_usd:.4f}" if cost_usd < 0.01 else f"${cost_usd:.2f}"


def size(count: int) -> str:
    """Return a number of bytes as people say it: `640 B`, `1.2 MB`."""
    if count < 1000:
        return f"{count} B"
    units = ["kB", "MB", "GB", "TB"]
    power = min((len(str(count)) - 1) // 3, len(units))
    return f"{count / 1000**power:.1f} {units[power - 1]}"


def shell(*words: str) -> str:
    """Return words as a command line that a shell takes apart again."""
    return printable(shlex.join(words), keep="")


def one_line(text: str, width: int = 120) -> str:
    """Return text as one printable line of at most `width` characters."""
    words = " ".join(click.unstyle(text).split())
    shown = "".join(c if c.isprintable() else "?" for c in words[: width + 1])
    return shown if len(shown) <= width else shown[: width - 3] + "..."


def printable(text: str, *, keep: str = "\n\t") -> str:
    """Return text with what would steer a terminal, or is no text, written as Python writes it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def for_reader(text: str) -> str:
    """Return text as it is for a program that reads it, and printable for a terminal."""
    return printable(click.unstyle(text)) if sys.stdout.isatty() else text


def shortened(text: str, most: int) -> str:
    """Return text without its middle where it is longer than `most` characters."""
    cut = len(text) - most
    if cut <= 0:
        return text
    return f"{text[: most * 2 // 3]}... ({cut} characters more) ...{text[-(most // 3) :]}"


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with aligned columns; the last column may be as long as it is."""
    rows = [[printable(cell, keep="") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [heading, *rows]) for i in range(len(heading))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return "  ".join(padded).rstrip()

    return "\n".join([click.style(line(heading), dim=True), *map(line, rows)])


def version() -> str:
    """Return the installed version."""
    from importlib import metadata

    try:
        return metadata.version("holdfast")
    except metadata.PackageNotFoundError:
        return "(not installed: running from a checkout)"
