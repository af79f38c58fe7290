"""What is remembered of the worktrees that we made, in git's own folder for each of them."""

import os
from pathlib import Path
from typing import Self

import msgspec
import trio

from .names import safe_name, short_digest
from .places import OWN, RECORD, Repository, Workspace, write_whole


class Worktree(msgspec.Struct, frozen=True):
    """What is remembered of a worktree, in git's folder for it.

    `asked` is the commit or the tree that it was to begin with, `base` the commit it began with;
    they differ when that was a snapshot. `files` is the git tree of files that it was given besides.
    `target` is the branch it was made beside. `merged` is the last commit of it that was merged.
    """

    run: str
    name: str
    path: str
    branch: str
    asked: str
    base: str
    target: str
    port_base: int
    created_ns: int
    is_from_snapshot: bool = False
    files: str = ""
    merged: str = ""
    is_going: bool = False  # its removal began

    @classmethod
    def read(cls, git_dir: Path) -> Self | None:
        """Return the record in git's folder for a worktree, if that is one of ours."""
        record = cls.read_from(git_dir / OWN / RECORD)
        if record is None or not (git_dir / "gitdir").exists():
            return None
        # What git says, since `git worktree move` and `repair` tell nobody else; from 2.48 on in relation
        # to its own folder where `worktree.useRelativePaths` says so.
        link = os.path.normpath(git_dir / (git_dir / "gitdir").read_text().rstrip("\n"))
        return msgspec.structs.replace(record, path=os.path.dirname(link))

    @classmethod
    def read_from(cls, path: Path) -> Self | None:
        """Return the record in a file, if there is one."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None

    def write(self, git_dir: Path) -> None:
        """Put the record into git's folder for the worktree."""
        self.write_to(git_dir / OWN / RECORD)

    def write_to(self, path: Path) -> None:
        """Put the record into a file, as a whole or not at all."""
        write_whole(path, msgspec.json.encode(self))

    @property
    def environment(self) -> dict[str, str]:
        """What the steps that work there find in their environment."""
        return {"HOLDFAST_PORT_BASE": str(self.port_base)}


def folder_of(repository: Repository, run: str, name: str) -> Path:
    """Return where the worktree of this name is, or would be."""
    return repository.home / "worktrees" / safe_name(run) / safe_name(name)


def records(repository: Repository) -> list[tuple[Worktree, Path]]:
    """Return what is known of every worktree of ours, with git's folder for it."""
    folders = repository.common / "worktrees"
    git_dirs = sorted(folders.iterdir()) if folders.is_dir() else []
    found = [(Worktree.read(git_dir), git_dir) for git_dir in git_dirs]
    return [(record, git_dir) for record, git_dir in found if record is not None]


def lock_of(repository: Repository, folder: Path) -> Path:
    """Return the lock that is held while a worktree is made or removed."""
    return repository.own / "locks" / f"worktree-{short_digest(str(folder))}"


async def find(repository: Repository, folder: Path) -> tuple[Worktree, Path] | None:
    """Return the worktree of ours in a folder, with git's folder for it."""
    known = await trio.to_thread.run_sync(records, repository)
    return next((entry for entry in known if entry[0].path == str(folder)), None)


def workspace_of(repository: Repository, git_dir: Path, record: Worktree) -> Workspace:
    """Return the workspace that a record stands for."""
    root = Path(record.path)
    return Workspace(
        repository.git.at(root),
        root,
        git_dir,
        repository.common,
        repository.home,
        record.run,
        record.name,
    )
