"""A private index per workspace: what git needs to see quickly which files changed.

It begins as a copy of the checkout's own index, so that what the user tracks is tracked, although it
may be ignored, and so that unchanged files need not be read. Each look brings it up to the files.
The caller holds the workspace's lock.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import trio

from .bounds import Bounds, check_bounds
from .errors import GitFailed, StateUnwritable, Unreadable
from .git import Answer, Git, together
from .places import Workspace, write_whole

NESTED = "a git repository of its own"
SUBMODULE = "a submodule: only its commit is kept"
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
    git = private(workspace, lock)
    await trio.to_thread.run_sync(_unlock_left_over, workspace)
    for attempt in range(1, TRIES + 1):
        try:
            return await _look(workspace, git, bounds, extra)
        except GitFailed as error:
            if attempt == TRIES:
                raise named(error) from error
            # Damaged; or parts of it that lay elsewhere, or files that it has, were pruned since.
            if "index" in error.stderr or "invalid object" in error.stderr:
                (workspace.own / "index").unlink(missing_ok=True)
    raise AssertionError("unreachable")


async def _look(workspace: Workspace, git: Git, bounds: Bounds, extra: Sequence[str]) -> Seen:
    since_ns = time.time_ns()
    last, file = await trio.to_thread.run_sync(_last_seed, workspace)
    if last is None:
        await _seed(workspace, git, file)
    found = await _scan(workspace, git, asks_tracked=last is not None and last.file != file)
    if found.tracked is not None and last is not None:
        if last.tracked != _digest(found.tracked):
            await _seed(workspace, git, file)
            found = await _scan(workspace, git, asks_tracked=False)
        else:  # git has but refreshed its index
            _remember(workspace, Seed(file, last.tracked))
    left_out, is_changed = await _take_in(workspace, git, found, bounds, extra)
    tree = found.tips.tree
    if is_changed or not tree or _last_tree(workspace) != tree:
        tree = await git.text("write-tree")
        _remember(workspace, Written(_about(workspace.own / "index"), tree))
    return Seen(tree, since_ns, left_out, found.tips)


def _unlock_left_over(workspace: Workspace) -> None:
    """Remove what a killed git left: with our lock held, none of ours is alive."""
    (workspace.own / "index.lock").unlink(missing_ok=True)


# --- the beginning ---------------------------------------------------------------------------------


class Seed(msgspec.Struct, frozen=True):
    """The checkout's index that ours began with: the file, and a digest of what it tracks."""

    file: str
    tracked: str


class Written(msgspec.Struct, frozen=True):
    """The tree that our index was last written as: that file, and the tree's id."""

    file: str
    tree: str


NOTES = {Seed: "index.seed", Written: "index.tree"}


def _remember(workspace: Workspace, note: Seed | Written) -> None:
    write_whole(workspace.own / NOTES[type(note)], msgspec.json.encode(note), lasting=False)


def _last_seed(workspace: Workspace) -> tuple[Seed | None, str]:
    """Return what our index began with, None if it is to begin; and the checkout's index as it is."""
    file = _about(workspace.git_dir / "index")
    try:
        seed = msgspec.json.decode((workspace.own / NOTES[Seed]).read_bytes(), type=Seed)
    except (FileNotFoundError, msgspec.DecodeError):
        return None, file
    return (seed if (workspace.own / "index").exists() else None), file


def _last_tree(workspace: Workspace) -> str:
    """Return the tree that our index was written as, unless it has changed since."""
    try:
        note = msgspec.json.decode((workspace.own / NOTES[Written]).read_bytes(), type=Written)
    except (FileNotFoundError, msgspec.DecodeError):
        return ""
    return note.tree if note.file == _about(workspace.own / "index") else ""


async def _seed(workspace: Workspace, git: Git, file: str) -> None:
    """Start again from the checkout's index, which tracks other things than last time."""
    told = await workspace.git.run(*TRACKED)
    (workspace.own / NOTES[Seed]).unlink(missing_ok=True)
    await trio.to_thread.run_sync(_copy, workspace.git_dir / "index", workspace.own / "index")
    await _trust_no_flags(workspace, git, told.items)
    _remember(workspace, Seed(file, _digest(told)))


def _digest(told: Answer) -> str:
    return hashlib.sha256(told.stdout).hexdigest()


def _about(theirs: Path) -> str:
    try:
        about = theirs.stat()
    except FileNotFoundError:  # nothing was ever added
        return ""
    return f"{about.st_ino} {about.st_size} {about.st_mtime_ns}"


def _copy(theirs: Path, ours: Path) -> None:
    """Copy the index, with its time: git mistrusts files that are as young as their index."""
    try:
        with theirs.open("rb") as file:
            about = os.fstat(file.fileno())
            data = file.read()
    except FileNotFoundError:
        ours.unlink(missing_ok=True)
        return
    write_whole(ours, data)
    os.utime(ours, ns=(about.st_atime_ns, about.st_mtime_ns))


async def _trust_no_flags(workspace: Workspace, git: Git, entries: Sequence[str]) -> None:
    """Look at files too that the user told git to pass over, where they are on disk."""
    tags = {path: about[0] for about, _, path in (entry.partition("\t") for entry in entries)}
    assumed = [path for path, tag in tags.items() if tag.islower()]
    skipped = [path for path, tag in tags.items() if tag in "Ss"]
    there = [path for path in skipped if os.path.lexists(workspace.root / path)]
    # Written anew, so that files as young as the copied index are not read again and again.
    refresh = ("update-index", "-q", "--refresh", "--no-split-index", "--force-write-index")
    await git.run(*refresh, ok=(0, 1))
    for flag, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", there)):
        if paths:
            await git.run("update-index", flag, "-z", "--stdin", stdin=joined(paths))


# --- each look -------------------------------------------------------------------------------------


TRACKED = ("ls-files", "-s", "-v", "-z")
CHANGED = ("diff-files", "--name-status", "--no-renames", "-z")
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
    submodules = [path for path in found.changed if (workspace.root / path / ".git").exists()]
    paths = [*found.changed, *files, *extra]
    await _update(workspace, git, paths)
    left_out = (
        *(LeftOut(path.rstrip("/"), NESTED) for path in nested),
        *(LeftOut(path, SUBMODULE) for path in submodules),
    )
    return left_out, bool(paths)


async def _update(workspace: Workspace, git: Git, paths: Sequence[str]) -> None:
    gone = [path for path in paths if _is_beyond_link(workspace.root, path)]
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


def joined(paths: Sequence[str]) -> bytes:
    """Return file names as git reads them with `-z`."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def named(error: GitFailed) -> Exception:
    """Give the failures that users meet their own error."""
    for line in error.stderr.splitlines():
        for reason in ("Permission denied", "Is a directory"):
            if line.startswith("error: open(") and reason in line:
                return Unreadable(line.split('"')[1], reason)
    if "Permission denied" in error.stderr or "Read-only file system" in error.stderr:
        return StateUnwritable(error.folder, error.stderr.strip().splitlines()[0])
    return error
