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
        found = await _find(folder, git or Git(folder))
        root = found.root or found.common
        where = home or root / ".holdfast"
        return cls((git or Git(root)).at(root), root, found.common, where, found.root is None)

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
        found = await _find(folder, git or Git(folder))
        if found.root is None:
            raise BareRepository(str(folder))
        root = found.root
        where = home or root / ".holdfast"
        git = (git or Git(root)).at(root)
        return cls(git, root, found.git_dir, found.common, where, run, name)

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


def git_dir_of(folder: Path) -> Path | None:
    """Return git's folder for a checkout without asking git, or None where there is none."""
    link = folder / ".git"
    if link.is_dir():
        return link
    if not link.is_file():
        return None
    told = link.read_text(errors="surrogateescape").removeprefix("gitdir: ").rstrip("\n")
    return Path(os.path.normpath(folder / told))


def write_whole(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Put data in the place of a file, so that it is there as a whole or not at all.

    The caller holds a lock that keeps others from doing the same. Not `lasting`: what a power cut
    may take or garble, since it is only there to save time.
    """
    newborn = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with newborn.open("wb") as file:
            file.write(data)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        newborn.replace(path)
    except OSError as error:
        raise StateUnwritable(str(path), error.strerror or str(error)) from error


@dataclass(frozen=True)
class _Found:
    root: Path | None
    git_dir: Path
    common: Path


async def _find(folder: Path, git: Git) -> _Found:
    """Ask git what there is around a folder."""
    if not folder.is_dir():
        raise NotARepository(str(folder))
    await check_git()
    asked = ("--is-inside-work-tree", "--git-common-dir", "--git-dir", "--show-toplevel")
    try:
        # Where there are no files, the last question is an error, and the others are answered.
        text = await git.at(folder).text("rev-parse", "--path-format=absolute", *asked)
    except GitFailed as error:
        if "not a git repository" in error.stderr:
            raise NotARepository(str(folder)) from error
        text = error.stdout
        if "must be run in a work tree" not in error.stderr:
            raise
    inside, common, git_dir, *root = text.split("\n")
    is_checkout = inside == "true" and _leads_to(Path(root[0]), git_dir)
    return _Found(Path(root[0]) if is_checkout else None, Path(git_dir), Path(common))


def _leads_to(root: Path, git_dir: str) -> bool:
    """Whether a checkout names its git folder: a bare one may claim any files, as any program can make it."""
    named = git_dir_of(root)
    return named is not None and named.exists() and os.path.samefile(named, git_dir)
