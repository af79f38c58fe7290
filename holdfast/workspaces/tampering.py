"""Links in git's folder for a worktree, which a confined program left that ended together with its engine.

What one leaves that ends before its engine, the sandbox removes.
"""

import os

from holdfast.plugins.sandboxes.planted import planted_in

from .errors import GitUnsafe, StateUnwritable
from .places import Workspace


def refuse_planted(workspace: Workspace) -> None:
    """Refuse to have git write where a link would lead it elsewhere. Raises GitUnsafe."""
    if workspace.git_dir.parent != workspace.common / "worktrees":
        return  # a checkout's own folder, where no confined program writes, and users may have links
    try:
        found = planted_in(workspace.git_dir, workspace.common)
    except (OSError, RecursionError) as error:
        named = (isinstance(error, OSError) and error.filename) or workspace.git_dir
        raise StateUnwritable(os.fspath(named), str(error)) from error
    if found:
        raise GitUnsafe(found[0])
