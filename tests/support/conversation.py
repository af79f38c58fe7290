"""A conversation as the README writes it: what is said, the calls with their answers, and commands."""

import ast
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

KINDS: dict[str, Literal["call", "answer", "command"]] = {
    "  -> ": "call",
    "  <- ": "answer",
    "  $ ": "command",
}
MORE = "     "  # what goes on with the line before


class Line(NamedTuple):
    """A line that was really run: a call, its answer, or a command of a shell."""

    kind: Literal["call", "answer", "command"]
    text: str


def read(text: str) -> Iterator[Line]:
    """Yield what was run, each on one line; what people and agents say is left out."""
    found: list[tuple[Any, str]] = []
    for line in text.splitlines():
        mark = next((mark for mark in KINDS if line.startswith(mark)), "")
        if mark:
            found.append((KINDS[mark], line.removeprefix(mark)))
        elif line.startswith(MORE) and found:
            kind, before = found.pop()
            found.append((kind, f"{before} {line.strip()}"))
    return (Line(*each) for each in found)


def call(text: str) -> tuple[str, dict[str, Any]]:
    """Return the tool and the arguments of `tool(name=value, ...)`."""
    found = ast.parse(text, mode="eval").body
    assert isinstance(found, ast.Call), text
    assert isinstance(found.func, ast.Name), text
    return found.func.id, {str(word.arg): ast.literal_eval(word.value) for word in found.keywords}


def values(text: str) -> dict[str, Any]:
    """Return the values of `name=value, ...`."""
    return call(f"answer({text})")[1]


def fits(shown: Any, real: Any) -> bool:
    """Whether a value is what is shown of it.

    Of objects some fields are shown, and `...` stands for whatever is left out: within a text, as a
    value, or for the rest of a list.
    """
    match shown:
        case dict():
            return isinstance(real, dict) and all(
                name in real and fits(value, real[name]) for name, value in shown.items()
            )
        case [*first, last] if last is ...:
            return fits(first, real[: len(first)])
        case list():
            return len(shown) == len(real) and all(map(fits, shown, real))
        case str():
            pattern = ".*".join(map(re.escape, shown.split("...")))
            return isinstance(real, str) and bool(re.fullmatch(pattern, real, re.DOTALL))
        case _:
            return shown is ... or shown == real
