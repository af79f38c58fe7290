"""Where a branch is checked out, and whether its files may change there."""

import os
from pathlib import Path

import trio

from .disk import files_in_the_way
from .errors import TargetBusy, TargetDirty
from .git import Git
from .moves import Checkout, HeldIndex, Move
from .places import git_dir_of

MIDWAY = {
    "MERGE_HEAD": "in the middle of a merge",
    "CHERRY_PICK_HEAD": "in the middle of a cherry-pick",
    "REVERT_HEAD": "in the middle of a revert",
}


async def checkouts_of(git: Git, ref: str) -> list[Checkout]:
    """Return the checkouts of a branch. Raises TargetBusy where it is being rewritten."""
    told = (await git.run("worktree", "list", "--porcelain", "-z")).stdout
    blocks = os.fsdecode(told).rstrip("\0").split("\0\0")
    return await trio.to_thread.run_sync(_among, blocks, ref)


def _among(blocks: list[str], ref: str) -> list[Checkout]:
    found: list[Checkout] = []
    for block in blocks:
        lines = [line.partition(" ") for line in block.split("\0")]
        about = {word: rest for word, _, rest in lines}
        folder = about["worktree"]
        git_dir = None if "bare" in about else git_dir_of(Path(folder))
        if git_dir is None:  # bare, or its folder is gone
            continue
        if about.get("branch") == ref:
            found.append(Checkout(folder, str(git_dir)))
        elif reason := _being_rewritten(git_dir, ref):
            raise TargetBusy(ref, folder, reason)
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
