"""Steps as a tree, by their keys: `ticket-7/fix[2]/test` lies below `ticket-7/fix[2]`. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

DEEPEST = 6  # levels that are set in


class Line(NamedTuple):
    """A line of the tree: a step, or, without one, what others lie below."""

    depth: int
    name: str
    step: dict[str, Any] | None


class _Node:
    def __init__(self) -> None:
        self.step: dict[str, Any] | None = None
        self.below: dict[str, _Node] = {}


def outline(steps: Iterable[dict[str, Any]]) -> list[Line]:
    """Return the lines, in the order in which the steps began as far as the tree allows."""
    root = _Node()
    for step in steps:
        node = root
        for name in names(step["key"]):
            node = node.below.setdefault(name, _Node())
        node.step = step
    return [*_lines(root)]


def _lines(root: _Node) -> Iterator[Line]:
    todo = [(0, name, node) for name, node in reversed(root.below.items())]
    while todo:  # keys may be longer than Python's stack is deep
        depth, name, node = todo.pop()
        yield Line(min(depth, DEEPEST), name, node.step)
        todo += [(depth + 1, name, below) for name, below in reversed(node.below.items())]


def names(key: str) -> list[str]:
    """Return the parts of a key; a slash within brackets belongs to an item's name."""
    found, depth = [""], 0
    for character in key:
        depth = max(0, depth + (character == "[") - (character == "]"))
        if character == "/" and not depth:
            found.append("")
        else:
            found[-1] += character
    return found
