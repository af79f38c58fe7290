"""Where the files of a run are, told from paths alone, without asking git."""

import os
from pathlib import Path

WORKTREE = "checkout"  # the name of a run's own worktree


def repository_root(folder: str) -> Path | None:
    """Return the root of the checkout around a folder, or None where there is none."""
    path = Path(folder)
    for parent in (path, *path.parents):
        if _is_root(parent / ".git"):
            return parent
    return None


def _is_root(link: Path) -> bool:
    """Tell whether it is git's; one without a HEAD may be there for a sandbox to keep it closed."""
    return link.is_file() or os.path.lexists(link / "HEAD")


def has_repository(folder: str) -> bool:
    """Tell whether a folder is in a checkout."""
    return repository_root(folder) is not None


def fork_folder(home: Path, run: str, folder: str) -> str:
    """Return the folder that a fork works in, where its origin works in `folder`: a worktree of its own.

    Empty where that is in no checkout.
    """
    root = repository_root(folder)
    if not folder or root is None:
        return ""
    from .workspaces import safe_name  # git is asked later, by whoever executes the run

    worktree = home / "worktrees" / safe_name(run) / WORKTREE
    return str(worktree / Path(folder).relative_to(root))
