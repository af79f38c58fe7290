"""Worktrees of our own, below the project's home: made, found again after a crash, and removed."""

import time
from pathlib import Path

import msgspec
import trio

from .bounds import UNBOUNDED
from .clearing import clear_away
from .errors import (
    BranchTaken,
    FolderTaken,
    GitFailed,
    NoCommits,
    NoSuchCommit,
    StateUnwritable,
    WorktreeExists,
    WorktreeMissing,
)
from .git import Git
from .include import Included, include
from .locks import locked
from .names import safe_name
from .places import OWN, RECORD, Repository, Workspace, git_dir_of
from .ports import take_port
from .records import Worktree, find, folder_of, lock_of, workspace_of
from .restoring import restore
from .snapshots import Snapshot, contains


class Made(msgspec.Struct, frozen=True):
    """A worktree that is ready to be worked in. `is_new` is False when it was there already."""

    worktree: Worktree
    workspace: Workspace
    included: Included = Included()
    is_new: bool = True


async def add_worktree(
    repository: Repository,
    run: str,
    name: str,
    *,
    base: str | Snapshot | None = None,
    target: str = "",
    beside: Workspace | None = None,
    files: str = "",
) -> Made:
    """Make a worktree for a run, or find it again: after a crash this is called like before it.

    `base` is a commit, HEAD unless said otherwise, or a snapshot whose files it begins with; `beside`
    is the checkout whose ignored files come along, and `target` the branch that it will be merged
    into, by default the one checked out where the repository was opened. A new one gets the `files` of
    that git tree, where that is said; one whose folder is gone is made again from its last snapshot.
    """
    folder = folder_of(repository, run, name)
    making = lock_of(repository, folder)
    async with locked(making) as lock:
        git = repository.git.under(lock)
        lost = making.with_suffix(".lost")
        known = await _known(repository, folder, lost)
        if known is not None:
            if base is not None and (asked := (await _base(git, base))[0]) != known.asked:
                raise WorktreeExists(run, name, str(folder), base=known.asked, wanted=asked)
            if found := await find(repository, folder):
                return Made(known, workspace_of(repository, found[1], known), is_new=False)
            record = known
        else:
            port = await take_port(repository, folder, making)
            record = await _record(repository, git, run, name, base, target, files, port)
        git_dir = await _check_out(git, repository, record, is_again=known is not None)
        workspace = workspace_of(repository, git_dir, record)
        if known is not None:
            await _bring_back(workspace)
        elif files:
            await restore(workspace, files, bounds=UNBOUNDED)
        source = beside or await _own_checkout(repository, run)
        included = await include(source, folder) if source else Included()
        record.write(git_dir)  # last: from now on it is one of ours
        lost.unlink(missing_ok=True)
        return Made(record, workspace, included)


async def open_worktree(repository: Repository, run: str, name: str) -> tuple[Worktree, Workspace]:
    """Find a run's worktree. Raises WorktreeMissing; `add_worktree` makes it again."""
    folder = folder_of(repository, run, name)
    found = await find(repository, folder)
    if found is None or found[0].is_going or not folder.exists():
        raise WorktreeMissing(run, name, str(folder))
    return found[0], workspace_of(repository, found[1], found[0])


async def _known(repository: Repository, folder: Path, lost: Path) -> Worktree | None:
    """Return what is known of a worktree that was made before, and clear away what is not whole.

    When only its folder is gone, what we know is put aside until it is made again.
    """
    found = await find(repository, folder)
    if found is not None and folder.exists() and not found[0].is_going:
        return found[0]
    if found is not None:
        if not found[0].is_going:
            found[0].write_to(lost)
        await trio.to_thread.run_sync(clear_away, folder, found[1])
    else:
        await trio.to_thread.run_sync(_clear_half_made, repository, folder)
    return Worktree.read_from(lost)


