"""What repositories may have that most have not: each is kept, left alone, or refused by name."""

import os
import shlex
import socket
from pathlib import Path

import pytest

from holdfast.workspaces import (
    GitFailed,
    Repository,
    Workspace,
    add_worktree,
    content,
    files,
    restore,
    snapshot,
)
from tests.support.repos import Repo

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"
CLEAN = """
file=$(mktemp); cat > $file; oid=$(sha256sum < $file | cut -c1-64); cp $file {store}/$oid
printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %s\\n' \
    $oid $(wc -c < $file)
"""
SMUDGE = "cat {store}/$(sed -n s/oid.sha256://p)"


@pytest.fixture
async def space(repo: Repo) -> Workspace:
    return await Workspace.open(repo.root, run="run")


async def paths(space: Workspace, tree: str) -> set[str]:
    return {file.path for file in await files(space, tree)}


# --- large file storage ----------------------------------------------------------------------------


async def test_pointers_of_lfs_stay_pointers_where_it_is_not_installed(
    repo: Repo, space: Workspace
) -> None:
    pointer = POINTER.format(oid="0" * 64, size=7)
    repo.write({".gitattributes": "*.bin filter=lfs diff=lfs -text\n", "x.bin": pointer})
    repo.commit()

    taken = await snapshot(space)
    made = await add_worktree(await Repository.open(repo.root), "run", "fix")

    assert taken.tree == repo.git("rev-parse", "HEAD^{tree}")
    assert (made.workspace.root / "x.bin").read_text() == pointer
    assert (await snapshot(made.workspace)).tree == taken.tree


async def test_snapshots_have_the_pointer_and_worktrees_what_lfs_makes_of_it(
    repo: Repo, tmp_path: Path, space: Workspace
) -> None:
    (tmp_path / "store").mkdir()
    for name, script in (("clean", CLEAN), ("smudge", SMUDGE)):
        line = script.strip().replace("{store}", str(tmp_path / "store"))
        repo.git("config", f"filter.lfs.{name}", f"sh -c {shlex.quote(line)}")
    repo.git("config", "filter.lfs.required", "true")
    repo.write({".gitattributes": "*.bin filter=lfs -text\n", "x.bin": "large" * 1000})

    first = await snapshot(space)
    made = await add_worktree(await Repository.open(repo.root), "run", "fix", base=first)
    repo.write({"x.bin": "other"})
    await restore(space, first)

    assert (await content(space, first, "x.bin")).startswith(b"version https://git-lfs")
    assert (made.workspace.root / "x.bin").read_text() == "large" * 1000
    assert (repo.root / "x.bin").read_text() == "large" * 1000


async def test_lfs_that_is_asked_for_and_missing_is_named(repo: Repo, space: Workspace) -> None:
    repo.git("config", "filter.lfs.clean", "no-such-git-lfs clean -- %f")
    repo.git("config", "filter.lfs.required", "true")
    repo.write({".gitattributes": "*.bin filter=lfs\n", "x.bin": "large"})

    with pytest.raises(GitFailed, match="clean filter 'lfs' failed"):
        await snapshot(space)

    assert (repo.root / "x.bin").read_text() == "large"


# --- links and modes -------------------------------------------------------------------------------


async def test_links_are_kept_as_links_wherever_they_lead(repo: Repo, space: Workspace) -> None:
    links = {
        "to-file": "a.txt",
        "to-folder": "src",
        "nowhere": "none",
        "outside": "/etc",
        "me": "me",
    }
    for name, target in links.items():
        (repo.root / name).symlink_to(target)

    taken = await snapshot(space)
    for name in links:
        (repo.root / name).unlink()
    await restore(space, taken)

    assert {name: os.readlink(repo.root / name) for name in links} == links
    assert {file.path for file in await files(space, taken) if file.kind == "link"} == set(links)


async def test_nothing_is_written_through_a_link_that_took_a_folders_place(
    repo: Repo, space: Workspace, tmp_path: Path
) -> None:
    first = await snapshot(space)
    Repo(tmp_path).write({"outside/b.py": "not the project's\n"})
    (repo.root / "src/b.py").unlink()
    (repo.root / "src").rmdir()
    (repo.root / "src").symlink_to(tmp_path / "outside")

    changed = await snapshot(space)
    await restore(space, first)

    assert "src/b.py" not in await paths(space, changed.tree)
    assert not (repo.root / "src").is_symlink()
    assert (repo.root / "src/b.py").read_text() == "b = 1\n"
    assert (tmp_path / "outside/b.py").read_text() == "not the project's\n"


