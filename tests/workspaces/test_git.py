"""Git is run alike everywhere, and what it cannot do has a name."""

import os
from pathlib import Path

import pytest
import trio

from holdfast.workspaces import (
    MINIMUM_GIT,
    Git,
    GitFailed,
    GitMissing,
    GitTooOld,
    Repository,
    RepositoryBusy,
    StateUnwritable,
    Unreadable,
    UntrustedRepository,
    Workspace,
    WorkspaceError,
    check_git,
    commit_work,
    errors,
    snapshot,
)
from holdfast.workspaces.git import version_of
from holdfast.workspaces.index import named
from holdfast.workspaces.locks import is_locked, locked
from tests.support.repos import Repo


async def test_the_installed_git_is_new_enough() -> None:
    assert await check_git() >= MINIMUM_GIT


@pytest.mark.parametrize("told", ["git version 2.37.9", "git version 1.9", "not git at all"])
def test_an_older_git_is_refused_with_the_version_needed(told: str) -> None:
    with pytest.raises(GitTooOld, match=r"2\.38 or newer") as refused:
        version_of(told)

    assert refused.value.found == told


@pytest.mark.parametrize("told", ["git version 2.38.0", "git version 2.39.5 (Apple Git-154)"])
def test_newer_gits_are_told_by_their_numbers(told: str) -> None:
    assert version_of(told) >= MINIMUM_GIT


async def test_a_machine_without_git_is_told_so(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repo.root))

    with pytest.raises(GitMissing, match="install it"):
        await Repository.open(repo.root)


async def test_variables_of_an_outer_git_lead_nowhere(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))

    taken = await snapshot(await Workspace.open(repo.root, run="run"))

    assert taken.tree
    assert not (tmp_path / "elsewhere").exists()


async def test_a_failure_says_what_git_said(repo: Repo) -> None:
    with pytest.raises(GitFailed, match="git cat-file -p nope ended with status 128") as failed:
        await Git(repo.root).run("cat-file", "-p", "nope")

    assert "nope" in failed.value.stderr


async def test_a_folder_that_is_gone_is_no_missing_git(tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="no such folder"):
        await Git(tmp_path / "gone").run("status")


async def test_a_lock_of_another_git_is_named(repo: Repo) -> None:
    (repo.root / ".git/refs/heads/main.lock").touch()

    with pytest.raises(RepositoryBusy, match=r"main\.lock.*remove that file"):
        await Git(repo.root).run("update-ref", "refs/heads/main", "HEAD", "HEAD")


async def test_a_commit_waits_for_no_other_git(repo: Repo) -> None:
    from holdfast.workspaces import add_worktree

    made = await add_worktree(await Repository.open(repo.root), "run", "fix")
    (made.workspace.root / "a.txt").write_text("work")
    (made.workspace.git_dir / "index.lock").touch()

    with pytest.raises(RepositoryBusy, match=r"index\.lock"):
        await commit_work(made.workspace, "work")
    (made.workspace.git_dir / "index.lock").unlink()
    await commit_work(made.workspace, "work")

    assert Repo(made.workspace.root).git("status", "--porcelain") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_a_repository_of_somebody_else_is_named(repo: Repo) -> None:
    os.chown(repo.root, 12345, 12345)
    os.chown(repo.root / ".git", 12345, 12345)

    with pytest.raises(UntrustedRepository, match=r"safe\.directory"):
        await Workspace.open(repo.root, run="run")


async def test_a_git_folder_that_cannot_be_written_is_named(repo: Repo) -> None:
    space = await Workspace.open(repo.root, run="run")
    (repo.root / ".git/holdfast").write_text("in the way")

    with pytest.raises(StateUnwritable, match=r"holdfast.*cannot be written"):
        await snapshot(space)


def test_what_git_cannot_read_has_a_name() -> None:
    said = 'error: open("secret"): Permission denied\nfatal: Unable to process path secret\n'

    error = named(GitFailed(("update-index",), "/repo", 128, said))

    assert isinstance(error, Unreadable)
    assert (error.path, error.reason) == ("secret", "Permission denied")
    assert ".gitignore" in str(error)


def test_every_error_has_a_code_of_its_own() -> None:
    found = [e for e in vars(errors).values() if isinstance(e, type)]
    ours = [e for e in found if issubclass(e, WorkspaceError)]

    assert len({e.code for e in ours}) == len(ours)


def test_many_paths_are_named_in_part() -> None:
    assert errors.some([str(n) for n in range(7)]) == "'0', '1', '2', '3', '4' and 2 more"


async def test_a_lock_is_given_in_the_order_of_asking(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", list[int]()

    async def take(number: int) -> None:
        async with locked(path):
            assert is_locked(path)
            order.append(number)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(take, number)
            await trio.testing.wait_all_tasks_blocked()

    assert order == list(range(5))
    assert not is_locked(path)
    assert not is_locked(tmp_path / "nobody's")
