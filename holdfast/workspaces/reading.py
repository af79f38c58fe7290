"""Looking into snapshots, without touching any file of the user's."""

import os
from pathlib import Path
from typing import Literal

import msgspec

from .errors import NoSuchFile
from .git import Git
from .places import Repository, Workspace
from .snapshots import Snapshot, tree_of

Where = Repository | Workspace
Kind = Literal["file", "executable", "link", "submodule"]
KINDS: dict[str, Kind] = {"100755": "executable", "120000": "link", "160000": "submodule"}


class File(msgspec.Struct, frozen=True):
    """A file of a snapshot."""

    path: str
    kind: Kind
    size_bytes: int
    blob: str


class Change(msgspec.Struct, frozen=True):
    """What became of a file between two snapshots. `lines_*` is -1 for binary files."""

    path: str
    how: str  # added, deleted, changed, renamed, copied, retyped
    was: str = ""  # the path before, of a renamed or copied file
    lines_added: int = 0
    lines_deleted: int = 0


HOWS = {"A": "added", "D": "deleted", "M": "changed", "R": "renamed", "C": "copied", "T": "retyped"}


async def diff(where: Where, a: Snapshot | str, b: Snapshot | str, *, context: int = 3) -> str:
    """Return the difference as a patch that `git apply` takes, binary files included."""
    trees = await tree_of(where.git, a), await tree_of(where.git, b)
    flags = ("-r", "-p", "-M", "--binary", "--no-ext-diff", "--no-textconv", f"-U{context}")
    told = await where.git.run("diff-tree", *flags, *trees)
    return told.stdout.decode(errors="surrogateescape")


async def changes(where: Where, a: Snapshot | str, b: Snapshot | str) -> list[Change]:
    """Return which files differ between two snapshots, by path."""
    trees = await tree_of(where.git, a), await tree_of(where.git, b)
    hows = await _statuses(where.git, trees)
    counts = await _line_counts(where.git, trees)
    return [
        Change(path, how, was, *counts.get(path, (0, 0)))
        for path, (how, was) in sorted(hows.items())
    ]


async def files(where: Where, what: Snapshot | str, path: str = "") -> list[File]:
    """Return the files of a snapshot, below a folder or all of them."""
    tree = await tree_of(where.git, what)
    below = ["--", path.rstrip("/")] if path.strip("/") else []
    lines = await where.git.items("ls-tree", "-r", "-z", "-l", "--full-tree", tree, *below)
    return [_file(line) for line in lines]


async def content(where: Where, what: Snapshot | str, path: str) -> bytes:
    """Return what a file of a snapshot holds; of a link, where it points. Raises NoSuchFile."""
    tree = await tree_of(where.git, what)
    found = await where.git.run("cat-file", "blob", f"{tree}:{path}", ok=(0, 128))
    if found.code:
        raise NoSuchFile(path, tree)
    return found.stdout


async def extract(where: Where, what: Snapshot | str, folder: Path) -> None:
    """Write the files of a snapshot into a folder, as a checkout has them."""
    tree = await tree_of(where.git, what)
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / f".holdfast-index-{os.getpid()}"
    # Against an empty work tree of its own, so that the attributes are those of the snapshot.
    git = where.git.using(index)
    try:
        await git.run(f"--work-tree={folder}", "read-tree", "--reset", "-u", tree)
    finally:
        index.unlink(missing_ok=True)


def _file(line: str) -> File:
    about, _, path = line.partition("\t")
    mode, _, blob, size = about.split()
    return File(path, KINDS.get(mode, "file"), 0 if size == "-" else int(size), blob)


async def _statuses(git: Git, trees: tuple[str, str]) -> dict[str, tuple[str, str]]:
    told = iter(await git.items("diff-tree", "-r", "-M", "-z", "--name-status", *trees))
    found: dict[str, tuple[str, str]] = {}
    for how in told:
        was = next(told) if how[0] in "RC" else ""
        found[next(told)] = HOWS[how[0]], was
    return found


async def _line_counts(git: Git, trees: tuple[str, str]) -> dict[str, tuple[int, int]]:
    told = iter(await git.items("diff-tree", "-r", "-M", "-z", "--numstat", *trees))
    found: dict[str, tuple[int, int]] = {}
    for line in told:
        added, deleted, path = line.split("\t", 2)
        if not path:  # a rename, whose two paths follow
            next(told)
            path = next(told)
        found[path] = (-1, -1) if added == "-" else (int(added), int(deleted))
    return found
