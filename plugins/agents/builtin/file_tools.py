"""Reading, listing, writing and editing files of the working folder."""

import os
import stat
from collections.abc import Callable, Iterator
from typing import Annotated, BinaryIO, TypeVar

import msgspec
import trio

from ...errors import ToolFailed
from ...types import ToolSetting
from ..guard import FORBIDDEN
from .bounded import LINE_CHARACTERS
from .confined import Confined

T = TypeVar("T")
PAGE_LINES, PAGE_CHARACTERS = 2_000, 50_000
PAGE_NAMES = 500
MOST_BYTES = 10_000_000
SNIFFED_BYTES = 8_192

_Path = Annotated[str, msgspec.Meta(description="relative to the working folder")]
_From = Annotated[int, msgspec.Meta(ge=1)]


class Read(msgspec.Struct, forbid_unknown_fields=True):
    path: _Path
    offset: Annotated[int, msgspec.Meta(ge=1, description="the first line to show")] = 1
    limit: Annotated[int, msgspec.Meta(ge=1, description="how many lines to show")] = PAGE_LINES


class List(msgspec.Struct, forbid_unknown_fields=True):
    path: _Path = "."
    offset: Annotated[int, msgspec.Meta(ge=1, description="the first entry to show")] = 1


class Write(msgspec.Struct, forbid_unknown_fields=True):
    path: _Path
    content: Annotated[str, msgspec.Meta(description="the whole new content")]


class Edit(msgspec.Struct, forbid_unknown_fields=True):
    path: _Path
    old: Annotated[str, msgspec.Meta(description="the exact text to replace, found only once")]
    new: Annotated[str, msgspec.Meta(description="what to put in its place")]
    all: Annotated[bool, msgspec.Meta(description="replace every occurrence")] = False


async def read(arguments: Read, setting: ToolSetting) -> str:
    """Show lines of a text file, with their numbers."""
    return await _in_thread(lambda: _read(Confined(setting.folder), arguments))


async def list_folder(arguments: List, setting: ToolSetting) -> str:
    """List a folder."""
    return await _in_thread(lambda: _list(Confined(setting.folder), arguments))


async def write(arguments: Write, setting: ToolSetting) -> str:
    """Write a whole file."""
    return await _in_thread(lambda: _write(Confined(setting.folder), arguments))


async def edit(arguments: Edit, setting: ToolSetting) -> str:
    """Replace one piece of a file."""
    return await _in_thread(lambda: _edit(Confined(setting.folder), arguments))


async def _in_thread(work: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(work)


# --- reading ---------------------------------------------------------------------------------------


def _read(folder: Confined, arguments: Read) -> str:
    with folder.file(arguments.path) as file:
        if is_binary(file):
            size = os.fstat(file.fileno()).st_size
            return f"[{arguments.path} is a binary file of {size} bytes; it cannot be shown]"
        return _page(file, arguments)


def is_binary(file: BinaryIO) -> bool:
    """Tell by its beginning whether a file is no text, and go back there."""
    sniffed = file.read(SNIFFED_BYTES)
    file.seek(0)
    return b"\0" in sniffed


def _page(file: BinaryIO, arguments: Read) -> str:
    shown: list[str] = []
    size = number = 0
    last = arguments.offset + arguments.limit - 1
    for number, line in enumerate(_lines(file), 1):
        if number % 1000 == 0:
            trio.from_thread.check_cancelled()
        if number < arguments.offset:
            continue
        if number > last or size + len(line) > PAGE_CHARACTERS:
            shown.append(f"[truncated: the file goes on; read on with offset={number}]")
            return "\n".join(shown)
        shown.append(f"{number}\t{line}")
        size += len(line)
    if number == 0:
        return "[the file is empty]"
    if not shown:
        raise ToolFailed(f"{arguments.path!r} has only {number} lines")
    return "\n".join(shown)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines of a file without their ends, long ones cut; a line may be as long as the file."""
    while piece := file.readline(LINE_CHARACTERS * 4):
        line, missing = piece, 0
        while piece and not piece.endswith(b"\n"):
            piece = file.readline(1 << 20)
            missing += len(piece)
            trio.from_thread.check_cancelled()
        text = line.decode(errors="replace").rstrip("\r\n")
        if missing or len(text) > LINE_CHARACTERS:
            text = f"{text[:LINE_CHARACTERS]} [truncated line]"
        yield text


def _list(folder: Confined, arguments: List) -> str:
    with folder.folder(arguments.path) as place:
        names = sorted(name for name in os.listdir(place) if name not in FORBIDDEN)
        page = names[arguments.offset - 1 :][:PAGE_NAMES]
        shown = [_entry(place, name) for name in page]
    if (more := arguments.offset + len(page)) <= len(names):
        shown.append(f"[truncated: {len(names)} entries; go on with offset={more}]")
    return "\n".join(shown) or "[nothing there]"


def _entry(place: int, name: str) -> str:
    try:
        mode = os.stat(name, dir_fd=place, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return f"{name} -> {os.readlink(name, dir_fd=place)}"
    except FileNotFoundError:
        return f"{name} (gone meanwhile)"
    return f"{name}/" if stat.S_ISDIR(mode) else name


# --- writing ---------------------------------------------------------------------------------------


def _write(folder: Confined, arguments: Write) -> str:
    data = _encoded(arguments.content)
    is_new = folder.write(arguments.path, data)
    return f"{'created' if is_new else 'replaced'} {arguments.path}: {len(data)} bytes"


def _edit(folder: Confined, arguments: Edit) -> str:
    path, old, new = arguments.path, arguments.old, arguments.new
    if not old or old == new:
        raise ToolFailed("`old` is empty or the same as `new`, so there is nothing to replace")
    text = _whole(folder, path)
    if old not in text and "\r\n" in text:  # lines are shown without their ends
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    places = _places(text, old)
    if not places:
        raise ToolFailed(
            f"`old` is not in {path!r}. It has to be exact, with all spaces and line ends and without "
            "line numbers: read the file again."
        )
    if len(places) > 1 and not arguments.all:
        lines = ", ".join(map(str, places[:10]))
        raise ToolFailed(
            f"`old` is {len(places)} times in {path!r}, at lines {lines}. Give more of the text around "
            "it, or replace all of them with all=true."
        )
    folder.write(path, _encoded(text.replace(old, new)))
    word = "replacement" if len(places) == 1 else "replacements"
    return f"edited {path}: {len(places)} {word}, at line {places[0]}"


def _whole(folder: Confined, path: str) -> str:
    with folder.file(path) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ToolFailed(f"{path!r} is above {MOST_BYTES} bytes: too large to edit")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ToolFailed(f"{path!r} is not text in UTF-8: {error.reason}") from error


def _places(text: str, old: str) -> list[int]:
    """Return the line of each place where a text is found."""
    places: list[int] = []
    line, last, at = 1, 0, text.find(old)
    while at >= 0:
        line += text.count("\n", last, at)
        places.append(line)
        last = at
        at = text.find(old, at + len(old))
    return places


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailed(f"the text cannot be written as UTF-8: {error.reason}") from error
