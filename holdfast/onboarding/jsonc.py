"""JSON as people write it, with comments and trailing commas: put an entry in, or take it out. Pure.

All else stays as it is, byte for byte.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*|/\*.*?\*/) | (?P<string>"(?:\\.|[^"\\\n])*") | (?P<mark>[{}\[\]:,])
    | (?P<word>[^\s{}\[\]:,"/]+)""",
    re.DOTALL | re.VERBOSE,
)
Piece = tuple[int, str]  # a text, and where in the old text it was put


class NotJson(ValueError):
    """Says what is wrong, and in which line."""


class _Token(NamedTuple):
    text: str
    start: int
    end: int


class Member(NamedTuple):
    """`"key": value` of an object; `comma` is where the one that follows it ends, or None."""

    key: str
    start: int
    value: "Node"
    comma: int | None


class Node(NamedTuple):
    """A value and its place. `members` are those of an object, None for what is none."""

    start: int
    end: int
    data: Any
    members: list[Member] | None = None

    def member(self, key: str) -> Member | None:
        """Return the member of a name. Raises NotJson where there are several."""
        found = [member for member in self.members or () if member.key == key]
        if len(found) > 1:
            raise NotJson(f"it has {key!r} twice")
        return found[0] if found else None


def parsed(text: str) -> Node:
    """Return the value that a text is. Raises NotJson."""
    reader = _Reader(text)
    try:
        node = reader.value()
    except RecursionError as error:
        raise NotJson("it is nested too deeply") from error
    reader.expect("")
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*_tokens(text), _Token("", len(text), len(text))]
        self._at = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._at]

    def take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def expect(self, mark: str) -> _Token:
        if self.next.text != mark:
            wanted = repr(mark) if mark else "the end"
            raise self._wrong(f"{wanted} was expected")
        return self._tokens[self._at] if not mark else self.take()

    def _wrong(self, what: str) -> NotJson:
        line = self._text.count("\n", 0, self.next.start) + 1
        return NotJson(f"{what} in line {line}, not {self.next.text[:40] or 'the end'!r}")

    def value(self) -> Node:
        if self.next.text == "{":
            return self._object()
        if self.next.text == "[":
            return self._array()
        try:
            data = json.loads(self.next.text)
        except ValueError:
            raise self._wrong("a value was expected") from None
        token = self.take()
        return Node(token.start, token.end, data)

    def _object(self) -> Node:
        start = self.take().start
        members: list[Member] = []
        while self.next.text != "}":
            if not self.next.text.startswith('"'):
                raise self._wrong("a name in quotes was expected")
            name = self.take()
            self.expect(":")
            value = self.value()
            comma = self._comma("}")
            members.append(Member(json.loads(name.text), name.start, value, comma))
        data = {member.key: member.value.data for member in members}
        return Node(start, self.take().end, data, members)

    def _array(self) -> Node:
        start = self.take().start
        items: list[Any] = []
        while self.next.text != "]":
            items.append(self.value().data)
            self._comma("]")
        return Node(start, self.take().end, items)

    def _comma(self, end: str) -> int | None:
        if self.next.text == end:
            return None
        return self.expect(",").end


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotJson(f"line {text.count(chr(10), 0, at) + 1} is no JSON")
        if found.lastgroup != "blank":
            yield _Token(found.group(), at, found.end())
        at = found.end()


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
    newline = "\r\n" if "\r\n" in text else "\n"
    if members and "\n" not in text[node.start : members[0].start]:  # all in one line
        last = members[-1]
        words = f"{json.dumps(key)}: {json.dumps(value)}"
        return (
            [(last.value.end, f", {words}")] if last.comma is None else [(last.comma, f" {words}")]
        )
    unit = _unit(text)
    inner = _indent(text, members[0].start) if members else unit * (depth + 1)
    entry = f"{json.dumps(key)}: {json.dumps(value, indent=unit)}".replace("\n", newline + inner)
    line = f"{newline}{inner}{entry}"
    if members:
        end = members[-1].comma or members[-1].value.end
        after = end + len(re.match(r"[ \t]*(//[^\n\r]*)?", text[end:])[0].rstrip())  # type: ignore[index]
        if members[-1].comma is not None:
            return [(after, line)]
        return [(end, f",{line}")] if after == end else [(end, ","), (after, line)]
    inside = text[node.start + 1 : node.end - 1]
    at = node.start + 1 + len(inside.rstrip())
    closing = "" if "\n" in text[at : node.end] else newline + unit * depth
    return [(at, line + closing)]


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


def get(text: str, keys: Sequence[str]) -> Any:
    """Return the value under these keys, None where there is none. Raises NotJson."""
    node = parsed(text)
    for key in keys:
        member = node.member(key)
        if member is None:
            return None
        node = member.value
    return node.data


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
