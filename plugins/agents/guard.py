"""What no agent touches that reads and writes files in our own process, where no sandbox holds it.

Where one confines the task's programs, the same holds here: nothing outside of its folder, nothing
that it hides, and no change of what it keeps. Files are known by what they are, not by their name.
"""

import errno
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from .. import confining
from ..errors import NotConfinable

FORBIDDEN = {".git", ".holdfast"}
"""Who writes there runs commands (git's hooks), or decides for people (the log)."""


def is_forbidden(name: str) -> bool:
    """Tell whether a name is one of those, for file systems too that do not tell case, or marks that
    nobody sees."""
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", seen).casefold().rstrip(". ") in FORBIDDEN


class Guard:
    """Where to begin when a path in a task's folder is walked: `root`, then `names`, following no link.

    Raises NotConfinable where the folder is not in that of the sandbox.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.names: tuple[str, ...] = ()
        self._hidden = self._kept = frozenset[tuple[int, int]]()
        if (confined := confining.current()) is None:
            return
        within = confined.within
        inner = Path(os.path.normpath(folder.absolute()))
        self.root = Path(os.path.normpath(within.folder.absolute()))
        if not inner.is_relative_to(self.root):
            raise NotConfinable(
                f"the folder {str(folder)!r} of the step is not in {str(self.root)!r}, to which its "
                'sandbox holds it. Name a folder in there, or sandbox="none"'
            )
        self.names = inner.relative_to(self.root).parts
        self._hidden, self._kept = _identities(within.hidden), _identities(within.keep)

    def admit(self, found: os.stat_result, *, writing: bool = False) -> None:
        """Raise PermissionError for what the sandbox hides, and for a change of what it keeps."""
        identity = (found.st_dev, found.st_ino)
        if identity in self._hidden:
            raise PermissionError(errno.EACCES, "the sandbox hides it")
        if writing and identity in self._kept:
            raise PermissionError(errno.EACCES, "the sandbox lets nobody change it")


def _identities(paths: Iterable[Path]) -> frozenset[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for path in paths:
        try:
            there = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # where there is no such path, nothing is missed
        found.add((there.st_dev, there.st_ino))
    return frozenset(found)
