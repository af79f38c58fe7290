"""Worktrees are listed with what is in them, and removed only when that is safe elsewhere."""

import shutil

import pytest

from holdfast.workspaces import (
    Made,
    Repository,
    Workspace,
    Worktree,
    add_worktree,
    content,
    forget,
    gc,
    list_worktrees,
    merge_worktree,
    snapshot,
)
from tests.support.repos import Repo


@pytest.fixture
async def repository(repo: Repo) -> Repository:
    return await Repository.open(repo.root)


def finished(_worktree: Worktree) -> str:
    return ""


async def bring(repository: Repository, made: Made, *, squash: bool = False) -> None:
    await merge_worktree(repository, made.worktree, made.workspace, message="fix it", squash=squash)


async def test_a_listing_tells_size_dirt_and_what_is_not_merged(repository: Repository) -> None:
    made = await add_worktree(repository, "run", "fix")
    inner = Repo(made.workspace.root)
    inner.write({"big.txt": "x" * 100_000})
    inner.commit()
    inner.write({"a.txt": "dirty"})

    (status,) = await list_worktrees(repository)

    assert (status.worktree, status.head) == (made.worktree, inner.head)
    assert (status.dirty, status.unmerged) == (("a.txt",), 1)
    assert status.size_bytes > 100_000
    assert status.touched_ns >= made.worktree.created_ns
    assert not status.is_merged


async def test_merged_worktrees_of_finished_runs_go(repo: Repo, repository: Repository) -> None:
    for name, squash in (("one", False), ("two", True)):
        made = await add_worktree(repository, "run", name)
        Repo(made.workspace.root).write({name: name})
        await bring(repository, made, squash=squash)

    swept = await gc(repository, finished)

    assert [(s.worktree.name, s.is_removed, s.reason) for s in swept] == [
        ("one", True, "merged"),
        ("two", True, "merged"),
    ]
    assert await list_worktrees(repository) == []
    assert repo.git("branch", "--list") == "* main"


async def test_a_dry_run_says_the_same_and_removes_nothing(repository: Repository) -> None:
    made = await add_worktree(repository, "run", "fix")

    (told,) = await gc(repository, finished, dry_run=True)

    assert told.is_removed
    assert told.size_bytes > 0
    assert made.workspace.root.exists()


async def test_work_that_is_nowhere_else_stays(repository: Repository) -> None:
    committed = await add_worktree(repository, "run", "committed")
    Repo(committed.workspace.root).write({"a.txt": "work"})
    Repo(committed.workspace.root).commit()
    dirty = await add_worktree(repository, "run", "dirty")
    Repo(dirty.workspace.root).write({"a.txt": "work", "b.txt": "work"})
    nested = await add_worktree(repository, "run", "nested")
    Repo.make(nested.workspace.root / "lib", {"x": "1"})
    running = await add_worktree(repository, "alive", "running")

    swept = await gc(
        repository, lambda worktree: "its run goes on" if worktree.run != "run" else ""
    )

    assert {s.worktree.name: (s.is_removed, s.reason) for s in swept} == {
        "committed": (False, "1 commit not merged"),
        "dirty": (False, "2 uncommitted files not merged"),
        "nested": (False, "it has git repositories of its own: 'lib'"),
        "running": (False, "its run goes on"),
    }
    assert all(m.workspace.root.exists() for m in (committed, dirty, nested, running))


@pytest.mark.parametrize("as_commit", [True, False])
async def test_files_that_a_worktree_began_with_are_no_work_of_its_own(
    repo: Repo, repository: Repository, as_commit: bool
) -> None:
    repo.write({"a.txt": "not committed by the user"})
    began = await snapshot(await Workspace.open(repo.root, run="run"))
    base, files = (began, "") if as_commit else (None, began.tree)
    made = await add_worktree(repository, "fork", "checkout", base=base, files=files)

    (status,) = await list_worktrees(repository)
    (swept,) = await gc(repository, finished)

    assert (status.unmerged, status.dirty, status.work) == (0, (), "")
    assert swept.is_removed
    assert await content(repository, made.workspace.ref, "a.txt") == b"not committed by the user"


async def test_a_worktree_that_cannot_be_looked_at_hides_no_other_and_stays(
    repo: Repo, repository: Repository
) -> None:
    hurt = await add_worktree(repository, "run", "hurt")
    await add_worktree(repository, "run", "whole")
    (hurt.workspace.git_dir / "HEAD").write_text("no branch")

    swept = await gc(repository, finished)

    assert [(s.worktree.name, s.is_removed) for s in swept] == [("hurt", False), ("whole", True)]
    assert "git" in swept[0].reason
    assert hurt.workspace.root.exists()


async def test_unmerged_work_goes_only_when_asked_and_into_a_snapshot(
    repository: Repository,
) -> None:
    made = await add_worktree(repository, "run", "fix")
    Repo(made.workspace.root).write({"a.txt": "work"})

    (swept,) = await gc(repository, finished, unmerged_too=True)

    assert (swept.is_removed, swept.reason) == (True, "kept in the run's snapshots")
    assert await content(repository, made.workspace.ref, "a.txt") == b"work"


async def test_a_worktree_whose_folder_is_gone_is_listed_and_forgotten(
    repo: Repo, repository: Repository
) -> None:
    made = await add_worktree(repository, "run", "fix")
    shutil.rmtree(made.workspace.root)

    (status,) = await list_worktrees(repository)
    await gc(repository, finished)

    assert status.is_missing
    assert await list_worktrees(repository) == []
    assert len(repo.git("worktree", "list").splitlines()) == 1


async def test_worktrees_of_the_users_are_none_of_ours(repo: Repo, repository: Repository) -> None:
    repo.git("worktree", "add", "-q", "-b", "other", str(repo.root.with_name("other")))

    assert await list_worktrees(repository) == []
    assert await gc(repository, finished) == []


async def test_a_forgotten_run_keeps_no_snapshots(repo: Repo, repository: Repository) -> None:
    made = await add_worktree(repository, "run", "fix")
    await snapshot(made.workspace)

    assert await forget(repository, "run") == 1
    assert repo.git("for-each-ref", "refs/holdfast") == ""
