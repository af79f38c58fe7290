"""Snapshots: the whole tree of a workspace, kept in a commit that only Holdfast's refs lead to."""

import msgspec
import trio

from .bounds import Bounds
from .errors import NoSuchCommit
from .git import Git
from .homes import register_home
from .index import LeftOut, Tips, look, tips_of
from .lasting import flush_names
from .locks import locked
from .places import Workspace


class Snapshot(msgspec.Struct, frozen=True):
    """The files of a workspace at one moment: tracked and untracked ones, ignored ones not.

    `head` is the commit that was checked out, "" before the first one.
    """

    tree: str
    commit: str
    head: str = ""
    left_out: tuple[LeftOut, ...] = ()


async def snapshot(
    workspace: Workspace,
    *,
    bounds: Bounds | None = None,
    message: str = "Snapshot",
    head_too: bool = False,
) -> Snapshot:
    """Record the files of a workspace, and change nothing that the user has.

    When this returns, a power cut takes none of it: git flushes each object and ref that it writes,
    and their names are flushed after that. Objects that another git had written before are as safe
    as that one made them. Files that are as they were in the run's last snapshot make no new commit;
    with `head_too` they do where another commit is checked out, so that this one is kept as well.
    """
    async with locked(workspace.lock) as lock:
        seen = await look(workspace, lock, bounds or Bounds())
        return await keep(
            workspace,
            seen.tree,
            message,
            left_out=seen.left_out,
            head_too=head_too,
            tips=seen.tips,
            since_ns=seen.since_ns,
        )


async def keep(
    workspace: Workspace,
    tree: str,
    message: str,
    *,
    left_out: tuple[LeftOut, ...] = (),
    head_too: bool = False,
    tips: Tips | None = None,
    since_ns: int,
) -> Snapshot:
    """Add a tree to the history of the workspace's snapshots in this run.

    The commit that is checked out comes along with each new tree; `head_too`: with the same as well.
    `tips` is what the caller has just seen. When this returns, all that was written since `since_ns`
    is on disk, and so is the way to it.
    """
    git, tips = workspace.git, tips or await tips_of(workspace)
    head, tip = tips.head, tips.last
    if tips.tree == tree and not (head_too and head and not await contains(git, tip, head)):
        return Snapshot(tree, tip, head, left_out)
    register_home(workspace.common, workspace.home)
    parents = [part for parent in (tip, head) if parent for part in ("-p", parent)]
    commit = await git.as_us().text("commit-tree", tree, *parents, "-m", message)
    await git.run("update-ref", workspace.ref, commit, tip or "0" * len(tree))
    await trio.to_thread.run_sync(flush_names, workspace, since_ns)
    return Snapshot(tree, commit, head, left_out)


async def contains(git: Git, commit: str, other: str) -> bool:
    """Whether a commit has another one in its history."""
    return (await git.run("merge-base", "--is-ancestor", other, commit, ok=(0, 1))).code == 0


async def tree_of(git: Git, what: Snapshot | str) -> str:
    """Return the id of a snapshot's, commit's or tree's tree. Raises NoSuchCommit."""
    name = what.tree if isinstance(what, Snapshot) else what
    found = await git.resolve(name, "tree")
    if not found:
        raise NoSuchCommit(name, str(git.folder))
    return found
