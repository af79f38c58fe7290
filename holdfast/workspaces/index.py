"""A private index per workspace: what git needs to see quickly which files changed.

It begins as a copy of the checkout's own index, so that what the user tracks is tracked, although it
may be ignored, and so that unchanged files need not be read. Each look brings it up to the files.
The caller holds the workspace's lock.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from .bounds import Bounds, check_bounds
from .errors import GitFailed, StateUnwritable, Unreadable
from .git import Git
from .places import Workspace, write_whole

NESTED = "a git repository of its own"
SUBMODULE = "a submodule: only its commit is kept"
TRIES = 3  # files may change while they are read: agents leave processes behind


class LeftOut(msgspec.Struct, frozen=True):
    """Something that a snapshot has not, and why."""

    path: str
    why: str


class Seen(msgspec.Struct, frozen=True):
    """The tree of a workspace's files at one moment."""

    tree: str
    left_out: tuple[LeftOut, ...] = ()


def private(workspace: Workspace, lock: int) -> Git:
    """Return git, with the workspace's private index in place of the checkout's."""
    return workspace.git.using(workspace.own / "index").under(lock)


async def look(workspace: Workspace, lock: int, bounds: Bounds, extra: Sequence[str] = ()) -> Seen:
    """Bring the private index up to the files, and return their tree. `extra` may be ignored files."""
    git = private(workspace, lock)
    await trio.to_thread.run_sync(_unlock_left_over, workspace)
    await _seed(workspace, git)
    for attempt in range(1, TRIES + 1):
        try:
            left_out = await _take_in(workspace, git, bounds, extra)
            return Seen(await git.text("write-tree"), left_out)
        except GitFailed as error:
            if attempt == TRIES:
                raise named(error) from error
            if "index" in error.stderr:  # damaged, or parts of it that lay elsewhere are gone
                (workspace.own / "index").unlink(missing_ok=True)
                await _seed(workspace, git)
    raise AssertionError("unreachable")


def _unlock_left_over(workspace: Workspace) -> None:
    """Remove what a killed git left: with our lock held, none of ours is alive."""
    (workspace.own / "index.lock").unlink(missing_ok=True)


# --- the beginning ---------------------------------------------------------------------------------


class Seed(msgspec.Struct, frozen=True):
    """The checkout's index that ours began with: the file, and a digest of what it tracks."""

    file: str
    tracked: str


async def _seed(workspace: Workspace, git: Git) -> None:
    """Start again from the checkout's index when that tracks other things than last time."""
    mark = workspace.own / "index.seed"
    last = await trio.to_thread.run_sync(_last_seed, mark, workspace.own / "index")
    file = await trio.to_thread.run_sync(_about, workspace.git_dir / "index")
    if last is not None and last.file == file:
        return
    told = await workspace.git.run("ls-files", "-s", "-v", "-z")
    seed = Seed(file, hashlib.sha256(told.stdout).hexdigest())
    if last is None or last.tracked != seed.tracked:  # else git has but refreshed it
        mark.unlink(missing_ok=True)
        await trio.to_thread.run_sync(_copy, workspace.git_dir / "index", workspace.own / "index")
        await _trust_no_flags(workspace, git, told.items)
    write_whole(mark, msgspec.json.encode(seed))


def _last_seed(mark: Path, ours: Path) -> Seed | None:
    try:
        seed = msgspec.json.decode(mark.read_bytes(), type=Seed)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return seed if ours.exists() else None


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


async def _take_in(
    workspace: Workspace, git: Git, bounds: Bounds, extra: Sequence[str]
) -> tuple[LeftOut, ...]:
    told, untracked = await git.together(
        ("diff-files", "--name-status", "--no-renames", "-z"),
        ("ls-files", "--others", "--exclude-standard", "-z"),
    )
    pairs = zip(told.items[::2], told.items[1::2], strict=True)
    changed = [path for how, path in pairs if how == "U" or workspace.is_part(path)]
    new = [path for path in untracked.items if workspace.is_part(path)]
    nested = [path for path in new if path.endswith("/")]
    files = [path for path in new if not path.endswith("/")]
    await trio.to_thread.run_sync(check_bounds, workspace.root, files, bounds)
    submodules = [path for path in changed if (workspace.root / path / ".git").exists()]
    await _update(workspace, git, [*changed, *files, *extra])
    return (
        *(LeftOut(path.rstrip("/"), NESTED) for path in nested),
        *(LeftOut(path, SUBMODULE) for path in submodules),
    )


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
