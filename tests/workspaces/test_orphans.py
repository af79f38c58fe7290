"""Snapshots that no log knows are told from those of all projects that share a repository."""

import os
import time
from pathlib import Path

import pytest

from holdfast.workspaces import (
    GRACE_S,
    Orphan,
    Repository,
    Workspace,
    disk_bytes,
    homes,
    remove_ref,
    snapshot,
    snapshot_refs,
    without_run,
)
from tests.support.repos import Repo


@pytest.fixture
async def repository(repo: Repo) -> Repository:
    return await Repository.open(repo.root)


async def take(repo: Repo, run: str, text: str, home: Path | None = None) -> str:
    repo.write({"a.txt": text})
    taken = await snapshot(await Workspace.open(repo.root, run=run, home=home))
    return taken.commit


async def test_snapshots_are_told_by_run_whatever_its_name(
    repo: Repo, repository: Repository
) -> None:
    for run in ("known", "Odd Name/x", "lost"):
        await take(repo, run, run)

    found = await snapshot_refs(repository)

    assert [ref.ref for ref in without_run(found, ["known", "Odd Name/x"])] == [
        "refs/holdfast/runs/lost/checkout"
    ]
    assert len(found) == 3


async def test_what_is_less_than_a_day_old_is_young(repo: Repo, repository: Repository) -> None:
    commit = await take(repo, "lost", "x")

    (orphan,) = await snapshot_refs(repository)

    assert orphan.commit == commit
    assert orphan.is_young(time.time())
    assert not orphan.is_young(time.time() + GRACE_S + 2)


@pytest.mark.parametrize("first", ["kept", "lost"])  # commits of one second or of two: no matter
async def test_the_size_is_what_nothing_else_keeps(
    repo: Repo, repository: Repository, first: str
) -> None:
    noise = os.urandom(50_000).hex()
    for run in sorted(["kept", "lost"], key=lambda run: run != first):
        await take(repo, run, noise)
    kept, lost = await snapshot_refs(repository)

    assert await disk_bytes(repository, [lost]) < 5_000
    assert await disk_bytes(repository, [kept, lost]) > 50_000
    assert await disk_bytes(repository, []) == 0


async def test_a_ref_that_moved_meanwhile_stays(repo: Repo, repository: Repository) -> None:
    await take(repo, "lost", "one")
    (before,) = await snapshot_refs(repository)
    await take(repo, "lost", "two")
    (after,) = await snapshot_refs(repository)

    assert not await remove_ref(repository.git, before)
    assert await remove_ref(repository.git, after)
    assert not await remove_ref(repository.git, Orphan(after.ref, after.commit, 0))
    assert await snapshot_refs(repository) == []


async def test_every_project_with_snapshots_here_is_known(
    repo: Repo, repository: Repository, tmp_path: Path
) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side/.holdfast").mkdir()
    await take(repo, "here", "x")
    await take(repo, "away", "y", home=tmp_path / "elsewhere")

    assert homes(repository) == sorted(
        [repo.root / ".holdfast", tmp_path / "elsewhere", tmp_path / "side/.holdfast"]
    )


async def test_a_repository_that_was_moved_takes_its_project_along(
    repo: Repo, tmp_path: Path
) -> None:
    await take(repo, "run", "x")
    repo.root.rename(tmp_path / "moved")

    moved = await Repository.open(tmp_path / "moved")

    assert homes(moved) == [tmp_path / "moved/.holdfast"]
