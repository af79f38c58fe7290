"""Making commits of what agents left in their worktrees: on our own branches, never on the user's."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import trio

from .bounds import Bounds
from .errors import RepositoryBusy, Unresolved
from .git import Git
from .index import look, private
from .index_lock import IndexLock, copy_index
from .locks import locked
from .names import safe_name
from .places import Workspace
from .snapshots import Snapshot, keep
from .tampering import refuse_planted

OURS = "refs/heads/holdfast/"
MIDWAY = ("MERGE_HEAD", "MERGE_MODE", "MERGE_MSG", "AUTO_MERGE", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_MARKERS = re.compile(rb"^<{7,} .*^={7,}\r?$.*^>{7,} ", re.MULTILINE | re.DOTALL)


async def commit_work(
    workspace: Workspace,
    message: str,
    *,
    also: Sequence[str] = (),
    resolved: Sequence[str] = (),
    bounds: Bounds | None = None,
) -> str:
    """Commit all files of a worktree of ours and return the commit, or the one there is already.

    `also` are further parents; in the files `resolved`, and those that an unfinished merge left
    unresolved, no conflict markers may be left: Unresolved.
    """
    assert workspace.is_ours, "the user commits in the user's checkout"
    async with locked(workspace.lock) as lock:
        await trio.to_thread.run_sync(refuse_planted, workspace)
        git = workspace.git.under(lock)
        stages = await git.items("ls-files", "--unmerged", "-z")
        unmerged = {stage.partition("\t")[2] for stage in stages}
        seen = await look(workspace, lock, bounds or Bounds())
        suspects = sorted({*unmerged, *resolved})
        marked = await trio.to_thread.run_sync(_with_markers, workspace.root, suspects)
        if marked:
            raise Unresolved(str(workspace.root), marked)
        kept = await keep(
            workspace,
            seen.tree,
            "Before a commit",
            left_out=seen.left_out,
            since_ns=seen.since_ns,
        )
        return await _commit(workspace, git, kept, message, also, lock)


async def reset_branch(workspace: Workspace, commit: str) -> None:
    """Let the branch of a worktree of ours go back to a commit; its files stay as they are.

    Nothing happens where an agent has changed to a branch that is not ours.
    """
    assert workspace.is_ours, "the user's branches are not ours to move"
    async with locked(workspace.lock) as lock:
        await trio.to_thread.run_sync(refuse_planted, workspace)
        git = workspace.git.under(lock)
        branch = await git.text("symbolic-ref", "-q", "HEAD", ok=(0, 1))
        if branch.startswith(OURS) and await git.resolve("HEAD") != commit:
            await git.run("reset", "-q", "--mixed", commit, "--")


async def signing(git: Git) -> Git:
    """Return git with a name to commit under: the user's, or ours where there is none."""
    told = await git.run("var", "GIT_COMMITTER_IDENT", ok=(0, 128))
    return git.as_us() if told.code else git


async def _commit(
    workspace: Workspace, git: Git, kept: Snapshot, message: str, also: Sequence[str], lock: int
) -> str:
    midway = await trio.to_thread.run_sync(_merge_heads, workspace.git_dir)
    others = [commit for commit in (*also, *midway) if commit != kept.head]
    heads = [kept.head] if kept.head else []  # none where an agent began a branch without history
    if heads and not others and await git.resolve(kept.head, "tree") == kept.tree:
        commit = kept.head
    else:
        parents = [part for parent in (*heads, *others) for part in ("-p", parent)]
        signed = await signing(git)
        commit = await signed.text("commit-tree", kept.tree, *parents, "-m", message)
    with trio.CancelScope(shield=True):
        if await _move(workspace, git, kept.head, commit, message):
            await trio.to_thread.run_sync(_follow, workspace, private(workspace, lock).index)
    return commit


async def _move(workspace: Workspace, git: Git, head: str, commit: str, message: str) -> bool:
    """Let the worktree's branch follow, unless an agent has changed to a branch that is not ours."""
    branch = await git.text("symbolic-ref", "-q", "HEAD", ok=(0, 1))
    if branch and not branch.startswith(OURS):
        ref = f"refs/holdfast/work/{safe_name(workspace.run)}/{safe_name(workspace.name)}"
        await git.run("update-ref", ref, commit)
        return False
    if commit != head:
        await git.run("update-ref", "-m", f"holdfast: {message[:60]}", "HEAD", commit, head)
    return True


def _follow(workspace: Workspace, index: Path | None) -> None:
    """Make the worktree's index say what was committed, and end the merge that led there."""
    assert index is not None
    lock = IndexLock(workspace.git_dir)
    if not lock.take():
        raise RepositoryBusy(str(workspace.root), str(lock.path))
    try:
        newborn = workspace.own / "index.new"
        copy_index(index, newborn)
        lock.install(newborn)
        for name in MIDWAY:
            (workspace.git_dir / name).unlink(missing_ok=True)
    finally:
        lock.release()


def _merge_heads(git_dir: Path) -> list[str]:
    path = git_dir / "MERGE_HEAD"
    return path.read_text().split() if path.exists() else []


def _with_markers(root: Path, paths: Sequence[str]) -> list[str]:
    return [path for path in paths if _has_markers(root / path)]


def _has_markers(path: Path) -> bool:
    if os.path.islink(path) or not path.is_file():
        return False
    return _MARKERS.search(path.read_bytes()) is not None
