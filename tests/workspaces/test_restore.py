"""Restoring makes the files those of a snapshot, and loses nothing that was there."""

from pathlib import Path

import pytest

from holdfast.workspaces import (
    GitFailed,
    NestedRepository,
    NoSuchCommit,
    NoSuchFile,
    Workspace,
    WouldOverwrite,
    changes,
    content,
    diff,
    extract,
    files,
    restore,
    snapshot,
)
from tests.support.repos import Repo, contents


@pytest.fixture
async def space(repo: Repo) -> Workspace:
    return await Workspace.open(repo.root, run="run")


def scramble(repo: Repo) -> None:
    """Change every kind of thing that a tree records."""
    root = repo.root
    repo.write({"a.txt": "other\n", "new/deep/file": "new"})
    (root / "src/b.py").unlink()
    (root / "src").rmdir()
    (root / "src").symlink_to("new")
    (root / "tool").write_text("#!/bin/sh\n")
    (root / "tool").chmod(0o755)


async def test_files_come_back_exactly_and_others_go(repo: Repo, space: Workspace) -> None:
    before = repo.on_disk()
    first = await snapshot(space)
    scramble(repo)
    scrambled = repo.on_disk()

    restored = await restore(space, first)
    back = repo.on_disk()
    await restore(space, restored.before)

    assert back == before
    assert set(restored.changed) == {"a.txt", "new/deep/file", "src", "src/b.py", "tool"}
    assert repo.on_disk() == scrambled


async def test_restoring_touches_neither_index_nor_head_nor_stash(
    repo: Repo, space: Workspace
) -> None:
    first = await snapshot(space)
    repo.write({"a.txt": "stashed\n"})
    repo.git("stash")
    repo.write({"a.txt": "staged\n", "staged.txt": "staged\n"})
    repo.git("add", "-A")
    repo.write({"a.txt": "unstaged\n"})
    before = repo.seen()
    dirty = await snapshot(space)

    await restore(space, first)
    between = repo.seen()
    await restore(space, dirty)

    kept = {"index", "staged", "stash", "reflog", "branches", "head"}
    assert {what: between[what] for what in kept} == {what: before[what] for what in kept}
    assert repo.seen() == before


async def test_ignored_files_stay(repo: Repo, space: Workspace) -> None:
    first = await snapshot(space)
    repo.write({".env": "SECRET=1", "new/x.log": "noise", "new/file": "x"})

    await restore(space, first)

    assert (repo.root / ".env").read_text() == "SECRET=1"
    assert (repo.root / "new/x.log").read_text() == "noise"
    assert not (repo.root / "new/file").exists()


async def test_an_ignored_file_that_must_give_way_is_kept_in_the_snapshot_before(
    repo: Repo, space: Workspace
) -> None:
    repo.write({"out": "tracked once", "dir/x.log": ""})
    first = await snapshot(space)
    (repo.root / "out").unlink()
    repo.write({".gitignore": "*.log\nout\n", "out/a": "ignored now", "out/b/c": "this too"})

    restored = await restore(space, first)

    assert (repo.root / "out").read_text() == "tracked once"
    assert await content(space, restored.before, "out/a") == b"ignored now"
    assert await content(space, restored.before, "out/b/c") == b"this too"


async def test_with_care_files_that_the_caller_does_not_know_are_kept(
    repo: Repo, space: Workspace
) -> None:
    first = await snapshot(space)
    repo.write({"a.txt": "by the run\n"})
    last = await snapshot(space)

    await restore(space, first, careful=True, expected=last.tree)
    repo.write({"a.txt": "by the user\n"})
    with pytest.raises(WouldOverwrite, match=r"'a.txt'\. Nothing was changed") as refused:
        await restore(space, last, careful=True, expected=first.tree)

    assert refused.value.paths == ["a.txt"]
    assert (repo.root / "a.txt").read_text() == "by the user\n"


async def test_restoring_what_is_there_changes_nothing(repo: Repo, space: Workspace) -> None:
    first = await snapshot(space)

    restored = await restore(space, first, careful=True)

    assert (restored.changed, restored.before) == ((), first)


