"""Worktrees of our own: made from what was asked, found again, and removed without loss."""

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from holdfast.workspaces import (
    BranchTaken,
    FolderTaken,
    NoCommits,
    NoPortsLeft,
    NoSuchCommit,
    Repository,
    StateUnwritable,
    Unremovable,
    Workspace,
    WorktreeExists,
    WorktreeHoldsWork,
    WorktreeMissing,
    add_worktree,
    commit_work,
    content,
    gc,
    list_worktrees,
    open_worktree,
    remember_merged,
    remove_merged,
    remove_worktree,
    safe_name,
    snapshot,
)
from holdfast.workspaces import ports as ports_module
from holdfast.workspaces.git import Answer, Git
from tests.support.repos import Repo, contents


@pytest.fixture
async def repository(repo: Repo) -> Repository:
    return await Repository.open(repo.root)


async def test_a_worktree_has_the_files_of_its_base_and_leaves_the_checkout_alone(
    repo: Repo, repository: Repository
) -> None:
    committed = repo.on_disk()
    repo.write({"a.txt": "uncommitted\n", "new.txt": "untracked\n"})
    before = repo.seen()

    made = await add_worktree(repository, "run", "fix")

    assert made.worktree.path == str(repo.root / ".holdfast/worktrees/run/fix")
    assert contents(Path(made.worktree.path)) == committed
    assert repo.git("branch", "--list", "holdfast/*").split() == ["+", "holdfast/run/fix"]
    assert repo.seen() == before


async def test_a_worktree_can_begin_with_uncommitted_files(
    repo: Repo, repository: Repository
) -> None:
    repo.write({"a.txt": "uncommitted\n", "new.txt": "untracked\n"})
    taken = await snapshot(await Workspace.open(repo.root, run="run"))

    made = await add_worktree(repository, "run", "fix", base=taken)

    assert contents(made.workspace.root) == repo.on_disk()
    assert made.worktree.is_from_snapshot
    assert Repo(made.workspace.root).git("status", "--porcelain") == ""
    assert Repo(made.workspace.root).git("rev-parse", "HEAD^") == repo.head


async def test_a_snapshot_without_changes_is_its_commit(repo: Repo, repository: Repository) -> None:
    taken = await snapshot(await Workspace.open(repo.root, run="run"))

    made = await add_worktree(repository, "run", "fix", base=taken)

    assert made.worktree.base == repo.head
    assert not made.worktree.is_from_snapshot


async def test_asking_again_finds_it_as_it_is(repo: Repo, repository: Repository) -> None:
    first = await add_worktree(repository, "run", "fix")
    (first.workspace.root / "work.txt").write_text("in progress")
    repo.write({"a.txt": "later"})
    repo.commit()

    again = await add_worktree(repository, "run", "fix")

    assert (again.is_new, again.worktree) == (False, first.worktree)
    assert (again.workspace.root / "work.txt").read_text() == "in progress"
    assert (await open_worktree(repository, "run", "fix"))[0] == first.worktree


async def test_the_same_name_with_another_base_is_refused(
    repo: Repo, repository: Repository
) -> None:
    await add_worktree(repository, "run", "fix", base=repo.head)
    repo.write({"a.txt": "later"})
    later = repo.commit()

    with pytest.raises(WorktreeExists, match="Choose another name"):
        await add_worktree(repository, "run", "fix", base=later)


async def test_equal_and_odd_names_are_kept_apart(repository: Repository) -> None:
    names = [("one", "x"), ("two", "x"), ("two", "X"), ("two", "x..lock"), ("two", "ticket/ü~^: 7")]

    made = [await add_worktree(repository, run, name) for run, name in names]

    assert len({m.worktree.path for m in made}) == len(names)
    assert len({m.worktree.branch for m in made}) == len(names)
    assert len({m.worktree.port_base for m in made}) == len(names)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a..b", "a.lock", "a/b", "-x", "HEAD", "@{", "x" * 300, "ü", "a b", "a."],
)
def test_any_name_is_made_safe(name: str, repo: Repo) -> None:
    safe = safe_name(name)

    repo.git("check-ref-format", f"refs/heads/holdfast/{safe}")
    assert len(safe) < 64
    assert safe_name(safe) != safe or safe == name


def test_plain_names_stay_and_no_other_name_becomes_one() -> None:
    assert safe_name("ticket-7_a.b") == "ticket-7_a.b"
    assert safe_name(safe_name("A")) != safe_name("A")


async def test_ports_stay_with_their_worktree_and_come_back_when_it_is_gone(
    repo: Repo, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports_module, "COUNT", 2)
    one = await add_worktree(repository, "run", "one")
    await add_worktree(repository, "run", "two")

    with pytest.raises(NoPortsLeft):
        await add_worktree(repository, "run", "three")
    await remove_worktree(repository, one.worktree)
    three = await add_worktree(repository, "run", "three")

    assert three.worktree.environment == {"HOLDFAST_PORT_BASE": str(one.worktree.port_base)}
    assert repo.git("status", "--porcelain") == ""


