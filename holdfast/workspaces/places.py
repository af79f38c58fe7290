"""Where things are: the repository, a workspace of it, and our own files in git's folders.

What is kept about a workspace lies in its own git folder, so that it goes when git removes that.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import BareRepository, GitFailed, NotARepository, StateUnwritable
from .git import Git, check_git
from .names import safe_name

OWN = "holdfast"  # our folder in a git folder
RECORD = "worktree.json"
CHECKOUT = "checkout"  # the name of the user's own checkout among a run's workspaces


@dataclass(frozen=True)
class Repository:
    """A git repository. `home` is the project's `.holdfast` folder, below which worktrees are made.

    `root` is the folder that it was opened in: a checkout's root, or the bare repository.
    """

    git: Git
    root: Path
    common: Path
    home: Path
    is_bare: bool

    @classmethod
    async def open(
        cls, folder: Path, *, home: Path | None = None, git: Git | None = None
    ) -> "Repository":
        """Find the repository around a folder. Raises NotARepository, GitMissing, GitTooOld."""
        await check_git(folder if folder.is_dir() else None)
        git = (git or Git(folder)).at(folder)
        common = Path(await _asked(git, "--git-common-dir"))
        inside = await git.text("rev-parse", "--is-inside-work-tree")
        root = Path(await git.text("rev-parse", "--show-toplevel")) if inside == "true" else common
        return cls(git.at(root), root, common, home or root / ".holdfast", inside != "true")

    @property
    def own(self) -> Path:
        """Where our files about the repository as a whole are."""
        return self.common / OWN


@dataclass(frozen=True)
class Workspace:
    """A folder that the steps of a run work in: the user's own checkout, or a worktree of ours.

    `home` is the project's own folder. Where it lies within the workspace it is no part of it.
    """

    git: Git
    root: Path
    git_dir: Path
    common: Path
    home: Path
    run: str
    name: str = CHECKOUT

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        run: str,
        name: str = CHECKOUT,
        home: Path | None = None,
        git: Git | None = None,
    ) -> "Workspace":
        """Open the checkout around a folder. Raises BareRepository and what Repository.open raises."""
        repository = await Repository.open(folder, home=home, git=git)
        if repository.is_bare:
            raise BareRepository(str(folder))
        git_dir = Path(await _asked(repository.git, "--git-dir"))
        home = repository.home
        return cls(repository.git, repository.root, git_dir, repository.common, home, run, name)

    @property
    def ref(self) -> str:
        """The ref whose history is the snapshots of this workspace in this run."""
        return f"{run_refs(self.run)}/{safe_name(self.name)}"

    @property
    def is_ours(self) -> bool:
        """Whether we made it, so that nobody minds when its branch moves."""
        return (self.git_dir / OWN / RECORD).exists()

    @property
    def own(self) -> Path:
        """Where our files about this workspace are."""
        return self.git_dir / OWN

    @property
    def lock(self) -> Path:
        return self.own / "lock"

    def is_part(self, path: str) -> bool:
        """Whether a path, as git names it, belongs to the workspace and not to the project's home."""
        home = os.path.relpath(self.home, self.root)
        return not (path.rstrip("/") == home or path.startswith(home + "/"))


def run_refs(run: str) -> str:
    """Return the ref below which all snapshots of a run are kept."""
    return f"refs/holdfast/runs/{safe_name(run)}"


def write_whole(path: Path, data: bytes) -> None:
    """Put data in the place of a file, so that it is there as a whole or not at all."""
    newborn = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with newborn.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        newborn.replace(path)
    except OSError as error:
        raise StateUnwritable(str(path), error.strerror or str(error)) from error


async def _asked(git: Git, what: str) -> str:
    if not git.folder.is_dir():
        raise NotARepository(str(git.folder))
    try:
        return await git.text("rev-parse", "--path-format=absolute", what)
    except GitFailed as error:
        if "not a git repository" in error.stderr:
            raise NotARepository(str(git.folder)) from error
        raise
