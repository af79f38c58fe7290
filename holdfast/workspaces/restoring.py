"""Bringing the files of a workspace back to a snapshot, after keeping what is there."""

import os
from collections.abc import Mapping, Sequence

import msgspec
import trio

from .bounds import Bounds
from .disk import files_in_the_way, remove_special
from .errors import NestedRepository, WouldOverwrite
from .git import Git
from .index import NESTED, LeftOut, look, private
from .locks import locked
from .places import Workspace
from .snapshots import Snapshot, keep, tree_of


class Restored(msgspec.Struct, frozen=True):
    """What restoring did. `before` has the files as they were; `changed` are the paths that differ.

    `left_alone` is what neither of the two snapshots has: nested repositories, contents of submodules.
    """

    tree: str
    before: Snapshot
    changed: tuple[str, ...] = ()
    left_alone: tuple[LeftOut, ...] = ()


async def restore(
    workspace: Workspace,
    what: Snapshot | str,
    *,
    careful: bool = False,
    expected: str = "",
    bounds: Bounds | None = None,
) -> Restored:
    """Make the files exactly those of a snapshot: others that are not ignored are deleted.

    What was there is kept in a snapshot first, always; pipes and the like in the way just go. With
    `careful`, WouldOverwrite is raised unless the files are those of the tree `expected`, or already
    the wanted ones.
    """
    wanted = await tree_of(workspace.git, what)
    bounds = bounds or Bounds()
    async with locked(workspace.lock) as lock:
        git = private(workspace, lock)
        seen = await look(workspace, lock, bounds)
        wanted = await _with_home_of(workspace, git, seen.tree, wanted)
        differing = await _differing(workspace, seen.tree, wanted)
        hidden = await _in_the_way(workspace, seen.tree, differing)
        _refuse_nested(workspace, seen.left_out, differing, hidden)
        if careful and (hidden or seen.tree not in (wanted, expected)):
            raise WouldOverwrite(str(workspace.root), hidden or sorted(differing))
        if hidden:
            seen = await look(workspace, lock, bounds, hidden)
        before = await keep(
            workspace,
            seen.tree,
            "Before restoring",
            left_out=seen.left_out,
            since_ns=seen.since_ns,
        )
        await trio.to_thread.run_sync(remove_special, workspace.root, hidden)
        if seen.tree != wanted:
            await git.run("read-tree", "-m", "-u", seen.tree, wanted)
            await keep(workspace, wanted, "Restored", since_ns=seen.since_ns)
    return Restored(wanted, before, tuple(sorted({*differing, *hidden})), seen.left_out)


async def _differing(workspace: Workspace, present: str, wanted: str) -> dict[str, str]:
    """Return the paths that differ between two trees, with git's letter for how."""
    if present == wanted:
        return {}
    told = await workspace.git.items(
        "diff-tree", "-r", "-z", "--no-renames", "--name-status", present, wanted
    )
    return dict(zip(told[1::2], told[::2], strict=True))


async def _with_home_of(workspace: Workspace, git: Git, present: str, wanted: str) -> str:
    """Return the wanted tree with the project's own folder as it is: workflows are not rewound."""
    differing = await _differing(workspace, present, wanted)
    ours = [path for path in differing if not workspace.is_part(path)]
    if not ours:
        return wanted
    scratch = git.using(workspace.own / "index.restore")
    (workspace.own / "index.restore.lock").unlink(missing_ok=True)
    await scratch.run("read-tree", wanted)
    entries = await git.run("ls-tree", "-r", "-z", "--full-tree", present, "--", *ours)
    nothing = b"0 " + b"0" * len(wanted) + b"\t"
    removals = b"".join(nothing + os.fsencode(path) + b"\0" for path in ours)
    await scratch.run("update-index", "-z", "--index-info", stdin=removals + entries.stdout)
    return await scratch.text("write-tree")


async def _in_the_way(
    workspace: Workspace, present: str, differing: Mapping[str, str]
) -> list[str]:
    """Return ignored files that the wanted ones would replace, so that they can be kept as well."""
    added = [path for path, how in differing.items() if how in "AT"]
    found = await trio.to_thread.run_sync(files_in_the_way, workspace.root, added)
    if not found:
        return []
    tracked = await workspace.git.items(
        "ls-tree", "-r", "-z", "--name-only", "--full-tree", present
    )
    return sorted(found.difference(tracked))


def _refuse_nested(
    workspace: Workspace,
    left_out: Sequence[LeftOut],
    differing: Mapping[str, str],
    hidden: Sequence[str],
) -> None:
    """Refuse to write where git repositories are, since no snapshot keeps what is in them."""
    inside = {path.partition("/.git/")[0] for path in hidden if "/.git/" in path}
    inside.update(path.removesuffix("/.git") for path in hidden if path.endswith("/.git"))
    for left in left_out:
        below = left.path + "/"
        if left.why == NESTED and any(
            path.startswith(below) or below.startswith(path + "/") for path in differing
        ):
            inside.add(left.path)
    if inside:
        raise NestedRepository(str(workspace.root), sorted(inside))
