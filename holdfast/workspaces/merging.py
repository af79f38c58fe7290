"""The merge queue: one merge at a time into each branch, tried without touching any file first."""

from contextlib import AbstractAsyncContextManager

import msgspec

from holdfast.reducer import Conflict, Merged

from .committing import commit_work, signing
from .conflicts import Attempt, describe, parse
from .errors import NoSuchCommit, NoTarget, TargetMissing, TargetMoved, UnrelatedHistories
from .following import move
from .git import Git
from .locks import locked
from .moves import journals
from .names import short_digest
from .places import Repository, Workspace
from .records import Worktree, lock_of
from .restoring import restore
from .snapshots import contains
from .unfinished import finish

TRIES = 5  # how often others may commit to the branch meanwhile
FROM = "Merged-from"  # the trailer by which a squashed merge is known again


async def merge(
    repository: Repository,
    source: str,
    target: str,
    *,
    message: str,
    base: str = "",
    squash: bool = False,
    expected: str = "",
) -> Merged | Conflict:
    """Merge a commit into a branch, which may be checked out: then its files follow, if clean.

    `squash` makes one commit of it. `base` is what the source began with, where that is no commit of
    the target's. With `expected`, the target must be at that commit. Asking again after a crash
    finishes what was begun. Raises TargetMissing, TargetMoved, TargetDirty, TargetBusy,
    CheckoutBehind, UnrelatedHistories.
    """
    ref = target if target.startswith("refs/") else f"refs/heads/{target}"
    async with _queue(repository, ref) as lock:
        git = repository.git.under(lock)
        await finish(repository, git, ref)
        tip = await git.resolve(source)
        if not tip:
            raise NoSuchCommit(source, str(git.folder))
        old = ""
        for _ in range(TRIES):
            old = await git.resolve(ref)
            if not old:
                raise TargetMissing(ref.removeprefix("refs/heads/"), str(git.folder))
            if expected and old != expected:
                raise TargetMoved(ref, expected=expected, actual=old)
            made = await _Attempt(git, ref, old, tip, base, squash, message).make()
            if isinstance(made, Conflict):
                return made
            why = f"holdfast: merge {tip[:12]}"
            if made == old or await move(repository, git, ref, old, made, why):
                return Merged(ref, old, made, tip, is_new=made != old)
        raise TargetMoved(ref, expected=old, actual=await git.resolve(ref))


async def merge_worktree(
    repository: Repository,
    record: Worktree,
    workspace: Workspace,
    *,
    message: str,
    target: str = "",
    squash: bool = False,
    expected: str = "",
) -> Merged | Conflict:
    """Commit what is in a worktree and merge it into the branch that it was made beside.

    A worktree that began with uncommitted files of the user's brings only its own changes: they are
    always squashed.
    """
    current = Worktree.read(workspace.git_dir) or record
    if not (target := target or current.target):
        raise NoTarget(record.name)
    work = await commit_work(workspace, message)
    done = await merge(
        repository,
        work,
        target,
        message=message,
        base=(current.merged or current.base) if squash or current.is_from_snapshot else "",
        squash=squash or current.is_from_snapshot,
        expected=expected,
    )
    if isinstance(done, Merged):
        await remember_merged(repository, workspace, work)
    return done


async def remember_merged(repository: Repository, workspace: Workspace, work: str) -> None:
    """Put down what was merged, by which a squashed worktree is known to be done."""
    async with locked(lock_of(repository, workspace.root)):
        if current := Worktree.read(workspace.git_dir):
            msgspec.structs.replace(current, merged=work).write(workspace.git_dir)


