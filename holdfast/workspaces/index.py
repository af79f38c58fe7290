"""A private index per workspace: what git needs to see quickly which files changed.

It begins as a copy of the checkout's own index, so that what the user tracks is tracked, although it
may be ignored, and so that unchanged files need not be read. Each look brings it up to the files.
The caller holds the workspace's lock.
"""

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import trio

from .bounds import Bounds, check_bounds
from .disk import is_special
from .errors import GitFailed, StateUnwritable, Unreadable
from .git import Answer, Git, together
from .places import Workspace
from .seeding import (
    TRACKED,
    Written,
    about,
    digest_of,
    joined,
    last_seed,
    last_tree,
    remember,
    seed_index,
)
from .tampering import refuse_planted

NESTED = "a git repository of its own"
SUBMODULE = "a submodule: only its commit is kept"
SPECIAL = "neither a file nor a folder"
TRIES = 3  # files may change while they are read: agents leave processes behind


class LeftOut(msgspec.Struct, frozen=True):
    """Something that a snapshot has not, and why."""

    path: str
    why: str


class Tips(msgspec.Struct, frozen=True):
    """What is checked out, and the last snapshot and its tree: ids, "" where there is none."""

    head: str
    last: str
    tree: str


class Seen(msgspec.Struct, frozen=True):
    """The tree of a workspace's files at one moment, and what there was to compare it with."""

    tree: str
    since_ns: int  # when the looking began
    left_out: tuple[LeftOut, ...] = ()
    tips: Tips | None = None


def private(workspace: Workspace, lock: int) -> Git:
    """Return git, with the workspace's private index in place of the checkout's."""
    return workspace.git.using(workspace.own / "index").under(lock)


async def look(workspace: Workspace, lock: int, bounds: Bounds, extra: Sequence[str] = ()) -> Seen:
    """Bring the private index up to the files, and return their tree. `extra` may be ignored files."""
    since_ns, git = time.time_ns(), private(workspace, lock)
    await trio.to_thread.run_sync(_make_ready, workspace)
    for attempt in range(1, TRIES + 1):
        try:
            found, tree, left_out = await _look(workspace, git, bounds, extra)
            return Seen(tree, since_ns, left_out, found.tips)
        except GitFailed as error:
            if attempt == TRIES:
                raise named(error) from error
            # Damaged; or parts of it that lay elsewhere, or files that it has, were pruned since.
            if "index" in error.stderr or "invalid object" in error.stderr:
                (workspace.own / "index").unlink(missing_ok=True)
    raise AssertionError("unreachable")


async def _look(
    workspace: Workspace, git: Git, bounds: Bounds, extra: Sequence[str]
) -> tuple["Found", str, tuple[LeftOut, ...]]:
    last, file = await trio.to_thread.run_sync(last_seed, workspace)
    if last is None:
        await seed_index(workspace, git, file)
    found = await _scan(workspace, git, asks_tracked=last is not None and last.file != file)
    if found.tracked is not None and last is not None:
        if last.tracked != digest_of(found.tracked):
            await seed_index(workspace, git, file)
            found = await _scan(workspace, git, asks_tracked=False)
        else:  # git has but refreshed its index
            remember(workspace, msgspec.structs.replace(last, file=file))
    left_out, is_changed = await _take_in(workspace, git, found, bounds, extra)
    tree = found.tips.tree
    if is_changed or not tree or last_tree(workspace) != tree:
        tree = await git.text("write-tree")
        remember(workspace, Written(about(workspace.own / "index"), tree))
    return found, tree, left_out


def _make_ready(workspace: Workspace) -> None:
    """Remove what a killed git left: with our lock held, none of ours is alive. Raises GitUnsafe."""
    refuse_planted(workspace)
    (workspace.own / "index.lock").unlink(missing_ok=True)


# --- each look -------------------------------------------------------------------------------------


# Never what is in submodules: git would ask them, with settings that whoever worked there may have made.
CHANGED = ("diff-files", "--name-status", "--no-renames", "-z", "--ignore-submodules=dirty")
UNTRACKED = ("ls-files", "--others", "--exclude-standard", "-z")


