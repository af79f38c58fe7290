"""Snapshots of runs that no log knows any more, such as those of a log that was deleted."""

from collections.abc import Collection

import msgspec

from .errors import GitFailed
from .git import Git
from .names import safe_name
from .places import Repository

PREFIXES = ("refs/holdfast/runs/", "refs/holdfast/work/")
GRACE_S = 24 * 3600
"""How old the newest snapshot of a run must be that no log knows: whoever moves a log has a day."""


class Orphan(msgspec.Struct, frozen=True):
    """A ref that keeps snapshots of no run that is known, with its newest commit and that one's time."""

    ref: str
    commit: str
    time_s: int

    def is_young(self, now_s: float) -> bool:
        """Whether it is too new to be let go."""
        return now_s - self.time_s < GRACE_S


async def snapshot_refs(repository: Repository) -> list[Orphan]:
    """Return all refs that keep snapshots. Ask for them before asking which runs there are: a run is
    in its log before its first snapshot is taken, so what is then in no log is nobody's at work."""
    fields = "%(refname) %(objectname) %(committerdate:unix)"
    told = await repository.git.text("for-each-ref", f"--format={fields}", *PREFIXES)
    lines = [line.split(" ") for line in told.splitlines()]
    return [Orphan(ref, commit, int(time or 0)) for ref, commit, time in lines]


def without_run(refs: Collection[Orphan], runs: Collection[str]) -> list[Orphan]:
    """Return those of the refs that keep snapshots of none of these runs."""
    known = {safe_name(run) for run in runs}
    return [ref for ref in refs if ref.ref.split("/")[3] not in known]


async def disk_bytes(repository: Repository, orphans: Collection[Orphan]) -> int:
    """Return the bytes that only these refs keep, or somewhat more: git does not look at all it has."""
    if not orphans:
        return 0
    gone = {orphan.ref for orphan in orphans}
    every = (await repository.git.text("for-each-ref", "--format=%(refname)")).splitlines()
    head = await repository.git.resolve("HEAD")  # a commit that no branch has, if it is detached
    others = [*(ref for ref in every if ref not in gone), *([head] if head else [])]
    stdin = [*gone, *(f"^{ref}" for ref in others)]
    counting = ("rev-list", "--objects-edge-aggressive", "--disk-usage", "--stdin")
    told = await repository.git.text(*counting, stdin="\n".join(stdin).encode() + b"\n")
    return int(told.split("\n")[-1])  # before it, the commits where it stopped


async def remove_ref(git: Git, orphan: Orphan) -> bool:
    """Remove a ref unless it has moved since. False: it has, so somebody needs it."""
    try:
        await git.run("update-ref", "-d", orphan.ref, orphan.commit)
    except GitFailed as error:
        if "but expected" in error.stderr or "unable to resolve reference" in error.stderr:
            return False
        raise
    return True