async def test_the_projects_own_folder_is_not_rewound(repo: Repo, space: Workspace) -> None:
    repo.write({".holdfast/workflows/fix.py": "old"})
    repo.commit()
    first = await snapshot(space)
    repo.write({".holdfast/workflows/fix.py": "new", "a.txt": "other\n"})
    repo.commit()
    repo.write({".holdfast/workflows/fix.py": "newest", ".holdfast/workflows/b.py": "b"})

    await restore(space, first)

    assert (repo.root / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert (repo.root / ".holdfast/workflows/fix.py").read_text() == "newest"
    assert (repo.root / ".holdfast/workflows/b.py").read_text() == "b"


async def test_nested_repositories_are_left_alone_and_named(repo: Repo, space: Workspace) -> None:
    first = await snapshot(space)
    Repo.make(repo.root / "vendor/lib", {"x": "1"})

    restored = await restore(space, first)

    assert [left.path for left in restored.left_alone] == ["vendor/lib"]
    assert (repo.root / "vendor/lib/x").read_text() == "1"


async def test_a_nested_repository_in_the_way_is_never_deleted(
    repo: Repo, space: Workspace
) -> None:
    repo.write({"lib": "a file"})
    first = await snapshot(space)
    (repo.root / "lib").unlink()
    Repo.make(repo.root / "lib", {"x": "1"})

    with pytest.raises(NestedRepository, match="'lib'"):
        await restore(space, first)

    assert (repo.root / "lib/x").read_text() == "1"
    assert (repo.root / "lib/.git").is_dir()


async def test_a_change_of_case_is_undone(repo: Repo, space: Workspace) -> None:
    first = await snapshot(space)
    (repo.root / "a.txt").rename(repo.root / "A.txt")

    await restore(space, first)

    assert {"a.txt"} == {name for name in repo.on_disk() if name.lower() == "a.txt"}


async def test_what_filters_make_of_files_comes_back(repo: Repo, space: Workspace) -> None:
    repo.git("config", "filter.big.clean", "sed s/BYTES/pointer/")
    repo.git("config", "filter.big.smudge", "sed s/pointer/BYTES/")
    repo.write({".gitattributes": "*.bin filter=big\n*.txt text eol=crlf\n", "x.bin": "BYTES\n"})
    first = await snapshot(space)
    (repo.root / "x.bin").unlink()
    (repo.root / "a.txt").unlink()

    await restore(space, first)

    assert (repo.root / "x.bin").read_bytes() == b"BYTES\n"
    assert (repo.root / "a.txt").read_bytes() == b"one\r\ntwo\r\nthree\r\n"


async def test_a_filter_that_cannot_run_is_an_error_and_loses_nothing(
    repo: Repo, space: Workspace
) -> None:
    repo.git("config", "filter.big.clean", "cat")
    repo.git("config", "filter.big.smudge", "no-such-program")
    repo.git("config", "filter.big.required", "true")
    repo.write({".gitattributes": "*.bin filter=big\n", "x.bin": "BYTES\n"})
    first = await snapshot(space)
    repo.write({"x.bin": "OTHER\n"})

    with pytest.raises(GitFailed, match="no-such-program"):
        await restore(space, first)

    assert await content(space, space.ref, "x.bin") == b"OTHER\n"


async def test_a_snapshot_that_is_gone_is_named(space: Workspace) -> None:
    with pytest.raises(NoSuchCommit, match="0123456"):
        await restore(space, "0123456" * 5 + "01234")


async def test_a_fork_keeps_what_it_restored_under_its_own_name(
    repo: Repo, space: Workspace
) -> None:
    first = await snapshot(space)
    repo.write({"a.txt": "later\n"})
    fork = await Workspace.open(repo.root, run="fork")

    await restore(fork, first)
    repo.git("update-ref", "-d", space.ref)
    repo.git("gc", "-q", "--prune=now")

    assert await content(fork, first.tree, "a.txt") == b"one\ntwo\nthree\n"


async def test_differences_are_patches_that_git_applies(repo: Repo, space: Workspace) -> None:
    first = await snapshot(space)
    scramble(repo)
    (repo.root / "pic").write_bytes(b"\x00\x01")
    second = await snapshot(space)
    scrambled = repo.on_disk()
    await restore(space, first)

    patch = await diff(space, first, second)
    (repo.root / "p.log").write_text(patch)
    repo.git("apply", "p.log")
    (repo.root / "p.log").unlink()

    assert repo.on_disk() == scrambled


async def test_changes_are_listed_with_their_kind_and_size(repo: Repo, space: Workspace) -> None:
    first = await snapshot(space)
    repo.write({"a.txt": "one\ntwo\n3\nfour\n", "pic": "\0"})
    (repo.root / "src/b.py").rename(repo.root / "src/c.py")
    second = await snapshot(space)

    told = await changes(space, first, second)

    rows = [(c.path, c.how, c.was, c.lines_added, c.lines_deleted) for c in told]
    assert rows == [
        ("a.txt", "changed", "", 2, 1),
        ("pic", "added", "", -1, -1),
        ("src/c.py", "renamed", "src/b.py", 0, 0),
    ]


async def test_files_of_a_folder_can_be_listed_and_read(space: Workspace) -> None:
    taken = await snapshot(space)

    listed = await files(space, taken, "src/")

    assert [(f.path, f.kind, f.size_bytes) for f in listed] == [("src/b.py", "file", 6)]
    with pytest.raises(NoSuchFile, match="'nope'"):
        await content(space, taken, "nope")


async def test_a_snapshot_can_be_written_elsewhere(
    repo: Repo, space: Workspace, tmp_path: Path
) -> None:
    scramble(repo)
    taken = await snapshot(space)
    before = repo.seen()

    await extract(space, taken, tmp_path / "out")

    assert contents(tmp_path / "out") == repo.on_disk()
    assert repo.seen() == before
