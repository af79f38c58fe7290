"""What worktrees there are, and removing those that nobody needs any more."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import trio

from .bounds import UNBOUNDED
from .errors import WorkspaceError
from .git import Git
from .index import NESTED, look
from .locks import locked
from .places import Repository, run_refs
from .records import Worktree, records, workspace_of
from .removing import remove_worktree


class Status(msgspec.Struct, frozen=True):
    """A worktree as it is now.

    `dirty` are files that differ from its last commit, `unmerged` the commits that no branch or tag
    of the user's has, but for the one it began with. `holds` names repositories within it, which no
    snapshot keeps; `trouble` is why the rest could not be found out.
    """

    worktree: Worktree
    head: str
    size_bytes: int
    touched_ns: int
    dirty: tuple[str, ...] = ()
    unmerged: int = 0
    holds: tuple[str, ...] = ()
    is_missing: bool = False
    trouble: str = ""

    @property
    def is_merged(self) -> bool:
        """Whether all that was done there is in the user's branches, so that it is not needed."""
        if self.trouble or self.worktree.is_going:
            return False
        is_in = not self.unmerged or self.head == self.worktree.merged
        return is_in and not self.dirty and not self.holds

    @property
    def work(self) -> str:
        """What is not merged, in words; "" where that is nothing."""
        ahead = self.unmerged if self.head != self.worktree.merged else 0
        commits = _counted(ahead, "commit") if ahead else ""
        files = _counted(len(self.dirty), "uncommitted file") if self.dirty else ""
        return "" if self.is_merged else " and ".join(filter(None, (commits, files)))


class Swept(msgspec.Struct, frozen=True):
    """What gc did with a worktree, or would do: removed with so many bytes, or why not."""

    worktree: Worktree
    is_removed: bool
    size_bytes: int
    reason: str


async def list_worktrees(repository: Repository) -> list[Status]:
    """Return every worktree of ours with its size, age, and what is not merged."""
    found: list[Status] = []
    for record, git_dir in records(repository):
        try:
            found.append(await _status(repository, record, git_dir))
        except WorkspaceError as error:  # one that cannot be looked at hides no other
            found.append(Status(record, "", 0, record.created_ns, trouble=str(error)))
    return found


async def gc(
    repository: Repository,
    in_use: Callable[[Worktree], str],
    *,
    dry_run: bool = False,
    unmerged_too: bool = False,
) -> list[Swept]:
    """Remove the worktrees that nobody uses and whose work is in the user's branches.

    `in_use` tells why one has to stay, or "". `unmerged_too`: also those with other work; their files
    and commits are then kept by the run's snapshots alone. Nothing is ever removed that no ref leads
    to, ignored files apart.
    """
    found: list[Swept] = []
    for status in await list_worktrees(repository):
        reason = in_use(status.worktree) or _reason_to_stay(status, unmerged_too)
        if not reason and not dry_run:
            try:
                await remove_worktree(repository, status.worktree)
            except WorkspaceError as error:
                reason = str(error)
        why = reason or ("merged" if status.is_merged else "kept in the run's snapshots")
        found.append(Swept(status.worktree, not reason, status.size_bytes, why))
    return found


async def forget(repository: Repository, run: str) -> int:
    """Let go of a run's snapshots; git removes in time what nothing else leads to. How many refs."""
    git = repository.git
    refs = (await git.text("for-each-ref", "--format=%(refname)", run_refs(run))).splitlines()
    for ref in refs:
        await git.run("update-ref", "-d", ref)
    return len(refs)


def _reason_to_stay(status: Status, unmerged_too: bool) -> str:
    if status.trouble:
        return status.trouble
    if status.holds:
        return f"it has git repositories of its own: {', '.join(map(repr, status.holds))}"
    is_going = status.worktree.is_going  # all of it is kept already
    if status.is_missing or is_going or status.is_merged or unmerged_too:
        return ""
    return f"{status.work} not merged"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


async def _status(repository: Repository, record: Worktree, git_dir: Path) -> Status:
    folder = Path(record.path)
    if not folder.exists():
        return Status(record, "", 0, record.created_ns, is_missing=True)
    if record.is_going:
        return Status(record, "", *await _size_and_time(record))
    workspace = workspace_of(repository, git_dir, record)
    async with locked(workspace.lock) as lock:
        seen = await look(workspace, lock, UNBOUNDED)
    git = workspace.git
    head = await git.resolve("HEAD")
    began = head or await git.text("hash-object", "-t", "tree", "--stdin")  # or the empty tree
    names = ("diff-tree", "-r", "-z", "--name-only", began, seen.tree)
    dirty = await git.items(*names) if seen.tree != record.files else []
    return Status(
        record,
        head,
        *await _size_and_time(record),
        dirty=tuple(dirty),
        unmerged=await _unmerged(git, head, record) if head else 0,
        holds=tuple(left.path for left in seen.left_out if left.why == NESTED),
    )


async def _size_and_time(record: Worktree) -> tuple[int, int]:
    folder = Path(record.path)
    size, touched_ns = await trio.to_thread.run_sync(_measure, folder, abandon_on_cancel=True)
    return size, max(touched_ns, record.created_ns)


async def _unmerged(git: Git, head: str, record: Worktree) -> int:
    """Count the commits that are in no branch or tag but ours; what it began with is no work."""
    others = ("--exclude=holdfast/*", "--branches", "--tags", "--remotes")
    began = (record.base,) if record.is_from_snapshot else ()
    return int(await git.text("rev-list", "--count", head, "--not", *others, *began))


def _measure(folder: Path) -> tuple[int, int]:
    """Return how many bytes a folder takes on disk, and when a file in it last changed."""
    size, touched = 0, 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                about = os.lstat(os.path.join(where, name))
            except FileNotFoundError:
                continue
            size += about.st_blocks * 512
            touched = max(touched, about.st_mtime_ns)
    return size, touched
