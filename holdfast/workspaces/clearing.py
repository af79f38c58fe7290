"""Removing a worktree's folder for good, also what tools made read-only in it, like Go's module cache."""

import os
import shutil
import stat
import sys
from pathlib import Path

from .errors import Unremovable


def clear_away(folder: Path, git_dir: Path) -> None:
    """Remove a worktree's files, and last what makes it one: so a kill in between is seen.

    Raises Unremovable; asked again, it goes on from there.
    """
    try:
        try:
            _clear(folder, git_dir)
        except PermissionError:
            _permit(folder)
            _clear(folder, git_dir)
    except OSError as error:
        path, reason = str(error.filename or folder), error.strerror or str(error)
        raise Unremovable(str(folder), path, reason) from error


def _clear(folder: Path, git_dir: Path) -> None:
    if folder.exists():
        for child in folder.iterdir():
            if child.is_dir() and not child.is_symlink():
                _remove(child)
            elif child.name != ".git":
                child.unlink()
        _remove(folder)
    if git_dir.exists():
        _remove(git_dir)


def _permit(folder: Path) -> None:
    """Let its owner empty a folder and every one below, but none that only a link leads to."""
    _open(folder)
    for where, folders, _ in os.walk(folder):  # looks into a folder after it was opened
        for name in folders:
            _open(Path(where, name))


def _open(folder: Path) -> None:
    mode = folder.lstat().st_mode
    if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
        folder.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)


def _remove(folder: Path) -> None:
    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=_raise_named)
    else:
        shutil.rmtree(folder, onerror=lambda _, path, told: _raise_named(_, path, told[1]))


def _raise_named(_: object, path: str, error: BaseException) -> None:
    """Let an error say the whole path, of which it may have only the end."""
    if isinstance(error, OSError):
        error.filename = path
    raise error
