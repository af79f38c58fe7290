"""Links and special files in git's folders, where git makes none: git would follow them wherever they lead.

Whoever may write an index or a branch in there may put a link in its place. Git outside would then
write to the file that it leads to, as the user, or wait for ever on a pipe.
"""

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

APART = ("holdfast", "hooks", "modules")  # in a worktree's own folder: never writable inside
FANS = frozenset(f"{number:02x}" for number in range(256))
"""Folders of single objects. Git replaces none of these files, nor trusts what is in them."""


def planted_in(own: Path, common: Path, *, remove: bool = False) -> list[str]:
    """Return what is neither file nor folder where git in a worktree writes, apart from objects.

    `own` is git's folder for the worktree, `common` the repository's; `remove` takes them away.
    Raises OSError where somebody keeps us from looking.
    """
    places = ((own, APART), (common / "refs", APART), (common / "logs" / "refs", ()))
    return [path for place, apart in places for path in _planted(place, apart, remove)]


def planted_in_objects(common: Path, *, remove: bool = False) -> list[str]:
    """Return what is neither file nor folder among a repository's objects, like `planted_in`."""
    return [*_planted(common / "objects", FANS, remove)]


def _planted(place: Path, apart: Collection[str], remove: bool) -> Iterator[str]:
    top = os.path.realpath(place)
    if not os.path.isdir(top):
        return
    # By descriptors, since somebody may put a link in a folder's place meanwhile.
    for where, folders, files, descriptor in os.fwalk(top, onerror=_raise_unless_gone):
        for name in (*folders, *files):
            if _is_planted(name, descriptor):
                if remove:
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=descriptor)
                yield os.path.join(where, name)
        if where == top:
            folders[:] = [name for name in folders if name not in apart]


def _is_planted(name: str, descriptor: int) -> bool:
    try:
        mode = os.lstat(name, dir_fd=descriptor).st_mode
        if not stat.S_ISLNK(mode):
            return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        leads = os.readlink(name, dir_fd=descriptor).split("/")
    except FileNotFoundError:
        return False
    names_branch = leads[0] == "refs" and ".." not in leads  # git's old way, which stays in here
    return not names_branch


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
