"""What lies on disk where git is about to write."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path


def files_in_the_way(root: Path, added: Sequence[str]) -> set[str]:
    """Return the files, folders of them looked into, that lie where files are to be added."""
    found: set[str] = set()
    for path in added:
        first = _first_that_is_no_folder(root, path)
        if first is None:
            found.update(_files_below(root, root / path))
        elif os.path.lexists(root / first):
            found.add(first)
    return found


def _first_that_is_no_folder(root: Path, path: str) -> str | None:
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        part = "/".join(parts[:depth])
        full = root / part
        if full.is_symlink() or not full.is_dir():
            return part
    return None


def _files_below(root: Path, folder: Path) -> list[str]:
    return [
        os.path.relpath(os.path.join(where, file), root)
        for where, _, files in os.walk(folder)
        for file in files
    ]


def is_special(path: Path) -> bool:
    """Tell whether there is a pipe, socket or device, which git cannot keep."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def remove_special(root: Path, paths: Sequence[str]) -> None:
    """Remove those of the paths that are pipes, sockets or devices: git would not write over them."""
    for path in paths:
        if is_special(root / path):
            (root / path).unlink()