async def _record(
    repository: Repository,
    git: Git,
    run: str,
    name: str,
    base: str | Snapshot | None,
    target: str,
    files: str,
    port: int,
) -> Worktree:
    asked, commit = await _base(git, base or "HEAD")
    return Worktree(
        run=run,
        name=name,
        path=str(folder_of(repository, run, name)),
        branch=f"holdfast/{safe_name(run)}/{safe_name(name)}",
        asked=asked,
        base=commit,
        target=target or await git.text("symbolic-ref", "-q", "HEAD", ok=(0, 1)),
        port_base=port,
        created_ns=time.time_ns(),
        is_from_snapshot=isinstance(base, Snapshot) and commit != base.head,
        files=files,
    )


async def _base(git: Git, base: str | Snapshot) -> tuple[str, str]:
    """Return what was asked for, and the commit to begin with."""
    if isinstance(base, str):
        commit = await git.resolve(base)
        if not commit and base == "HEAD":
            raise NoCommits(str(git.folder))
        if not commit:
            raise NoSuchCommit(base, str(git.folder))
        return commit, commit
    if base.head and await git.resolve(base.head, "tree") == base.tree:
        return base.tree, base.head
    if not await git.resolve(base.tree, "tree"):
        raise NoSuchCommit(base.tree, str(git.folder))
    parent = ("-p", base.head) if base.head else ()
    # Not the snapshot's own commit: its history is all snapshots before it.
    commit = await git.as_us().text("commit-tree", base.tree, *parent, "-m", "Files as they were")
    return base.tree, commit


async def _check_out(git: Git, repository: Repository, record: Worktree, *, is_again: bool) -> Path:
    folder = Path(record.path)
    await trio.to_thread.run_sync(_make_parent, repository.home / "worktrees", folder)
    branch = await git.resolve(f"refs/heads/{record.branch}")
    if branch and not is_again:
        kept = await git.resolve(workspace_of(repository, repository.common, record).ref)
        if not any(
            [await contains(git, commit, branch) for commit in (record.base, kept) if commit]
        ):
            raise BranchTaken(record.branch, "it has commits that the base has not")
    afresh = ("--no-track", "-B", record.branch, str(folder), record.base)
    how = (str(folder), record.branch) if branch and is_again else afresh
    try:
        # By turns: git gives up when it reads another worktree that is only half made.
        async with locked(repository.own / "locks" / "adding") as turn:
            # Twice forced: the folder may be known to git although it is gone.
            await git.under(turn).run("worktree", "add", "-q", "-f", "-f", *how)
    except GitFailed as error:
        if "cannot lock ref" in error.stderr:
            raise BranchTaken(record.branch, error.stderr.strip().splitlines()[-1]) from error
        raise
    git_dir = git_dir_of(folder)
    assert git_dir is not None, "git has just made it"
    return git_dir


def _make_parent(worktrees: Path, folder: Path) -> None:
    """Make the folder above, and keep git from listing what is there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not (worktrees / ".gitignore").exists():
            (worktrees / ".gitignore").write_text("*\n")
    except OSError as error:
        raise StateUnwritable(str(folder.parent), error.strerror or str(error)) from error


def _clear_half_made(repository: Repository, folder: Path) -> None:
    """Remove what a creation left that was killed. Nobody was given it, so nobody worked there."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    git_dir = git_dir_of(folder)
    is_known = git_dir is not None and git_dir.parent == repository.common / "worktrees"
    if git_dir is None or not is_known or not git_dir.is_dir() or (git_dir / OWN / RECORD).exists():
        raise FolderTaken(str(folder))  # or one of ours that was moved by hand
    clear_away(folder, git_dir)


async def _bring_back(workspace: Workspace) -> None:
    tip = await workspace.git.resolve(workspace.ref)
    if tip:
        await restore(workspace, tip, bounds=UNBOUNDED)


async def _own_checkout(repository: Repository, run: str) -> Workspace | None:
    if repository.is_bare:
        return None
    return await Workspace.open(repository.root, run=run, home=repository.home, git=repository.git)