async def test_ignored_files_that_are_named_come_along(repo: Repo, repository: Repository) -> None:
    repo.write(
        {
            ".worktreeinclude": "*.log\n!noise.log\n.env\na.txt\n",
            ".env": "SECRET=1",
            "deep/er/x.log": "log",
            "noise.log": "noise",
            "a.txt": "tracked, so not copied\n",
        }
    )
    (repo.root / ".env").chmod(0o600)

    made = await add_worktree(repository, "run", "fix")

    assert sorted(made.included.copied) == [".env", "deep/er/x.log"]
    assert (made.workspace.root / ".env").read_text() == "SECRET=1"
    assert (made.workspace.root / ".env").stat().st_mode & 0o777 == 0o600
    assert (made.workspace.root / "a.txt").read_text() == "one\ntwo\nthree\n"


async def test_a_secret_that_would_be_committed_does_not_come_along(
    repo: Repo, repository: Repository
) -> None:
    repo.write({".worktreeinclude": "key.pem\n", "key.pem": "KEY", ".gitignore": "key.pem\n"})

    made = await add_worktree(repository, "run", "fix")

    assert [left.path for left in made.included.left_out] == ["key.pem"]
    assert ".gitignore" in made.included.left_out[0].why
    assert not (made.workspace.root / "key.pem").exists()


async def test_a_worktree_whose_folder_was_deleted_is_made_again_from_its_last_snapshot(
    repository: Repository,
) -> None:
    made = await add_worktree(repository, "run", "fix")
    (made.workspace.root / "a.txt").write_text("committed")
    work = await commit_work(made.workspace, "work")
    (made.workspace.root / "b.txt").write_text("not committed")
    await snapshot(made.workspace)
    shutil.rmtree(made.workspace.root)

    with pytest.raises(WorktreeMissing, match="make it again"):
        await open_worktree(repository, "run", "fix")
    again = await add_worktree(repository, "run", "fix")

    assert again.is_new
    assert (again.worktree.base, again.worktree.port_base) == (
        made.worktree.base,
        made.worktree.port_base,
    )
    assert Repo(again.workspace.root).head == work
    assert (again.workspace.root / "b.txt").read_text() == "not committed"


async def test_what_a_killed_creation_left_is_made_anew(repo: Repo, repository: Repository) -> None:
    folder = repo.root / ".holdfast/worktrees/run/fix"
    repo.git("worktree", "add", "-q", "--no-checkout", "-b", "holdfast/run/fix", str(folder))

    made = await add_worktree(repository, "run", "fix")

    assert (made.workspace.root / "a.txt").exists()
    assert repo.git("worktree", "list").count("fix") == 2  # its path and its branch


async def test_a_folder_with_other_things_is_never_cleared(
    repo: Repo, repository: Repository
) -> None:
    repo.write({".holdfast/worktrees/run/fix/precious": "x"})

    with pytest.raises(FolderTaken):
        await add_worktree(repository, "run", "fix")

    assert (repo.root / ".holdfast/worktrees/run/fix/precious").exists()


async def test_a_moved_repository_is_not_taken_for_rubbish(
    repo: Repo, repository: Repository
) -> None:
    made = await add_worktree(repository, "run", "fix")
    (made.workspace.root / "work").write_text("work")
    moved = repo.root.with_name("moved")
    repo.root.rename(moved)
    there = await Repository.open(moved)

    with pytest.raises(FolderTaken, match="git worktree repair"):
        await add_worktree(there, "run", "fix")
    Repo(moved).git("worktree", "repair", ".holdfast/worktrees/run/fix")
    again = await add_worktree(there, "run", "fix")

    assert not again.is_new
    assert (again.workspace.root / "work").read_text() == "work"


async def test_a_worktree_that_git_names_by_a_relative_path_is_found(
    repo: Repo, repository: Repository
) -> None:
    made = await add_worktree(repository, "run", "fix")
    root, git_dir = made.workspace.root, made.workspace.git_dir
    # As git from 2.48 on writes them when it repairs or moves a worktree.
    (git_dir / "gitdir").write_text(os.path.relpath(root / ".git", git_dir) + "\n")
    (root / ".git").write_text(f"gitdir: {os.path.relpath(git_dir, root)}\n")

    record, workspace = await open_worktree(repository, "run", "fix")

    assert (record, workspace) == (made.worktree, made.workspace)
    assert (await snapshot(workspace)).head == repo.head


async def test_a_branch_of_the_users_in_the_way_is_named(
    repo: Repo, repository: Repository
) -> None:
    repo.git("branch", "holdfast")

    with pytest.raises(BranchTaken, match="git branch -m"):
        await add_worktree(repository, "run", "fix")


