"""Reading and writing a project's files: each at once, and all of them or none."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import ChangedMeanwhile, FileUnusable, OutsideProject


class Change(NamedTuple):
    """What is to become of a file: None stands for one that is not there."""

    path: Path
    before: bytes | None
    after: bytes | None


def place_of(root: Path, path: str) -> Path:
    """Return where a file of the project really is. Raises OutsideProject where links lead out."""
    real = Path(os.path.realpath(root / path))
    if not real.is_relative_to(os.path.realpath(root)):
        raise OutsideProject(path, real, root)
    return real


def content_of(path: Path) -> bytes | None:
    """Return what is in a file, None where there is none. Raises FileUnusable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileUnusable(str(path), "read", error.strerror or str(error)) from error


def missing_folders(root: Path, path: Path) -> list[Path]:
    """Return the folders below the root that have to be made for a file, the outermost first."""
    above = [folder for folder in path.parents if folder.is_relative_to(root)]
    return [folder for folder in reversed(above) if not folder.exists()]


def apply(changes: Sequence[Change], folders: Sequence[Path] = ()) -> None:
    """Make all changes in order, then remove the folders that are empty; or change nothing.

    Raises FileUnusable and ChangedMeanwhile.
    """
    done: list[Change] = []
    made: list[Path] = []
    try:
        for change in changes:
            _apply(change, done, made)
    except BaseException:
        for change in reversed(done):
            _write(change.path, change.before)
        _remove_empty(made)
        raise
    _remove_empty(folders)


def _apply(change: Change, done: list[Change], made: list[Path]) -> None:
    if content_of(change.path) != change.before:
        raise ChangedMeanwhile(str(change.path))
    try:
        for folder in reversed([change.path.parent, *change.path.parent.parents]):
            if change.after is not None and not folder.exists():
                folder.mkdir()
                made.append(folder)
        _write(change.path, change.after)
    except OSError as error:
        raise FileUnusable(str(change.path), "written", error.strerror or str(error)) from error
    done.append(change)


def _write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask()
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in sorted(folders, key=lambda each: len(each.parts), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
