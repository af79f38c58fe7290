"""Removing worktrees of ours, after keeping all that is in them."""

from pathlib import Path

import msgspec
import trio

from .bounds import UNBOUNDED
from .clearing import clear_away
from .errors import Unremovable, WorktreeHoldsWork
from .git import Git
from .index import NESTED, look
from .locks import locked
from .places import Repository, Workspace
from .records import Worktree, find, folder_of, lock_of, workspace_of
from .snapshots import Snapshot, contains, keep, snapshot


async def remove_worktree(repository: Repository, record: Worktree) -> Snapshot | None:
    """Remove a worktree and its branch, after keeping all its files and commits in a snapshot.

    Ignored files go for good. A repository within it, which no snapshot has, raises
    WorktreeHoldsWork, and what cannot be cleared away Unremovable; to ask again goes on from there.
    Returns the last snapshot, or None when the folder was gone already.
    """
    folder = Path(record.path)
    async with locked(lock_of(repository, folder)) as lock:
        found = await find(repository, folder)
        if found is None:
            return None
        record, git_dir = found
        workspace = workspace_of(repository, git_dir, record)
        last = await _keep_all(workspace) if folder.exists() and not record.is_going else None
        msgspec.structs.replace(record, is_going=True).write(git_dir)
        await trio.to_thread.run_sync(clear_away, folder, git_dir)
        await _drop_branch(repository.git.under(lock), record, workspace)
        return last


async def remove_merged(repository: Repository, run: str, name: str) -> bool:
    """Remove a run's worktree where all that is in it was merged; return whether it is gone.

    What cannot be cleared away is no work, and left to the next gc.
    """
    found = await find(repository, folder_of(repository, run, name))
    if found is None:
        return True
    record, git_dir = found
    if Path(record.path).exists() and not record.is_going:
        workspace = workspace_of(repository, git_dir, record)
        seen = await snapshot(workspace, message="Before removal", head_too=True)
        is_clean = seen.tree == await workspace.git.resolve(seen.head, "tree")
        if not is_clean or seen.left_out or seen.head != record.merged:
            return False
    try:
        await remove_worktree(repository, record)
    except Unremovable:
        return False
    return True


async def _keep_all(workspace: Workspace) -> Snapshot:
    async with locked(workspace.lock) as lock:
        seen = await look(workspace, lock, UNBOUNDED)
        nested = [left.path for left in seen.left_out if left.why == NESTED]
        if nested:
            reason = f"it has git repositories of its own: {', '.join(map(repr, nested))}"
            raise WorktreeHoldsWork(str(workspace.root), reason)
        return await keep(
            workspace, seen.tree, "Before removal", head_too=True, since_ns=seen.since_ns
        )


async def _drop_branch(git: Git, record: Worktree, workspace: Workspace) -> None:
    """Delete the worktree's branch once its commits are kept by the snapshots."""
    ref = f"refs/heads/{record.branch}"
    tip, kept = await git.resolve(ref), await git.resolve(workspace.ref)
    if tip and kept and await contains(git, kept, tip):
        await git.run("update-ref", "-d", ref, tip)
