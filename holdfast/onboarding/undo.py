"""Taking back what init wrote, and nothing else."""

import os
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

    def write(self, home: Path) -> None:
        """Take it back, or change nothing."""
        apply([change for _, change in self.changes], self.folders)


def make_undo(root: Path, home: Path) -> Undo:
    """Look at what init wrote, and say what of it can be taken back. Raises OnboardingError."""
    undo, kept = Undo([], [], []), Record()
    for file in read_record(home).files:
        place = place_of(root, file.path)
        before = content_of(place)
        after, reason = (None, "") if before is None else _without(file, before, home)
        if reason:
            undo.left.append((file.path, reason))
            kept.files.append(file)
            continue
        undo.folders.extend(root.resolve() / folder for folder in file.folders)
        if after != before:
            undo.changes.append((file.path, Change(place, before, after)))
    record = home / NAME
    before, after = content_of(record), kept.encoded() if kept.files else None
    if after != before:
        undo.changes.append((os.path.relpath(record, root), Change(record, before, after)))
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
        found = get(text, file.keys)
        if found is None:  # they took it out, or init was killed before it put it in
            return text
        return take_out(text, file.keys) if found == file.value else None
    if not file.pieces:
        return None
    if "holdfast" not in tomllib.loads(text).get("mcp_servers", {}):
        return text
    [(_, piece)] = file.pieces
    rest = text.replace(piece, "", 1)
    return rest if "holdfast" not in tomllib.loads(rest).get("mcp_servers", {}) else None
