"""Moving a branch together with the checkout that it is in, or not at all.

The branch is moved first, with the index locked: from then on the merge has happened, and what is
left is to write files. A journal says so until it is done; whoever merges next finishes it.
"""

from pathlib import Path

import msgspec
import trio

from .checkouts import check_clean, checkouts_of
from .errors import GitFailed, StateUnwritable, TargetBusy, TargetDirty
from .git import Git
from .locks import locked
from .moves import HeldIndex, Move, journal_of, write_files
from .places import OWN, Repository, write_whole


async def move(repository: Repository, git: Git, ref: str, old: str, new: str, why: str) -> bool:
    """Move a branch, and its checkout if there is one. False: it is no longer at `old`.

    The caller holds the branch's lock. Raises TargetDirty, TargetBusy, CheckoutBehind.
    """
    checkouts = await checkouts_of(repository, git, ref)
    if not checkouts:
        return await _move_ref(git, ref, old, new, why)
    if len(checkouts) > 1:
        raise TargetBusy(ref, checkouts[0].folder, f"and in {len(checkouts) - 1} folders more")
    return await _move_both(repository, git, Move(ref, old, new, checkouts[0]), why)


async def _move_ref(git: Git, ref: str, old: str, new: str, why: str) -> bool:
    try:
        await git.run("update-ref", "-m", why, ref, new, old)
    except GitFailed as error:
        if "but expected" in error.stderr or "unable to resolve reference" in error.stderr:
            return False
        raise
    return True


async def _move_both(repository: Repository, git: Git, wanted: Move, why: str) -> bool:
    journal = journal_of(repository, wanted.ref)
    folder, git_dir = Path(wanted.checkout.folder), Path(wanted.checkout.git_dir)
    async with locked(git_dir / OWN / "lock") as lock:
        # Before the index is locked and until after: it tells whose lock was left behind.
        write_whole(journal, msgspec.json.encode(wanted))
        try:
            moved = await _move_held(git.at(folder).under(lock), wanted, why)
        except (TargetBusy, TargetDirty, StateUnwritable):
            # Nothing happened; after other errors, who knows.
            journal.unlink()
            raise
        journal.unlink()
        return moved


async def _move_held(git: Git, wanted: Move, why: str) -> bool:
    moved = False
    with HeldIndex(wanted) as held:
        await check_clean(git, held, wanted)
        with trio.CancelScope(shield=True):
            moved = await _move_ref(git, wanted.ref, wanted.old, wanted.new, why)
            if moved:
                await write_files(git, held, wanted, "-m")
    return moved