async def test_commits_on_a_branch_of_our_name_are_not_dropped(
    repo: Repo, repository: Repository
) -> None:
    repo.git("checkout", "-q", "-b", "holdfast/run/fix")
    repo.write({"a.txt": "theirs"})
    repo.commit()
    repo.git("checkout", "-q", "main")

    with pytest.raises(BranchTaken, match="commits that the base has not"):
        await add_worktree(repository, "run", "fix")


async def test_without_a_commit_only_a_snapshot_can_be_the_base(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / "new")
    repo.write({"a.txt": "first"})
    repository = await Repository.open(repo.root)
    taken = await snapshot(await Workspace.open(repo.root, run="run"))

    with pytest.raises(NoCommits, match="Commit something"):
        await add_worktree(repository, "run", "fix")
    made = await add_worktree(repository, "run", "fix", base=taken)

    assert (made.workspace.root / "a.txt").read_text() == "first"


async def test_an_unknown_base_is_named(repository: Repository) -> None:
    with pytest.raises(NoSuchCommit, match="'nope'"):
        await add_worktree(repository, "run", "fix", base="nope")


async def test_a_detached_head_is_a_base(repo: Repo, repository: Repository) -> None:
    repo.git("checkout", "-q", "--detach")

    made = await add_worktree(repository, "run", "fix")

    assert (made.worktree.base, made.worktree.target) == (repo.head, "")


async def test_a_bare_repository_has_worktrees(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "bare.git"))
    repository = await Repository.open(tmp_path / "bare.git", home=tmp_path / "home")

    made = await add_worktree(repository, "run", "fix")

    assert (made.workspace.root / "a.txt").exists()
    assert made.worktree.target == "refs/heads/main"
    assert (await snapshot(made.workspace)).head == repo.head


async def test_a_worktree_of_a_worktree_belongs_to_the_same_repository(
    repo: Repo, repository: Repository
) -> None:
    outer = await add_worktree(repository, "run", "outer")
    within = await Repository.open(outer.workspace.root)

    inner = await add_worktree(within, "run", "inner")

    assert inner.workspace.common == repo.root / ".git"
    assert inner.worktree.target == f"refs/heads/{outer.worktree.branch}"
    assert (await snapshot(outer.workspace)).tree == repo.git("rev-parse", "HEAD^{tree}")


async def test_submodules_links_and_modes_are_as_git_makes_them(repo: Repo, tmp_path: Path) -> None:
    Repo.make(tmp_path / "lib", {"x": "1"})
    repo.git("submodule", "--quiet", "add", str(tmp_path / "lib"), "lib")
    (repo.root / "link").symlink_to("a.txt")
    (repo.root / "tool").write_text("#!/bin/sh\n")
    (repo.root / "tool").chmod(0o755)
    repo.commit()

    made = await add_worktree(await Repository.open(repo.root), "run", "fix")

    assert (made.workspace.root / "link").is_symlink()
    assert (made.workspace.root / "tool").stat().st_mode & 0o100
    assert list((made.workspace.root / "lib").iterdir()) == []
    taken = await snapshot(made.workspace)
    assert taken.tree == repo.git("rev-parse", "HEAD^{tree}")


async def test_hooks_and_signing_of_the_users_do_not_run(
    repo: Repo, repository: Repository, settings: Path
) -> None:
    hook = repo.root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    for name in ("pre-commit", "reference-transaction"):
        shutil.copy2(hook, hook.with_name(name))
    settings.write_text(
        settings.read_text() + '[commit]\ngpgSign = true\n[gpg]\nprogram = "false"\n'
    )

    made = await add_worktree(repository, "run", "fix")
    (made.workspace.root / "a.txt").write_text("work")

    assert await commit_work(made.workspace, "work") != made.worktree.base


async def test_removal_keeps_files_and_commits(repo: Repo, repository: Repository) -> None:
    made = await add_worktree(repository, "run", "fix")
    inner = Repo(made.workspace.root)
    inner.write({"a.txt": "first"})
    first = inner.commit()
    inner.write({"b.txt": "uncommitted"})

    last = await remove_worktree(repository, made.worktree)
    repo.git("gc", "-q", "--prune=now")

    assert last is not None
    assert await content(repository, last, "b.txt") == b"uncommitted"
    assert repo.git("cat-file", "-t", first) == "commit"
    assert not made.workspace.root.exists()
    assert repo.git("branch", "--list") == "* main"
    assert len(repo.git("worktree", "list").splitlines()) == 1


