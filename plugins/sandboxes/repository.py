"""What of git's own files a confined program may change: as much as a commit in a worktree takes.

Whoever can write git's settings or hooks has code run outside, by the next git command there. So a
checkout's own `.git` is read-only. A worktree has an index and a HEAD of its own, and shares objects
and branches with the repository.

An earlier step may have put what it likes into the folder. So a worktree's word of where its repository
is counts only where the repository says the same.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..errors import SandboxFailed

SHARED = ("logs", "objects", "refs")  # of the repository, for all its worktrees
STEERING = ("commondir", "gitdir")  # of a worktree: where git looks for settings and hooks


def repository_mounts(folder: Path) -> Iterator[tuple[Literal["read", "write"], Path]]:
    """Yield what may be read or written of the repository around a folder. Raises SandboxFailed."""
    for above in (folder, *folder.parents):
        link = above / ".git"
        if os.path.islink(link):
            raise SandboxFailed(
                f"{str(link)!r} is a link, which a confined program could replace. Put git's folder "
                "there itself, or let the run work in a worktree."
            )
        if os.path.exists(link):
            yield "read", link
            yield from _worktree(link) if link.is_file() else ()
            return


def _worktree(link: Path) -> Iterator[tuple[Literal["read", "write"], Path]]:
    own = _named_in(link, "gitdir: ")
    common = own and _named_in(own / "commondir")
    if own is None or common is None or own.parent != common / "worktrees":
        return
    if _named_in(own / "gitdir") != link.resolve():
        return
    _close_gaps(own, common)
    yield "read", common
    for name in SHARED:
        yield "write", common / name
    yield "write", own
    for name in (*STEERING, "config.worktree", "holdfast", "hooks", "modules"):
        yield "read", own / name
    yield "read", common / "refs" / "holdfast"


def _close_gaps(own: Path, common: Path) -> None:
    """Make what must not be made in there, so that it can be read-only; empty, it means nothing."""
    (own / "config.worktree").touch()
    for folder in ("holdfast", "hooks", "modules"):
        (own / folder).mkdir(exist_ok=True)
    (common / "refs" / "holdfast").mkdir(exist_ok=True)
    (common / "logs").mkdir(exist_ok=True)


def _named_in(file: Path, prefix: str = "") -> Path | None:
    """Return the path that one of git's files names."""
    try:
        told = file.read_text(errors="surrogateescape")
    except OSError:
        return None
    return (file.parent / told.removeprefix(prefix).rstrip("\n")).resolve()
