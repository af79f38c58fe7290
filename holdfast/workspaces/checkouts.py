"""Where a branch is checked out, and whether its files may change there."""

import os
from pathlib import Path

import trio

from .disk import files_in_the_way
from .errors import TargetBusy, TargetDirty
from .git import Git
from .moves import Checkout, HeldIndex, Move
from .places import Repository, git_dir_of

MIDWAY = {
    "MERGE_HEAD": "in the middle of a merge",
    "CHERRY_PICK_HEAD": "in the middle of a cherry-pick",
    "REVERT_HEAD": "in the middle of a revert",
}


async def checkouts_of(repository: Repository, git: Git, ref: str) -> list[Checkout]:
    """Return the checkouts of a branch. Raises TargetBusy where it is being rewritten, and where it is
    checked out in a folder that cannot be found: its files could not follow."""
    told = (await git.run("worktree", "list", "--porcelain", "-z")).stdout
    first, *others = [_about(block) for block in os.fsdecode(told).rstrip("\0").split("\0\0")]
    found = [] if "bare" in first else await _in_main(repository, git, first, ref)
    return [*found, *await trio.to_thread.run_sync(_among, others, ref)]


def _about(block: str) -> dict[str, str]:
    lines = [line.partition(" ") for line in block.split("\0")]
    return {word: rest for word, _, rest in lines}


async def _in_main(
    repository: Repository, git: Git, about: dict[str, str], ref: str
) -> list[Checkout]:
    """Look at the checkout that the repository was made with.

    Git's list names the folder around `.git`: for a submodule, and wherever git's folder lies apart,
    another one than where the files are.
    """
    common, listed = repository.common, about["worktree"]
    folder = await trio.to_thread.run_sync(_main_folder, repository, Path(listed))
    if not folder:  # git knows it where it was told, as in submodules
        folder = await git.at(common).text("rev-parse", "--show-toplevel", ok=(0, 128))
    if about.get("branch") == ref and folder:
        return [Checkout(folder, str(common))]
    if about.get("branch") == ref:
        raise TargetBusy(
            ref, listed, "and where its files are is known only there: merge from there"
        )
    if reason := _being_rewritten(common, ref):
        raise TargetBusy(ref, folder or listed, reason)
    return []


def _main_folder(repository: Repository, listed: Path) -> str:
    """Return the folder whose `.git` is, or leads to, the repository's; "" where it is none of these."""
    for folder in (repository.root, listed):
        git_dir = git_dir_of(folder)
        if git_dir is not None and git_dir.is_dir() and git_dir.samefile(repository.common):
            return str(folder)
    return ""


def _among(others: list[dict[str, str]], ref: str) -> list[Checkout]:
    """Look at the worktrees that were added."""
    found: list[Checkout] = []
    for about in others:
        folder, is_here = about["worktree"], about.get("branch") == ref
        git_dir = git_dir_of(Path(folder))
        if git_dir is not None and is_here:
            found.append(Checkout(folder, str(git_dir)))
        elif git_dir is not None and (reason := _being_rewritten(git_dir, ref)):
            raise TargetBusy(ref, folder, reason)
        elif is_here and "locked" in about:
            # Its disk may come back, with files that did not follow.
            raise TargetBusy(ref, folder, "a locked worktree that is not there now")
        elif is_here and os.path.lexists(folder):
            raise TargetBusy(ref, folder, "which has lost its .git file: git worktree repair")
    return found


def _being_rewritten(git_dir: Path, ref: str) -> str:
    """Tell how a branch is worked on where HEAD does not name it."""
    for name in ("rebase-merge/head-name", "rebase-apply/head-name"):
        path = git_dir / name
        if path.exists() and path.read_text().strip() == ref:
            return "in the middle of a rebase"
    path = git_dir / "BISECT_START"
    if path.exists() and path.read_text().strip() == ref.removeprefix("refs/heads/"):
        return "in the middle of a bisection"
    return ""


async def check_clean(git: Git, held: HeldIndex, wanted: Move) -> None:
    """Refuse to move a checkout in which something of the user's could be lost."""
    folder = wanted.checkout.folder
    for name, reason in MIDWAY.items():
        if (Path(wanted.checkout.git_dir) / name).exists():
            raise TargetBusy(wanted.ref, folder, reason)
    status = ("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames")
    dirty = [line[3:] for line in await git.items(*status, "--ignore-submodules=dirty")]
    if dirty:
        raise TargetDirty(wanted.ref, folder, dirty, "uncommitted changes")
    added = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=AT")
    paths = await git.items(*added, wanted.old, wanted.new)
    lying = await trio.to_thread.run_sync(files_in_the_way, Path(folder), paths)
    if lying:
        lying.difference_update(await git.items("ls-files", "-z"))
    if lying:
        raise TargetDirty(wanted.ref, folder, sorted(lying), "untracked files in the way")
    copy = git.using(held.copy)
    await copy.run("update-index", "-q", "--refresh", ok=(0, 1))  # touched, but the same
    trial = ("read-tree", "-n", "-m", "-u", wanted.old, wanted.new)
    told = await copy.run(*trial, ok=(0, 128))
    if told.code:  # files that the user told git to pass over
        names = [line.split("'")[1] for line in told.stderr.splitlines() if line.count("'") > 1]
        raise TargetDirty(wanted.ref, folder, names or [told.stderr.strip()], "hidden changes")