async def test_a_pipe_or_socket_in_the_place_of_a_file_is_left_out_and_goes_when_the_file_returns(
    repo: Repo, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await snapshot(space)
    for name in ("a.txt", "src/b.py"):
        (repo.root / name).unlink()
    os.mkfifo(repo.root / "a.txt")
    monkeypatch.chdir(repo.root / "src")  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("b.py")

    taken = await snapshot(space)
    done = await restore(space, first)

    assert [(left.path, left.why) for left in taken.left_out] == [
        ("a.txt", "neither a file nor a folder"),
        ("src/b.py", "neither a file nor a folder"),
    ]
    assert await paths(space, taken.tree) == {".gitignore"}
    assert set(done.changed) == {"a.txt", "src/b.py"}
    assert (repo.root / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert (repo.root / "src/b.py").read_text() == "b = 1\n"


async def test_a_mode_alone_is_a_change_and_comes_back(repo: Repo, space: Workspace) -> None:
    first = await snapshot(space)
    (repo.root / "a.txt").chmod(0o755)

    changed = await snapshot(space)
    await restore(space, first)

    assert changed.tree != first.tree
    assert not (repo.root / "a.txt").stat().st_mode & 0o111


# --- repositories in repositories --------------------------------------------------------------------


async def test_what_is_in_a_submodule_is_left_alone_when_files_are_brought_back(
    repo: Repo, tmp_path: Path, space: Workspace
) -> None:
    Repo.make(tmp_path / "lib", {"x": "1"})
    repo.git("submodule", "--quiet", "add", str(tmp_path / "lib"), "lib")
    repo.commit()
    first = await snapshot(space)
    repo.write({"lib/x": "edited", "a.txt": "edited"})

    done = await restore(space, first)

    assert (repo.root / "lib/x").read_text() == "edited"
    assert (repo.root / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert [left.path for left in done.left_alone] == ["lib"]


async def test_a_worktree_of_the_users_within_the_checkout_is_left_out_and_named(
    repo: Repo, space: Workspace
) -> None:
    before = await snapshot(space)
    repo.git("worktree", "add", "-q", "-b", "inner", "inner")

    taken = await snapshot(space)

    assert taken.tree == before.tree
    assert [left.path for left in taken.left_out] == ["inner"]


async def test_a_repository_without_commits_within_is_left_out_and_named(
    repo: Repo, space: Workspace
) -> None:
    Repo.make(repo.root / "begun")
    repo.write({"begun/x.txt": "x"})

    taken = await snapshot(space)

    assert [left.path for left in taken.left_out] == ["begun"]
    assert "begun/x.txt" not in await paths(space, taken.tree)


# --- heads and names ---------------------------------------------------------------------------------


async def test_a_detached_head_is_kept_and_stays_detached(repo: Repo, space: Workspace) -> None:
    repo.git("checkout", "-q", "--detach")
    repo.git("commit", "-q", "--allow-empty", "-m", "on no branch")
    repo.write({"a.txt": "changed"})

    taken = await snapshot(space)

    assert taken.head == repo.head
    assert repo.git("symbolic-ref", "-q", "HEAD", ok=False) == ""
    assert repo.git("merge-base", "--is-ancestor", repo.head, taken.commit) == ""


async def test_runs_of_equal_names_in_two_projects_of_one_repository_keep_both_their_files(
    repo: Repo, tmp_path: Path
) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = Repo(tmp_path / "side")
    repo.write({"a.txt": "here"})
    side.write({"a.txt": "there"})

    here = await snapshot(await Workspace.open(repo.root, run="run"))
    there = await snapshot(await Workspace.open(side.root, run="run"))
    again = await snapshot(await Workspace.open(repo.root, run="run"))

    assert again.tree == here.tree
    for kept in (here, there):
        assert repo.git("merge-base", "--is-ancestor", kept.commit, again.commit) == ""
