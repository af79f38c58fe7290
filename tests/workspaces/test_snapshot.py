"""Snapshots hold what is on disk, and leave no trace where users look."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast.workspaces import (
    BareRepository,
    Bounds,
    Git,
    NotARepository,
    Snapshot,
    TooMuchUntracked,
    Unreadable,
    Workspace,
    content,
    files,
    snapshot,
)
from holdfast.workspaces.git import SETTINGS
from tests.support.repos import Repo


async def workspace(repo: Repo, run: str = "run") -> Workspace:
    return await Workspace.open(repo.root, run=run)


async def test_a_snapshot_has_tracked_and_untracked_files_but_no_ignored_ones(repo: Repo) -> None:
    repo.write({"a.txt": "changed\n", "new.txt": "new\n", "x.log": "noise\n"})
    space = await workspace(repo)

    taken = await snapshot(space)

    assert [f.path for f in await files(space, taken)] == [
        ".gitignore",
        "a.txt",
        "new.txt",
        "src/b.py",
    ]
    assert await content(space, taken, "a.txt") == b"changed\n"


async def test_a_snapshot_changes_nothing_that_the_user_sees(repo: Repo) -> None:
    repo.write({"a.txt": "staged\n", "s.txt": "stashed"})
    repo.git("stash", "-u")
    repo.write({"a.txt": "staged\n"})
    repo.git("add", "a.txt")
    repo.write({"a.txt": "unstaged\n", "new.txt": "new\n"})
    before = repo.seen()

    await snapshot(await workspace(repo))

    assert repo.seen() == before


async def test_unchanged_files_make_no_new_commit(repo: Repo) -> None:
    space = await workspace(repo)

    first = await snapshot(space)
    again = await snapshot(space)
    repo.write({"a.txt": "changed\n"})
    other = await snapshot(space)

    assert again == first
    assert other.commit != first.commit


async def test_a_snapshot_asks_few_questions_and_none_twice(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = await workspace(repo)
    await snapshot(space)
    asked: list[str] = []
    real = Git.run

    async def counted(git: Git, *args: str, **rest: Any) -> Any:
        asked.append(args[0])
        return await real(git, *args, **rest)

    monkeypatch.setattr(Git, "run", counted)

    await snapshot(space)
    unchanged, asked = asked, []
    repo.write({"a.txt": "changed\n", "new.txt": "new\n"})
    await snapshot(space)

    looking = ["cat-file", "diff-files", "ls-files"]
    assert sorted(unchanged) == looking
    assert sorted(asked[:3]) == looking
    assert asked[3:] == ["update-index", "write-tree", "commit-tree", "update-ref"]


async def test_when_a_snapshot_is_told_it_is_on_disk_with_the_way_to_it(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = await workspace(repo)
    repo.write({"deep/new.txt": "new\n"})
    flushed: list[str] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        flushed.append(os.path.realpath(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr("os.fsync", noted)

    taken = await snapshot(space)

    git = repo.root / ".git"
    new = [taken.commit, taken.tree, repo.git("rev-parse", f"{taken.tree}:deep/new.txt")]
    ref = git / space.ref
    assert {str(git / "objects" / name[:2]) for name in new} < {*flushed}
    assert [str(folder) for folder in ref.parents][:4] == flushed[-5:-1]
    assert "loose-object" in SETTINGS["core.fsync"]
    assert "reference" in SETTINGS["core.fsync"]


async def test_git_may_pack_its_objects_at_the_very_same_time(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    @contextmanager
    def packed_meanwhile(folder: Path) -> Generator[list[os.DirEntry[str]]]:
        with listed(folder) as entries:
            found = list(entries)
        repo.git("gc", "--quiet", "--prune=now")
        yield found

    repo.write({"a.txt": "changed\n"})
    space = await workspace(repo)
    monkeypatch.setattr("os.scandir", packed_meanwhile)

    taken = await snapshot(space)

    monkeypatch.undo()
    assert await content(space, taken, "a.txt") == b"changed\n"


async def test_a_last_snapshot_that_was_deleted_is_made_again_whole(repo: Repo) -> None:
    space = await workspace(repo)
    repo.write({"a.txt": "changed\n"})
    first = await snapshot(space)
    repo.git("update-ref", "-d", space.ref)
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("prune", "--expire=now")

    again = await snapshot(space)

    assert again.tree == first.tree
    assert await content(space, again, "a.txt") == b"changed\n"


async def test_what_the_user_adds_or_refreshes_between_snapshots_is_seen(repo: Repo) -> None:
    space = await workspace(repo)
    first = await snapshot(space)
    os.utime(repo.root / "a.txt")
    repo.git("update-index", "-q", "--refresh")
    refreshed = await snapshot(space)
    repo.write({"x.log": "ignored, but added\n"})
    repo.git("add", "-f", "x.log")
    added = await snapshot(space)
    repo.git("rm", "-q", "--cached", "x.log")

    assert refreshed.tree == first.tree
    assert await content(space, added, "x.log") == b"ignored, but added\n"
    assert (await snapshot(space)).tree == first.tree


async def test_snapshots_of_one_workspace_take_turns(repo: Repo) -> None:
    spaces = [await workspace(repo, f"run{n}") for n in range(4)]
    taken: list[Snapshot] = []

    async def take(space: Workspace) -> None:
        taken.append(await snapshot(space))

    repo.write({"a.txt": "changed\n"})
    async with trio.open_nursery() as nursery:
        for space in spaces:
            nursery.start_soon(take, space)

    assert len(taken) == 4
    assert len({one.tree for one in taken}) == 1


async def test_earlier_snapshots_stay_reachable(repo: Repo) -> None:
    space = await workspace(repo)
    first = await snapshot(space)
    repo.write({"a.txt": "changed\n"})

    await snapshot(space)
    repo.git("gc", "-q", "--prune=now")

    assert await content(space, first, "a.txt") == b"one\ntwo\nthree\n"


async def test_each_run_keeps_its_own_snapshots(repo: Repo) -> None:
    one, two = await workspace(repo, "one"), await workspace(repo, "Two/…")

    await snapshot(one)
    await snapshot(two)

    refs = repo.git("for-each-ref", "--format=%(refname)", "refs/holdfast").splitlines()
    assert [one.ref, two.ref] == refs
    assert refs[0] == "refs/holdfast/runs/one/checkout"


async def test_files_that_the_user_tracks_although_ignored_are_there(repo: Repo) -> None:
    space = await workspace(repo)
    await snapshot(space)
    repo.write({"kept.log": "kept\n"})
    repo.git("add", "-f", "kept.log")

    taken = await snapshot(space)

    assert await content(space, taken, "kept.log") == b"kept\n"


async def test_deleted_renamed_retyped_and_mode_changed_files_are_seen(repo: Repo) -> None:
    repo.write({"gone": "", "was": "moved\n", "tool": "#!/bin/sh\n", "dir/x": "x", "plain": "p"})
    repo.commit()
    space = await workspace(repo)
    await snapshot(space)
    root = repo.root
    (root / "gone").unlink()
    (root / "was").rename(root / "is")
    (root / "tool").chmod(0o755)
    (root / "dir/x").unlink()
    (root / "dir").rmdir()
    (root / "dir").symlink_to("src")
    (root / "plain").unlink()
    repo.write({"plain/now": "a folder"})

    taken = await snapshot(space)

    kinds = {f.path: f.kind for f in await files(space, taken)}
    assert kinds == {
        ".gitignore": "file",
        "a.txt": "file",
        "dir": "link",
        "is": "file",
        "plain/now": "file",
        "src/b.py": "file",
        "tool": "executable",
    }


async def test_a_folder_that_became_a_link_to_equal_files_is_a_link(repo: Repo) -> None:
    repo.write({"dir/x": "same", "other/x": "same"})
    repo.commit()
    space = await workspace(repo)
    await snapshot(space)
    (repo.root / "dir/x").unlink()
    (repo.root / "dir").rmdir()
    (repo.root / "dir").symlink_to("other")

    taken = await snapshot(space)

    assert {f.path for f in await files(space, taken)} >= {"dir", "other/x"}
    assert "dir/x" not in {f.path for f in await files(space, taken)}


async def test_names_that_differ_in_case_or_are_no_text_survive(repo: Repo) -> None:
    (repo.root / "a.txt").rename(repo.root / "A.txt")
    odd = os.fsdecode(b"\xff\n\t.txt")
    (repo.root / odd).write_text("odd")
    space = await workspace(repo)

    taken = await snapshot(space)

    assert {"A.txt", odd} <= {f.path for f in await files(space, taken)}
    assert "a.txt" not in {f.path for f in await files(space, taken)}


async def test_flags_that_make_git_look_away_hide_nothing(repo: Repo) -> None:
    repo.git("update-index", "--assume-unchanged", "a.txt")
    repo.git("update-index", "--skip-worktree", "src/b.py")
    repo.write({"a.txt": "seen\n", "src/b.py": "seen too\n"})
    before = repo.seen()
    space = await workspace(repo)

    taken = await snapshot(space)

    assert await content(space, taken, "a.txt") == b"seen\n"
    assert await content(space, taken, "src/b.py") == b"seen too\n"
    assert repo.seen() == before


@pytest.mark.parametrize(
    "kept",
    [("--no-cone", "/a.txt"), ("--cone", "--sparse-index", "elsewhere")],
    ids=["files", "index"],
)
async def test_files_outside_of_a_sparse_checkout_are_no_deletions(
    repo: Repo, kept: tuple[str, ...]
) -> None:
    repo.git("sparse-checkout", "set", *kept)
    assert not (repo.root / "src/b.py").exists()
    space = await workspace(repo)

    taken = await snapshot(space)

    assert taken.tree == repo.git("rev-parse", "HEAD^{tree}")


async def test_a_change_within_the_clock_tick_of_git_add_is_seen(repo: Repo) -> None:
    space = await workspace(repo)
    for n in range(10, 15):
        repo.write({"a.txt": f"{n}\n"})
        repo.git("add", "a.txt")
        repo.write({"a.txt": f"{n + 50}\n"})

        assert await content(space, await snapshot(space), "a.txt") == f"{n + 50}\n".encode()


async def test_a_conflicted_merge_is_kept_as_the_files_are(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.write({"a.txt": "side\n"})
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.write({"a.txt": "main\n"})
    repo.commit()
    repo.git("merge", "side", ok=False)
    before = repo.seen()
    space = await workspace(repo)

    taken = await snapshot(space)

    assert b"<<<<<<<" in await content(space, taken, "a.txt")
    assert repo.seen() == before


async def test_a_repository_without_commits_has_snapshots(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / "new")
    repo.write({"a.txt": "first\n"})
    space = await workspace(repo)

    taken = await snapshot(space)

    assert taken.head == ""
    assert await content(space, taken, "a.txt") == b"first\n"
    assert repo.git("status", "--porcelain") == "?? a.txt"


async def test_a_repository_with_longer_digests_has_snapshots(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / "new", {"a.txt": "1\n"}, "--object-format=sha256")
    space = await workspace(repo)

    taken = await snapshot(space)

    assert taken.tree == repo.git("rev-parse", "HEAD^{tree}")
    assert len(taken.tree) == 64


async def test_the_head_is_kept_too_when_nothing_else_leads_to_it(repo: Repo) -> None:
    repo.git("checkout", "-q", "--detach")
    repo.write({"a.txt": "lost?\n"})
    lost = repo.commit()
    space = await workspace(repo)

    taken = await snapshot(space)
    repo.git("checkout", "-q", "main")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")

    assert taken.head == lost
    assert repo.git("cat-file", "-t", lost) == "commit"


async def test_a_nested_repository_is_left_out_and_named(repo: Repo) -> None:
    Repo.make(repo.root / "vendor/lib", {"x": "1"})
    space = await workspace(repo)

    taken = await snapshot(space)

    assert [(left.path, left.why) for left in taken.left_out] == [
        ("vendor/lib", "a git repository of its own")
    ]
    assert not any(f.path.startswith("vendor") for f in await files(space, taken))


async def test_of_a_submodule_the_commit_is_kept_and_the_rest_named(
    repo: Repo, tmp_path: Path
) -> None:
    Repo.make(tmp_path / "lib", {"x": "1"})
    repo.git("submodule", "--quiet", "add", str(tmp_path / "lib"), "lib")
    odd = os.fsdecode(b"\xff")
    repo.git("submodule", "--quiet", "add", str(tmp_path / "lib"), odd)
    repo.commit()
    repo.git("submodule", "--quiet", "deinit", odd)
    space = await workspace(repo)
    await snapshot(space)
    (repo.root / "lib/x").write_text("changed")

    taken = await snapshot(space)

    assert [left.path for left in taken.left_out] == ["lib"]  # the other has no files
    assert [f.kind for f in await files(space, taken) if f.path == "lib"] == ["submodule"]


async def test_the_projects_own_folder_is_as_the_user_committed_it(repo: Repo) -> None:
    repo.write({".holdfast/workflows/fix.py": "committed"})
    repo.commit()
    repo.write({".holdfast/workflows/fix.py": "edited", ".holdfast/workflows/new.py": "new"})
    space = await workspace(repo)

    taken = await snapshot(space)

    assert taken.tree == repo.git("rev-parse", "HEAD^{tree}")


async def test_filters_work_as_they_do_for_the_user(repo: Repo) -> None:
    repo.git("config", "filter.big.clean", "sed s/BYTES/pointer/")
    repo.git("config", "filter.big.smudge", "sed s/pointer/BYTES/")
    repo.git("config", "filter.big.required", "true")
    repo.write({".gitattributes": "*.bin filter=big\n", "x.bin": "BYTES\n"})
    space = await workspace(repo)

    taken = await snapshot(space)

    assert await content(space, taken, "x.bin") == b"pointer\n"


async def test_too_many_untracked_files_are_refused_with_their_folder(repo: Repo) -> None:
    repo.write({f"web/node_modules/p{n}/index.js": "" for n in range(30)})
    repo.write({f"notes/{n}.md": "" for n in range(5)})
    space = await workspace(repo)

    with pytest.raises(TooMuchUntracked, match="'web/node_modules' has 30 untracked") as refused:
        await snapshot(space, bounds=Bounds(files=20))

    assert refused.value.code == "too_much_untracked"
    assert ".gitignore" in str(refused.value)


async def test_too_many_untracked_bytes_are_refused_with_their_folder(repo: Repo) -> None:
    repo.write({"data/dump.sql": "x" * 5000, "small.txt": "x"})
    space = await workspace(repo)

    with pytest.raises(TooMuchUntracked, match="'data'"):
        await snapshot(space, bounds=Bounds(size_bytes=1000))


async def test_what_git_left_when_it_was_killed_stands_in_nobodys_way(repo: Repo) -> None:
    space = await workspace(repo)
    await snapshot(space)
    (space.own / "index.lock").write_bytes(b"half")
    repo.write({"a.txt": "later\n"})

    taken = await snapshot(space)

    assert await content(space, taken, "a.txt") == b"later\n"


async def test_a_damaged_private_index_is_made_again(repo: Repo) -> None:
    space = await workspace(repo)
    first = await snapshot(space)
    (space.own / "index").write_bytes(b"DIRC, or not")

    assert (await snapshot(space)).tree == first.tree


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_an_unreadable_file_is_named(repo: Repo) -> None:
    repo.write({"secret": "x"})
    (repo.root / "secret").chmod(0)
    space = await workspace(repo)

    with pytest.raises(Unreadable, match="secret"):
        await snapshot(space)


async def test_a_folder_without_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotARepository, match="git init"):
        await Workspace.open(tmp_path, run="run")


async def test_a_bare_repository_has_no_files_to_take(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / "bare.git", None, "--bare")

    with pytest.raises(BareRepository, match="worktree"):
        await Workspace.open(repo.root, run="run")


async def test_a_worktree_of_the_users_is_a_workspace_too(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "other", str(repo.root / "inner"))
    inner = Repo(repo.root / "inner")
    inner.write({"a.txt": "inner\n"})
    space = await workspace(inner)

    taken = await snapshot(space)
    outer = await snapshot(await workspace(repo, "outer"))

    assert await content(space, taken, "a.txt") == b"inner\n"
    assert [left.path for left in outer.left_out] == ["inner"]