class Found(msgspec.Struct, frozen=True):
    """What git found in the files; what the checkout's index tracks only where that was asked."""

    changed: list[str]
    untracked: list[str]
    tips: Tips
    tracked: Answer | None


async def tips_of(workspace: Workspace) -> Tips:
    """Ask git what is checked out, and which snapshot is the last."""
    ref = workspace.ref
    return Tips(
        *await workspace.git.resolve_all("HEAD^{commit}", f"{ref}^{{commit}}", f"{ref}^{{tree}}")
    )


async def _scan(workspace: Workspace, git: Git, *, asks_tracked: bool) -> Found:
    """Compare files and private index; all questions are asked at once."""
    questions = [partial(git.run, *CHANGED), partial(git.run, *UNTRACKED)]
    if asks_tracked:
        questions.append(partial(workspace.git.run, *TRACKED))
    tips: list[Tips] = []

    async def ask() -> Answer:
        tips.append(await tips_of(workspace))
        return Answer(0, b"", "")

    told, untracked, *rest = await together(*questions, ask)
    pairs = zip(told.items[::2], told.items[1::2], strict=True)
    changed = [path for how, path in pairs if how == "U" or workspace.is_part(path)]
    new = [path for path in untracked.items if workspace.is_part(path)]
    return Found(changed, new, tips[0], rest[0] if asks_tracked else None)


async def _take_in(
    workspace: Workspace, git: Git, found: Found, bounds: Bounds, extra: Sequence[str]
) -> tuple[tuple[LeftOut, ...], bool]:
    """Bring the private index up to what was found; tell what it lacks, and whether it was changed."""
    nested = [path for path in found.untracked if path.endswith("/")]
    files = [path for path in found.untracked if not path.endswith("/")]
    await trio.to_thread.run_sync(check_bounds, workspace.root, files, bounds)
    submodules = await trio.to_thread.run_sync(_filled_submodules, workspace)
    paths = [*found.changed, *files, *extra]
    special = [path for path in paths if is_special(workspace.root / path)]
    await _update(workspace, git, paths, special)
    left_out = (
        *(LeftOut(path.rstrip("/"), NESTED) for path in nested),
        *(LeftOut(path, SUBMODULE) for path in submodules),
        *(LeftOut(path, SPECIAL) for path in special),
    )
    return left_out, bool(paths)


def _filled_submodules(workspace: Workspace) -> list[str]:
    """Return the submodules that have files, of which nobody asks whether they changed."""
    seed, _ = last_seed(workspace)
    known = [] if seed is None else [os.fsdecode(path) for path in seed.submodules]
    there = [path for path in known if not _is_beyond_link(workspace.root, f"{path}/")]
    return [path for path in there if workspace.is_part(path) and _has_files(workspace.root / path)]


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


async def _update(
    workspace: Workspace, git: Git, paths: Sequence[str], special: Sequence[str]
) -> None:
    gone = [*special, *(path for path in paths if _is_beyond_link(workspace.root, path))]
    there = sorted(set(paths).difference(gone))
    if gone:
        await git.run("update-index", "-z", "--force-remove", "--stdin", stdin=joined(gone))
    if there:
        await git.run(
            "update-index", "-z", "--add", "--remove", "--replace", "--stdin", stdin=joined(there)
        )


def _is_beyond_link(root: Path, path: str) -> bool:
    """Whether a folder on the way became a link, so that the file is another one, or none."""
    parts = path.split("/")
    return any(os.path.islink(os.path.join(root, *parts[:depth])) for depth in range(1, len(parts)))


def named(error: GitFailed) -> Exception:
    """Give the failures that users meet their own error."""
    for line in error.stderr.splitlines():
        for reason in ("Permission denied", "Is a directory"):
            if line.startswith("error: open(") and reason in line:
                return Unreadable(line.split('"')[1], reason)
    if "Permission denied" in error.stderr or "Read-only file system" in error.stderr:
        return StateUnwritable(error.folder, error.stderr.strip().splitlines()[0])
    return error