async def take_back(workspace: Workspace, merged: str, before: str) -> bool:
    """Move the branch that is checked out back from what was merged to what was before, with its files.

    What else is there is kept in a snapshot. False: it is no longer at `merged`, so that others have gone
    on from there. Raises TargetDirty where something is staged, TargetBusy, CheckoutBehind.
    """
    repository = await Repository.open(workspace.root, home=workspace.home, git=workspace.git)
    ref = await repository.git.text("symbolic-ref", "-q", "HEAD", ok=(0, 1))
    if not ref or await repository.git.resolve(ref) not in (merged, before):
        return False
    async with _queue(repository, ref) as lock:
        git = repository.git.under(lock)
        await finish(repository, git, ref)
        if await git.resolve(ref) == before:  # a killed process has done it
            return True
        await restore(workspace, merged)
        return await move(repository, git, ref, merged, before, f"holdfast: back to {before[:12]}")


async def finish_moves(repository: Repository) -> list[str]:
    """Finish what killed processes left half done, for every branch; returns those branches."""
    finished: list[str] = []
    for ref in journals(repository):
        async with _queue(repository, ref) as lock:
            if await finish(repository, repository.git.under(lock), ref):
                finished.append(ref)
    return finished


def _queue(repository: Repository, ref: str) -> AbstractAsyncContextManager[int]:
    return locked(repository.own / "locks" / f"merge-{short_digest(ref)}")


class _Attempt(msgspec.Struct, frozen=True):
    """One try to make the commit that a branch is to move to."""

    git: Git
    ref: str
    old: str
    tip: str
    base: str
    squash: bool
    message: str

    async def make(self) -> str | Conflict:
        """Return the new commit, the old one if there is nothing to do, or what is in conflict."""
        git, old, tip = self.git, self.old, self.tip
        if await contains(git, old, tip) or (self.squash and await self._is_known()):
            return old
        if not self.squash and await contains(git, tip, old):
            return tip
        base = await self._base()
        attempt = await self._merge(base)
        if attempt.stages or attempt.kinds:
            files = await describe(git, attempt)
            return Conflict(self.ref, old, tip, base, attempt.tree, files)
        if await git.resolve(old, "tree") == attempt.tree:
            return old
        return await self._commit(attempt.tree)

    async def _is_known(self) -> bool:
        """Whether this was squashed into the target before."""
        flags = ("-1", "--format=%H", "--fixed-strings", f"--grep={FROM}: {self.tip}")
        return bool(await self.git.text("log", *flags, f"{self.tip}..{self.old}"))

    async def _base(self) -> str:
        """Return the commit to compare both sides with.

        The one that was named, unless the source has left it, or has taken in a later state of the
        target since.
        """
        told = await self.git.run("merge-base", self.old, self.tip, ok=(0, 1))
        shared = told.text.partition("\n")[0]
        is_in = bool(self.base) and await contains(self.git, self.tip, self.base)
        if is_in and (not shared or await contains(self.git, self.base, shared)):
            return self.base
        if not shared:
            raise UnrelatedHistories(self.ref, self.tip)
        return shared

    async def _merge(self, base: str) -> Attempt:
        sides = (self.old, self.tip)
        if self.base == base:
            # Older gits take no base: three commits that have just these trees serve as one.
            root = await self._stand_in(base)
            sides = (await self._stand_in(self.old, root), await self._stand_in(self.tip, root))
        told = await self.git.run("merge-tree", "--write-tree", "-z", *sides, ok=(0, 1))
        return parse(told.stdout) if told.code else Attempt(told.text.rstrip("\0\n"))

    async def _stand_in(self, commit: str, *parents: str) -> str:
        flags = [part for parent in parents for part in ("-p", parent)]
        tree = f"{commit}^{{tree}}"
        return await self.git.as_us().text("commit-tree", tree, *flags, "-m", "Stand-in")

    async def _commit(self, tree: str) -> str:
        git = await signing(self.git)
        if self.squash:
            message = ("-m", self.message, "-m", f"{FROM}: {self.tip}")
            return await git.text("commit-tree", tree, "-p", self.old, *message)
        parents = ("-p", self.old, "-p", self.tip)
        return await git.text("commit-tree", tree, *parents, "-m", self.message)
