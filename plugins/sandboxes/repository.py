"""What of git's own files a confined program may change: as much as a commit in a worktree takes.

Whoever can write git's settings or hooks has code run outside, by the next git command there. So a
checkout's own `.git` is read-only. A worktree has an index and a HEAD of its own, and shares objects
and branches with the repository. What git notes of how branches moved is not shared, since it is
written through links: git in the user's checkout would follow one that a program has just put there.

An earlier step may have put what it likes into the folder. So a worktree's word of where its repository
is counts only where the repository says the same.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import GitTampered, SandboxFailed
from .planted import planted_in, planted_in_objects

Mount = tuple[Literal["read", "write", "empty"], Path]

SHARED = ("logs/refs", "objects", "refs")  # of the repository, for all its worktrees
FIXED = ("refs/heads", "refs/remotes", "refs/tags")  # no link can take the place of what is mounted
PRIVATE = ("logs/refs/heads", "logs/refs/remotes")
STEERING = ("commondir", "gitdir")  # of a worktree: where git looks for settings and hooks
READ_BY_ALL = ("objects/info", "refs/holdfast")


class _Worktree(NamedTuple):
    """Git's folder for a worktree, and the repository's."""

    own: Path
    common: Path


def repository_mounts(folder: Path) -> Iterator[Mount]:
    """Yield what may be read or written of the repository around a folder. Raises SandboxFailed."""
    link = _link_around(folder)
    if link is None:
        return
    if os.path.islink(link):
        raise SandboxFailed(
            f"{str(link)!r} is a link, which a confined program could replace. Put git's folder "
            "there itself, or let the run work in a worktree."
        )
    yield "read", link
    if link.parent != folder:
        # A repository made here would be taken for the folder's, settings and all.
        (folder / ".git").mkdir(exist_ok=True)
        yield "read", folder / ".git"
    worktree = _worktree(link)
    if worktree is not None:
        _refuse_planted(worktree)
        yield from _mounts_of(worktree)


def clear_planted(folder: Path) -> None:
    """Remove what a confined program left for git outside to follow. Raises GitTampered."""
    link = _link_around(folder)
    worktree = None if link is None or os.path.islink(link) else _worktree(link)
    if worktree is not None and (found := _planted(worktree, remove=True)):
        raise GitTampered(found)


def _link_around(folder: Path) -> Path | None:
    links = (above / ".git" for above in (folder, *folder.parents))
    return next((link for link in links if os.path.lexists(link) and not _is_empty(link)), None)


def _is_empty(link: Path) -> bool:
    """Tell whether it is only here to keep a repository from being made; git passes it over."""
    return link.is_dir() and not os.path.islink(link) and not any(link.iterdir())


def _worktree(link: Path) -> _Worktree | None:
    if not link.is_file():
        return None
    own = _named_in(link, "gitdir: ")
    common = own and _named_in(own / "commondir")
    if own is None or common is None or own.parent != common / "worktrees":
        return None
    return _Worktree(own, common) if _named_in(own / "gitdir") == link.resolve() else None


def _mounts_of(worktree: _Worktree) -> Iterator[Mount]:
    own, common = worktree
    _close_gaps(own, common)
    yield "read", common
    for name in (*SHARED, *FIXED):
        yield "write", common / name
    for name in PRIVATE:
        yield "empty", common / name
    yield "write", own
    for name in (*STEERING, "config.worktree", "holdfast", "hooks", "modules"):
        yield "read", own / name
    for name in READ_BY_ALL:
        yield "read", common / name


def _refuse_planted(worktree: _Worktree) -> None:
    """See that there is nothing yet of what is removed later, so that nothing of the user's is."""
    if found := _planted(worktree, remove=False):
        raise SandboxFailed(
            f"{found[0]!r} in git's folder is a link or a special file, by which git would write "
            "elsewhere. Look where it leads, and put a file or a folder in its place."
        )


def _planted(worktree: _Worktree, *, remove: bool) -> list[str]:
    try:
        found = planted_in(*worktree, remove=remove)
        return [*found, *planted_in_objects(worktree.common, remove=remove)]
    except (OSError, RecursionError) as error:
        raise SandboxFailed(
            f"git's folder {str(worktree.common)!r} cannot be looked through for links: {error}. A "
            "confined program may have made folders there that cannot be read: remove them."
        ) from error


def _close_gaps(own: Path, common: Path) -> None:
    """Make what must not be made in there, so that it can be read-only; empty, it means nothing."""
    (own / "config.worktree").touch()
    for folder in ("holdfast", "hooks", "modules"):
        (own / folder).mkdir(exist_ok=True)
    for name in (*PRIVATE, *READ_BY_ALL):
        (common / name).mkdir(parents=True, exist_ok=True)


def _named_in(file: Path, prefix: str = "") -> Path | None:
    """Return the path that one of git's files names."""
    try:
        told = file.read_text(errors="surrogateescape")
    except OSError:
        return None
    return (file.parent / told.removeprefix(prefix).rstrip("\n")).resolve()
