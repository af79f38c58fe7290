"""The beginning of a private index: the checkout's own, and notes that tell when to begin again.

The notes save time and nothing else, so a power cut may have them.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from .git import Answer, Git
from .places import Workspace, write_whole

TRACKED = ("ls-files", "-s", "-v", "-z")
LINKED = "160000"  # the mode of a submodule


class Seed(msgspec.Struct, frozen=True):
    """The checkout's index that ours began with: the file, a digest of what it tracks, and its submodules."""

    file: str
    tracked: str
    submodules: tuple[bytes, ...]


class Written(msgspec.Struct, frozen=True):
    """The tree that our index was last written as: that file, and the tree's id."""

    file: str
    tree: str


NOTES = {Seed: "index.seed", Written: "index.tree"}


def remember(workspace: Workspace, note: Seed | Written) -> None:
    write_whole(workspace.own / NOTES[type(note)], msgspec.json.encode(note), lasting=False)


def last_seed(workspace: Workspace) -> tuple[Seed | None, str]:
    """Return what our index began with, None if it is to begin; and the checkout's index as it is."""
    file = about(workspace.git_dir / "index")
    try:
        seed = msgspec.json.decode((workspace.own / NOTES[Seed]).read_bytes(), type=Seed)
    except (FileNotFoundError, msgspec.DecodeError):
        return None, file
    return (seed if (workspace.own / "index").exists() else None), file


def last_tree(workspace: Workspace) -> str:
    """Return the tree that our index was written as, unless it has changed since."""
    try:
        note = msgspec.json.decode((workspace.own / NOTES[Written]).read_bytes(), type=Written)
    except (FileNotFoundError, msgspec.DecodeError):
        return ""
    return note.tree if note.file == about(workspace.own / "index") else ""


async def seed_index(workspace: Workspace, git: Git, file: str) -> None:
    """Start again from the checkout's index, which tracks other things than last time."""
    told = await workspace.git.run(*TRACKED)
    (workspace.own / NOTES[Seed]).unlink(missing_ok=True)
    await trio.to_thread.run_sync(_copy, workspace.git_dir / "index", workspace.own / "index")
    await _trust_no_flags(workspace, git, told.items)
    remember(workspace, Seed(file, digest_of(told), _submodules(told.items)))


def _submodules(entries: Sequence[str]) -> tuple[bytes, ...]:
    parts = [entry.partition("\t") for entry in entries]
    return tuple(os.fsencode(path) for about, _, path in parts if about.split()[1] == LINKED)


def digest_of(told: Answer) -> str:
    return hashlib.sha256(told.stdout).hexdigest()


def about(theirs: Path) -> str:
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


def joined(paths: Sequence[str]) -> bytes:
    """Return file names as git reads them with `-z`."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)
