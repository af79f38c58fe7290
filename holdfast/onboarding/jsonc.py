"""Reading JSON as people write it, with comments and trailing commas: values and their places. Pure."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*|/\*.*?\*/) | (?P<string>"(?:\\.|[^"\\\n])*") | (?P<mark>[{}\[\]:,])
    | (?P<word>[^\s{}\[\]:,"/]+)""",
    re.DOTALL | re.VERBOSE,
)


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


def get(text: str, keys: Sequence[str]) -> Any:
    """Return the value under these keys, None where there is none. Raises NotJson."""
    node = parsed(text)
    for key in keys:
        member = node.member(key)
        if member is None:
            return None
        node = member.value
    return node.data
