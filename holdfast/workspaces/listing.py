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
    of the user's has. `holds` names repositories within it, which no snapshot keeps.
    """

    worktree: Worktree
    head: str
    size_bytes: int
    touched_ns: int
    dirty: tuple[str, ...] = ()
    unmerged: int = 0
    holds: tuple[str, ...] = ()
    is_missing: bool = False

    @property
    def is_merged(self) -> bool:
        """Whether all that was done there is in the user's branches, so that it is not needed."""
        is_in = not self.unmerged or self.head == self.worktree.merged
        return is_in and not self.dirty and not self.holds


class Swept(msgspec.Struct, frozen=True):
    """What gc did with a worktree, or would do: removed with so many bytes, or why not."""

    worktree: Worktree
    is_removed: bool
    size_bytes: int
    reason: str


async def list_worktrees(repository: Repository) -> list[Status]:
    """Return every worktree of ours with its size, age, and what is not merged."""
    return [await _status(repository, *entry) for entry in records(repository)]


async def gc(
    repository: Repository,
    is_finished: Callable[[str], bool],
    *,
    dry_run: bool = False,
    unmerged_too: bool = False,
) -> list[Swept]:
    """Remove the worktrees of finished runs whose work is in the user's branches.

    `unmerged_too`: also the others; their files and commits are then kept by the run's snapshots
    alone. Nothing is ever removed that no ref leads to, ignored files apart.
    """
    found: list[Swept] = []
    for status in await list_worktrees(repository):
        reason = _reason_to_stay(status, is_finished, unmerged_too=unmerged_too)
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


def _reason_to_stay(
    status: Status, is_finished: Callable[[str], bool], *, unmerged_too: bool
) -> str:
    if not is_finished(status.worktree.run):
        return "its run goes on"
    if status.holds:
        return f"it has git repositories of its own: {', '.join(map(repr, status.holds))}"
    if status.is_missing or status.is_merged or unmerged_too:
        return ""
    if status.dirty:
        return f"{len(status.dirty)} files are not committed"
    return f"{status.unmerged} commits are not merged"


async def _status(repository: Repository, record: Worktree, git_dir: Path) -> Status:
    folder = Path(record.path)
    if not folder.exists():
        return Status(record, "", 0, record.created_ns, is_missing=True)
    workspace = workspace_of(repository, git_dir, record)
    async with locked(workspace.lock) as lock:
        seen = await look(workspace, lock, UNBOUNDED)
    git = workspace.git
    head = await git.resolve("HEAD")
    names = ("diff-tree", "-r", "-z", "--name-only", head, seen.tree)
    size, touched_ns = await trio.to_thread.run_sync(_measure, folder, abandon_on_cancel=True)
    return Status(
        record,
        head,
        size,
        max(touched_ns, record.created_ns),
        dirty=tuple(await git.items(*names)),
        unmerged=await _unmerged(git, head),
        holds=tuple(left.path for left in seen.left_out if left.why == NESTED),
    )


async def _unmerged(git: Git, head: str) -> int:
    """Count the commits that are in no branch or tag but ours."""
    others = ("--exclude=holdfast/*", "--branches", "--tags", "--remotes")
    return int(await git.text("rev-list", "--count", head, "--not", *others))


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
