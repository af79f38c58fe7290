"""Finishing the move of a branch and its checkout that a killed process left half done."""

import os
from pathlib import Path

import msgspec
import trio

from .errors import TargetDirty
from .git import Git
from .index_lock import copy_index
from .locks import locked
from .moves import HeldIndex, Move, journal_of, write_files
from .places import OWN, Repository


async def finish(repository: Repository, git: Git, ref: str) -> bool:
    """Finish what a killed process began with a branch. The caller holds the branch's lock."""
    journal = journal_of(repository, ref)
    if not journal.exists():
        return False
    begun = msgspec.json.decode(await trio.Path(journal).read_bytes(), type=Move)
    folder, git_dir = Path(begun.checkout.folder), Path(begun.checkout.git_dir)
    if folder.is_dir():
        async with locked(git_dir / OWN / "lock") as lock:
            git = git.at(folder).under(lock)
            with HeldIndex(begun) as held:
                if await _is_half_done(git, held, begun):
                    await _check_half_done(git, held, begun)
                    with trio.CancelScope(shield=True):
                        await write_files(git, held, begun, "--reset")
    journal.unlink()
    return True


async def _is_half_done(git: Git, held: HeldIndex, begun: Move) -> bool:
    """Whether the branch was moved, its index was not, and nobody has gone on from there since."""
    here = await git.text("symbolic-ref", "-q", "HEAD", ok=(0, 1)) == begun.ref
    return (
        here
        and await git.resolve(begun.ref) == begun.new
        and bool(await _staged(git, held, begun.new))
    )


async def _check_half_done(git: Git, held: HeldIndex, begun: Move) -> None:
    """Refuse to go on where somebody has edited files since: only what we wrote is overwritten."""
    if staged := await _staged(git, held, begun.old):
        _refuse(begun, sorted(staged))
    told = ("diff-tree", "-r", "-z", "--no-renames", "--name-status", begun.old, begun.new)
    items = await git.items(*told)
    moving = dict(zip(items[1::2], items[::2], strict=True))
    copy = git.using(held.copy)
    unlike_old = await _unlike_index(copy)
    await copy.run("read-tree", "--reset", begun.new)
    unlike_new = await _unlike_index(copy)
    copy_index(held.lock.index, held.copy)
    added = {path for path, how in moving.items() if how == "A"}
    deleted = {path for path, how in moving.items() if how == "D"}
    doubtful = (unlike_new & (unlike_old | added)) | (unlike_old & deleted)
    edited = [path for path in sorted(doubtful) if not await _is_torn(git, begun, moving, path)]
    if edited:
        _refuse(begun, edited)


async def _staged(git: Git, held: HeldIndex, commit: str) -> set[str]:
    names = ("diff-index", "--cached", "--name-only", "-z", commit)
    return set(await git.using(held.copy).items(*names))


async def _unlike_index(git: Git) -> set[str]:
    await git.run("update-index", "-q", "--refresh", ok=(0, 1))
    return set(await git.items("diff-files", "--name-only", "-z", "--ignore-submodules=dirty"))


async def _is_torn(git: Git, begun: Move, moving: dict[str, str], path: str) -> bool:
    """Whether a file is the beginning of what a killed git was to write there, or not there yet."""
    if path not in moving:
        return False
    full = Path(begun.checkout.folder) / path
    if not os.path.lexists(full):
        return True
    if full.is_symlink() or not full.is_file() or moving[path] == "D":
        return False
    whole = await git.run("cat-file", "--filters", f"{begun.new}:{path}")
    return whole.stdout.startswith(await trio.Path(full).read_bytes())


def _refuse(begun: Move, paths: list[str]) -> None:
    reason = "changes made after a merge into it was interrupted"
    raise TargetDirty(begun.ref, begun.checkout.folder, paths, reason)
