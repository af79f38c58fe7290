"""What Holdfast made and nobody needs any more: which worktrees and snapshots may go, and why not.

The git layer knows what is where, the log knows which runs there are; here both are asked.
"""

import time
from pathlib import Path

import trio
from msgspec import Struct

from holdfast.eventlog import HoldfastError, Log, NoSuchRun, RunRow, owner_alive
from holdfast.reducer import ENDED
from holdfast.workspaces import (
    GRACE_S,
    BareRepository,
    GitMissing,
    GitTooOld,
    NotARepository,
    Orphan,
    Repository,
    Status,
    Swept,
    Worktree,
    disk_bytes,
    gc,
    homes,
    list_worktrees,
    remove_ref,
    snapshot_refs,
    without_run,
)

from .places import repository_root

NOTHING_THERE = (NotARepository, BareRepository, GitMissing, GitTooOld)
LOG = "log"


class Forgotten(Struct, frozen=True):
    """What became of a ref that keeps snapshots of a run which no log has."""

    orphan: Orphan
    is_removed: bool
    reason: str


class Cleaned(Struct, frozen=True):
    """What was removed from the repositories of a project, or would be, and what was kept."""

    worktrees: list[Swept]
    snapshots: list[Forgotten]
    snapshot_bytes: int
    """What only the removed snapshots kept: git frees it with its own next gc."""


async def repositories(log: Log, root: Path) -> list[Repository]:
    """Return the git repositories that a project works in."""
    told = (repository_root(folder) for folder in {row.folder for row in log.runs()})
    roots = {root, *(where for where in told if where is not None)}
    found: dict[Path, Repository] = {}
    for where in sorted(roots):
        try:
            repository = await Repository.open(where, home=log.path.parent)
        except NOTHING_THERE:
            continue
        found.setdefault(repository.common, repository)
    return list(found.values())


async def workspaces(log: Log, root: Path) -> list[Status]:
    """Return every worktree that Holdfast made for a project, and how it is."""
    return [
        status
        for repository in await repositories(log, root)
        for status in await list_worktrees(repository)
    ]


async def clean(log: Log, root: Path, *, dry_run: bool, unmerged_too: bool) -> Cleaned:
    """Remove worktrees of ended runs, and snapshots of runs that no log has.

    Of a worktree whose work is in no branch of the user's only with `unmerged_too`: it is kept by
    the run's snapshots then.
    """
    done = Cleaned([], [], 0)
    for repository in await repositories(log, root):
        users = Users(log, repository)
        worktrees = await gc(
            repository, users.of_worktree, dry_run=dry_run, unmerged_too=unmerged_too
        )
        snapshots, size = await _forget(log, repository, dry_run=dry_run)
        done = Cleaned(
            [*done.worktrees, *worktrees],
            [*done.snapshots, *snapshots],
            done.snapshot_bytes + size,
        )
    return done


class Users:
    """Who uses a worktree, by what the log says at the moment of asking."""

    def __init__(self, log: Log, repository: Repository) -> None:
        self._log, self._repository = log, repository

    def of_worktree(self, worktree: Worktree) -> str:
        """Return why a worktree has to stay whatever is in it, or ""."""
        if not Path(worktree.path).is_relative_to(self._repository.home / "worktrees"):
            return "it is not below this project's folder"
        row = row_of(self._log, worktree.run)
        if row is None:
            age_s = time.time() - worktree.created_ns / 1e9
            return "no run has its name, but it is new" if age_s < GRACE_S else ""
        if row.status not in ENDED:
            return f"its run is {status_of(self._log, row)}"
        return self._of_others(Path(worktree.path))

    def _of_others(self, folder: Path) -> str:
        for row in self._log.runs(statuses=("running", "waiting")):
            if row.folder and Path(row.folder).is_relative_to(folder):
                return f"run {row.run!r} works in it"
        return ""


def row_of(log: Log, run: str) -> RunRow | None:
    """Return a run's row, or None where no run has the name."""
    try:
        return log.run(run)
    except NoSuchRun:
        return None


def status_of(log: Log, row: RunRow) -> str:
    """Return a run's status; one whose process is gone is interrupted."""
    is_gone = row.status == "running" and not (row.owner and owner_alive(log.path, row.owner))
    return "interrupted" if is_gone else row.status


async def _forget(
    log: Log, repository: Repository, *, dry_run: bool
) -> tuple[list[Forgotten], int]:
    refs = await snapshot_refs(repository)  # before the runs, see there
    runs, doubt = await trio.to_thread.run_sync(_runs, log, homes(repository))
    now, found, going = time.time(), list[Forgotten](), list[Orphan]()
    for orphan in without_run(refs, runs):
        reason = doubt or ("less than a day old" if orphan.is_young(now) else "")
        if reason:
            found.append(Forgotten(orphan, False, f"no log has its run, but {reason}"))
        else:
            going.append(orphan)
    size = await disk_bytes(repository, going)
    for orphan in going:
        is_gone = dry_run or await remove_ref(repository.git, orphan)
        reason = "no log has its run" if is_gone else "it has moved since"
        found.append(Forgotten(orphan, is_gone, reason))
    return found, size


def _runs(log: Log, known: list[Path]) -> tuple[set[str], str]:
    """Return the runs that the logs of all projects have; and why there may be more."""
    runs, doubts = {row.run for row in log.branches()}, list[str]()
    for home in known:
        if home.resolve() == log.path.parent:
            continue
        if not home.parent.exists():
            doubts.append(f"the project in {str(home)!r} is not here to be asked")
        elif (home / LOG / "data.mdb").exists():
            try:
                with Log.open(home / LOG, create=False) as other:
                    runs.update(row.run for row in other.branches())
            except HoldfastError as error:
                doubts.append(f"the log in {str(home)!r} cannot be asked: {error}")
    return runs, doubts[0] if doubts else ""
