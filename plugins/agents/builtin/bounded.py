"""Texts of a bounded size, which say what was left out."""

HEAD_BYTES, TAIL_BYTES = 8_000, 24_000
LINE_CHARACTERS = 2_000


class Output:
    """Keeps the beginning and the end of what a program prints, whatever comes in between."""

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._head, self._tail = bytearray(), bytearray()
        self._sizes = head_bytes, tail_bytes
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Take output in."""
        room = self._sizes[0] - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if (over := len(self._tail) - self._sizes[1]) > 0:
            del self._tail[:over]
            self._left_out += over

    @property
    def text(self) -> str:
        """What was kept, with a mark where something is missing."""
        if not self._left_out:
            return bytes(self._head + self._tail).decode(errors="replace")
        head, tail = self._head.decode(errors="replace"), self._tail.decode(errors="replace")
        return f"{head}\n[truncated: {self._left_out} bytes left out here]\n{tail}"


def brief(text: str, most: int = 100) -> str:
    """Return the beginning of a text, in one line."""
    line = " ".join(clean(text[: 4 * most]).split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, and say when it was longer."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[truncated: {len(text) - most} characters more]"


def clean(text: str) -> str:
    """Return a text that can be written down: halves of characters, as file names and JSON may have
    them, are spelled out."""
    return text.encode(errors="backslashreplace").decode()