async def test_commits_of_unchanged_files_survive_removal_too(
    repo: Repo, repository: Repository
) -> None:
    made = await add_worktree(repository, "run", "fix")
    inner = Repo(made.workspace.root)
    await snapshot(made.workspace)
    empty = inner.commit("nothing but a message")

    await remove_worktree(repository, made.worktree)
    repo.git("gc", "-q", "--prune=now")

    assert repo.git("cat-file", "-t", empty) == "commit"


async def test_a_worktree_with_a_repository_in_it_is_not_removed(repository: Repository) -> None:
    made = await add_worktree(repository, "run", "fix")
    Repo.make(made.workspace.root / "cloned", {"x": "1"})

    with pytest.raises(WorktreeHoldsWork, match="'cloned'"):
        await remove_worktree(repository, made.worktree)

    assert (made.workspace.root / "cloned/x").exists()


async def test_a_removal_that_was_interrupted_is_finished_by_asking_again(
    repo: Repo, repository: Repository
) -> None:
    made = await add_worktree(repository, "run", "fix")
    (made.workspace.root / "b.txt").write_text("work")
    last = await snapshot(made.workspace)
    msgspec.structs.replace(made.worktree, is_going=True).write(made.workspace.git_dir)
    (made.workspace.root / "a.txt").unlink()

    with pytest.raises(WorktreeMissing):
        await open_worktree(repository, "run", "fix")
    again = await add_worktree(repository, "run", "fix")

    assert (again.workspace.root / "a.txt").exists()
    assert await content(repository, last, "b.txt") == b"work"


def as_nobody(remove: Callable[..., None]) -> Callable[..., None]:
    """Remove nothing from a read-only folder, which root may."""

    def checked(path: str, *, dir_fd: int | None = None) -> None:
        folder = os.stat(os.path.dirname(path)) if dir_fd is None else os.fstat(dir_fd)
        if not folder.st_mode & stat.S_IWUSR:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        remove(path, dir_fd=dir_fd)

    return checked


async def test_a_worktree_with_read_only_folders_is_removed_and_what_links_lead_to_is_not(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await add_worktree(repository, "run", "fix")
    await remember_merged(repository, made.workspace, made.worktree.base)
    cache, outside = made.workspace.root / "cache.log/mod", tmp_path / "outside"
    for folder in (cache, outside):
        folder.mkdir(parents=True)
        (folder / "file").write_text("read")
    (cache / "link").symlink_to(outside)
    for folder in (cache, cache.parent, outside):
        folder.chmod(0o555)
    monkeypatch.setattr(os, "unlink", as_nobody(os.unlink))
    monkeypatch.setattr(os, "rmdir", as_nobody(os.rmdir))

    assert await remove_merged(repository, "run", "fix")

    assert not made.workspace.root.exists()
    assert (stat.S_IMODE(outside.stat().st_mode), len(list(outside.iterdir()))) == (0o555, 1)


async def test_what_cannot_be_removed_is_named_and_the_rest_of_the_removal_waits_for_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await add_worktree(repository, "run", "fix")
    await remember_merged(repository, made.workspace, made.worktree.base)
    file = made.workspace.root / "cache.log/of-root"
    file.parent.mkdir()
    file.write_text("hard")

    def guarded(path: str, *, dir_fd: int | None = None) -> None:
        if os.path.basename(path) == file.name:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
        unlink(path, dir_fd=dir_fd)

    unlink = os.unlink
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", guarded)
        assert not await remove_merged(repository, "run", "fix")
        with pytest.raises(Unremovable, match=r"only partly removed: .*of-root") as told:
            await add_worktree(repository, "run", "fix")
        (swept,) = await gc(repository, lambda _: "")
    (status,) = await list_worktrees(repository)

    assert (told.value.code, told.value.path) == ("unremovable", str(file))
    assert (swept.is_removed, swept.reason) == (False, str(told.value))
    assert (status.is_merged, status.work, status.trouble) == (False, "", "")
    assert (await add_worktree(repository, "run", "fix")).is_new


async def test_a_file_that_cannot_come_along_is_named(
    repo: Repo, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write({".worktreeinclude": ".env\n", ".env": "KEY=1\n"})

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(StateUnwritable, match=r"run/fix/\.env.*No space left"):
        await add_worktree(repository, "run", "fix")


async def test_worktrees_of_a_repository_are_added_by_turns(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One `git worktree add` that reads what another has half made dies of it.
    run, at_work, most = Git.run, list[str](), list[int]()

    async def watched(git: Git, *args: str, **more: Any) -> Answer:
        if args[:2] != ("worktree", "add"):
            return await run(git, *args, **more)
        at_work.append("add")
        most.append(len(at_work))
        try:
            return await run(git, *args, **more)
        finally:
            at_work.pop()

    monkeypatch.setattr(Git, "run", watched)
    async with trio.open_nursery() as nursery:
        for name in ("one", "two", "three"):
            nursery.start_soon(add_worktree, repository, "r", name)

    assert most == [1, 1, 1]
