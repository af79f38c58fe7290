"""Giving a conflict to somebody in a worktree: files with markers there, then a commit of both sides."""

from holdfast.reducer import Conflict

from .bounds import Bounds
from .committing import commit_work
from .errors import WouldOverwrite
from .places import Workspace
from .restoring import Restored, restore


async def begin_resolving(workspace: Workspace, conflict: Conflict) -> Restored:
    """Write the tried merge into the worktree, with markers where it needs a decision.

    The worktree must still be as it was when the merge was tried: WouldOverwrite.
    """
    git = workspace.git
    if await git.resolve("HEAD") != conflict.source_commit:
        raise WouldOverwrite(str(workspace.root), ["HEAD"])
    tree = await git.resolve(conflict.source_commit, "tree")
    return await restore(workspace, conflict.tree, careful=True, expected=tree)


async def finish_resolving(
    workspace: Workspace, conflict: Conflict, message: str, *, bounds: Bounds | None = None
) -> str:
    """Commit the decisions as a merge of both sides, which then merges without conflict.

    Raises Unresolved while there are markers.
    """
    paths = [file.path for file in conflict.files]
    also = (conflict.target_commit,)
    return await commit_work(workspace, message, also=also, resolved=paths, bounds=bounds)
