"""Putting an entry into JSON that people wrote, and taking it out again. Pure.

All else stays as it is, byte for byte: comments, order, indentation, line ends.
"""

import json
import re
from collections.abc import Sequence

from .jsonc import Member, Node, NotJson, parsed

Piece = tuple[int, str]  # a text, and where in the old text it was put
_REST_OF_LINE = re.compile(r"[ \t]*(//[^\n\r]*)?")


def put_in(text: str, keys: Sequence[str], value: object) -> list[Piece]:
    """Return the pieces to be put into a text, so that it has a value under these keys.

    Objects on the way are made. Raises NotJson where one of them is something else.
    """
    node, depth = parsed(text), 0
    while True:
        if node.members is None:
            raise NotJson(f"{'.'.join(keys[:depth]) or 'it'} is no object")
        member = node.member(keys[depth])
        if member is None:
            break
        node, depth = member.value, depth + 1
    for key in reversed(keys[depth + 1 :]):
        value = {key: value}
    return _pieces(text, node, depth, keys[depth], value)


def _pieces(text: str, node: Node, depth: int, key: str, value: object) -> list[Piece]:
    members = node.members or []
    if members and "\n" not in text[node.start : members[0].start]:
        return _in_line(members[-1], f"{json.dumps(key)}: {json.dumps(value)}")
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = _unit(text)
    inner = _indent(text, members[0].start) if members else unit * (depth + 1)
    entry = f"{json.dumps(key)}: {json.dumps(value, indent=unit)}".replace("\n", newline + inner)
    line = f"{newline}{inner}{entry}"
    if members:
        return _on_next_line(text, members[-1], line)
    inside = text[node.start + 1 : node.end - 1]
    at = node.start + 1 + len(inside.rstrip())
    closing = "" if "\n" in text[at : node.end] else newline + unit * depth
    return [(at, line + closing)]


def _in_line(last: Member, entry: str) -> list[Piece]:
    if last.comma is None:
        return [(last.value.end, f", {entry}")]
    return [(last.comma, f" {entry}")]


def _on_next_line(text: str, last: Member, line: str) -> list[Piece]:
    """Leave what follows the last member in its line, such as a comment, where it is."""
    end = last.comma or last.value.end
    rest = _REST_OF_LINE.match(text, end)
    assert rest is not None, "it matches nothing as well"
    after = end + len(rest.group().rstrip())
    if last.comma is not None:
        return [(after, line)]
    return [(end, f",{line}")] if after == end else [(end, ","), (after, line)]


def _unit(text: str) -> str:
    found = re.search(r"\n([ \t]+)\"", text)
    return found[1] if found else "  "


def _indent(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line if not line.strip() else line[: len(line) - len(line.lstrip())]


def with_pieces(text: str, pieces: Sequence[Piece]) -> str:
    """Return a text with pieces put in."""
    for at, piece in reversed(pieces):
        text = text[:at] + piece + text[at:]
    return text


def without_pieces(text: str, pieces: Sequence[Piece]) -> str:
    """Return a text as it was before the pieces were put in."""
    for at, piece in pieces:
        assert text.startswith(piece, at), "the text is as it was written"
        text = text[:at] + text[at + len(piece) :]
    return text


def take_out(text: str, keys: Sequence[str]) -> str:
    """Return a text without the member under these keys, which is there."""
    node = parsed(text)
    for key in keys[:-1]:
        member = node.member(key)
        assert member is not None, "it is there"
        node = member.value
    members = node.members or []
    place = next(i for i, member in enumerate(members) if member.key == keys[-1])
    gone = members[place]
    end = gone.comma or gone.value.end
    start = len(text[: gone.start].rstrip())
    if place and gone.comma is None:
        comma = members[place - 1].comma
        assert comma is not None, "commas part the members"
        return text[: comma - 1] + text[comma:start] + text[end:]
    return text[:start] + text[end:]
