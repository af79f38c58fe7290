"""Which projects keep snapshots in a repository: their logs alone know which runs there are.

Several may share one: a worktree of the user's has a project of its own, and so has HOLDFAST_HOME.
"""

import os
from pathlib import Path

from .names import short_digest
from .places import OWN, Repository, write_whole


def register_home(common: Path, home: Path) -> None:
    """Put down that a project keeps snapshots here, before the first of them."""
    told = _told(common, home)
    path = common / OWN / "homes" / short_digest(told)
    if not path.exists():
        write_whole(path, os.fsencode(told))


def _told(common: Path, home: Path) -> str:
    """Return a home's path, relative where it lies beside git's folder: the two move together."""
    return os.path.relpath(home, common) if home.is_relative_to(common.parent) else str(home)


def homes(repository: Repository) -> list[Path]:
    """Return the homes of all projects that may have snapshots in a repository."""
    common = repository.common
    folder = common / OWN / "homes"
    names = sorted(folder.glob("[!.]*")) if folder.is_dir() else []
    told = [common / os.fsdecode(path.read_bytes()) for path in names]
    roots = [common.parent, *(Path(text).parent for text in _worktrees(common))]
    usual = [root / ".holdfast" for root in roots]
    found = [repository.home, *told, *(home for home in usual if home.is_dir())]
    return sorted({Path(os.path.normpath(home)) for home in found})


def _worktrees(common: Path) -> list[str]:
    links = sorted((common / "worktrees").glob("*/gitdir"))
    return [os.fsdecode(link.read_bytes()).rstrip("\n") for link in links]
