"""Looks for files, and for lines in them: a program of its own, because an expression may never end.

It takes a query as JSON on standard input, works in the present folder, and prints what a model reads.
It imports nothing of ours, so that it runs by its path alone.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

FORBIDDEN = {".git", ".holdfast"}
TEDIOUS = {
    "node_modules", "__pycache__", ".venv", "venv", ".mypy_cache", ".pytest_cache", ".ruff_cache",
    ".tox", ".hypothesis",
}  # fmt: skip
PAGE = 200
LINE_CHARACTERS = 300
MOST_LINE_BYTES = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def main() -> None:
    query, status = json.load(sys.stdin), 0
    try:
        found = answer(query)
    except OSError as error:
        found, status = error.strerror or str(error), 1
    except re.error as error:
        found, status = f"the pattern: {error}", 1
    sys.stdout.buffer.write(found.encode(errors="backslashreplace"))  # a name may be any bytes
    sys.exit(status)


def answer(query: dict[str, Any]) -> str:
    """Return a page of what is found: `pattern` in lines of files, or `glob` alone in their paths."""
    wanted = translated(query["glob"]) if query["glob"] else None
    found = files(query["parts"], wanted)
    if query["pattern"] is not None:
        flags = re.IGNORECASE if query["ignore_case"] else 0
        lines = matches(found, re.compile(query["pattern"], flags))
    else:
        lines = (path for path, _, _ in found)
    return page(lines, query["offset"])


def page(lines: Iterator[str], offset: int) -> str:
    shown: list[str] = []
    for number, line in enumerate(lines, 1):
        if number >= offset + PAGE:
            shown.append(f"[truncated: there are more; go on with offset={number}]")
            break
        if number >= offset:
            shown.append(line)
    return "\n".join(shown) or "[nothing found]"


def files(parts: list[str], wanted: "re.Pattern[str] | None") -> Iterator[tuple[str, int, str]]:
    """Yield path, open folder and name of each file below a folder, sorted; no link is followed."""
    place = os.open(".", _FOLDER)
    for name in parts:
        inner = os.open(name, _FOLDER, dir_fd=place)
        os.close(place)
        place = inner
    prefix = "/".join(parts)
    for folder, folders, names, at in os.fwalk(".", dir_fd=place, follow_symlinks=False):
        folders[:] = sorted(set(folders) - FORBIDDEN - TEDIOUS)
        below = os.path.normpath(os.path.join(prefix, folder)).removeprefix("./")
        for name in sorted(names):
            path = name if below == "." else f"{below}/{name}"
            if wanted is None or wanted.fullmatch(path) or wanted.fullmatch(name):
                yield path, at, name


def matches(found: Iterator[tuple[str, int, str]], pattern: "re.Pattern[str]") -> Iterator[str]:
    """Yield `path:number: line` of each line in which the pattern is found; binary files have none."""
    for path, place, name in found:
        try:
            number = os.open(name, _FILE, dir_fd=place)
        except OSError:
            continue  # a link, gone, or not for us
        with os.fdopen(number, "rb") as file:
            if stat.S_ISREG(os.fstat(number).st_mode):
                yield from _in_file(path, file, pattern)


def _in_file(path: str, file: BinaryIO, pattern: "re.Pattern[str]") -> Iterator[str]:
    if b"\0" in file.read(8192):
        return
    file.seek(0)
    number = 0
    while line := file.readline(MOST_LINE_BYTES):
        number += 1
        text = line.decode(errors="replace").rstrip("\r\n")
        if pattern.search(text):
            cut = " [truncated line]" if len(text) > LINE_CHARACTERS else ""
            yield f"{path}:{number}: {text[:LINE_CHARACTERS]}{cut}"
        while line and not line.endswith(b"\n"):
            line = file.readline(MOST_LINE_BYTES)


def translated(glob: str) -> "re.Pattern[str]":
    """Return the expression for a glob: `**` is any folders, `*` and `?` stay within one name."""
    found: list[str] = []
    at = 0
    while at < len(glob):
        if glob.startswith("**/", at):
            found.append("(?:.*/)?")
            at += 3
        elif glob.startswith("**", at):
            found.append(".*")
            at += 2
        else:
            piece, at = _translated_one(glob, at)
            found.append(piece)
    return re.compile("".join(found), re.DOTALL)


def _translated_one(glob: str, at: int) -> tuple[str, int]:
    letter, end = glob[at], glob.find("]", at + 2)
    match letter:
        case "*":
            return "[^/]*", at + 1
        case "?":
            return "[^/]", at + 1
        case "[" if end > 0:
            inside = glob[at + 1 : end].replace("\\", "\\\\")
            inside = f"^{inside[1:]}" if inside.startswith("!") else inside
            return f"[{inside}]", end + 1
        case _:
            return re.escape(letter), at + 1


if __name__ == "__main__":
    main()
