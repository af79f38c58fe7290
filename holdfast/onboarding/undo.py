"""Taking back what init wrote, and nothing else."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from holdfast.project import IGNORE

from .entries import take_out, without_pieces
from .files import Change, apply, content_of, place_of
from .jsonc import NotJson, get
from .record import NAME, Record, Written, digest_of, read_record


class Undo(NamedTuple):
    """What is to be taken back, as changes of files; and what is left, with the reason."""

    changes: list[tuple[str, Change]]
    left: list[tuple[str, str]]
    folders: list[Path]
    record: Record

    def write(self, home: Path) -> None:
        """Take it back, or change nothing."""
        path = home / NAME
        after = self.record.encoded() if self.record.files else None
        noted = Change(path, content_of(path), after)
        apply([*(change for _, change in self.changes), noted], self.folders)


def make_undo(root: Path, home: Path) -> Undo:
    """Look at what init wrote, and say what of it can be taken back. Raises OnboardingError."""
    undo = Undo([], [], [], Record())
    for file in read_record(home).files:
        place = place_of(root, file.path)
        before = content_of(place)
        if before is None:  # gone already
            undo.folders.extend(root.resolve() / folder for folder in file.folders)
            continue
        after, reason = _without(file, before, home)
        if reason:
            undo.left.append((file.path, reason))
            undo.record.files.append(file)
        else:
            undo.changes.append((file.path, Change(place, before, after)))
            undo.folders.extend(root.resolve() / folder for folder in file.folders)
    return undo


def _without(file: Written, content: bytes, home: Path) -> tuple[bytes | None, str]:
    """Return a file without what init wrote, or why that cannot be told apart."""
    if content == IGNORE.encode() and (home / "log").exists():
        return content, "it keeps git from listing the project's runs"
    if digest_of(content) == file.digest:
        if file.made:
            return None, ""
        return without_pieces(content.decode(), file.pieces).encode(), ""
    try:
        found = _taken_out(file, content.decode())
    except (UnicodeDecodeError, NotJson, tomllib.TOMLDecodeError):
        found = None
    if found is None:
        return content, "it was changed after init wrote it"
    return found.encode(), ""


def _taken_out(file: Written, text: str) -> str | None:
    """Return a text that people went on with without our entry, None where that is not ours."""
    if file.keys:
        if get(text, file.keys) != file.value:
            return None
        rest = take_out(text, file.keys)
        return rest if get(rest, file.keys) is None else None
    if len(file.pieces) != 1 or text.count(file.pieces[0][1]) != 1:
        return None
    rest = text.replace(file.pieces[0][1], "")
    tomllib.loads(rest)
    return rest
