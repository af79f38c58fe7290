"""Merging moves a branch and its checkout, or nothing; what cannot be decided is a value."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from holdfast.workspaces import (
    CheckoutBehind,
    Conflict,
    Made,
    Merged,
    NoTarget,
    Repository,
    StateUnwritable,
    TargetBusy,
    TargetDirty,
    TargetMissing,
    TargetMoved,
    UnrelatedHistories,
    Unresolved,
    Workspace,
    WouldOverwrite,
    add_worktree,
    begin_resolving,
    commit_work,
    finish_resolving,
    list_worktrees,
    merge,
    merge_worktree,
    remove_merged,
    reset_branch,
    snapshot,
    take_back,
)
from tests.support.repos import Repo


@pytest.fixture
async def repository(repo: Repo) -> Repository:
    return await Repository.open(repo.root)


@pytest.fixture
async def made(repository: Repository) -> Made:
    return await add_worktree(repository, "run", "fix")


async def bring(repository: Repository, made: Made, **options: str | bool) -> Merged | Conflict:
    squash = bool(options.pop("squash", False))
    texts = {name: str(value) for name, value in options.items()}
    return await merge_worktree(
        repository, made.worktree, made.workspace, message="fix it", squash=squash, **texts
    )


def write(made: Made, name: str, text: str) -> None:
    Repo(made.workspace.root).write({name: text})


async def test_work_arrives_in_the_branch_and_in_its_clean_checkout(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    write(made, "deep/new.txt", "new\n")
    (made.workspace.root / "src/b.py").unlink()

    merged = await bring(repository, made)

    assert isinstance(merged, Merged)
    assert merged.commit == repo.head
    assert repo.git("status", "--porcelain") == ""
    assert (repo.root / "a.txt").read_text() == "fixed\n"
    assert not (repo.root / "src").exists()
    assert repo.git("log", "-1", "--format=%an %s") == "Ada fix it"
    assert "holdfast: merge" in repo.git("reflog", "-1")


async def test_both_sides_work_is_joined_by_a_merge_commit(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    repo.write({"src/b.py": "b = 2\n"})
    theirs = repo.commit()

    merged = await bring(repository, made)

    assert isinstance(merged, Merged)
    assert repo.git("rev-parse", "HEAD^1", "HEAD^2").split() == [theirs, merged.source]
    assert (repo.root / "src/b.py").read_text() == "b = 2\n"
    assert repo.git("status", "--porcelain") == ""


async def test_squashed_work_is_one_commit_and_is_known_when_asked_again(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    first = await bring(repository, made, squash=True)
    again = await bring(repository, made, squash=True)
    write(made, "a.txt", "fixed better\n")
    second = await bring(repository, made, squash=True)

    assert isinstance(first, Merged)
    assert isinstance(again, Merged)
    assert isinstance(second, Merged)
    assert (first.is_new, again.is_new, second.is_new) == (True, False, True)
    assert again.commit == first.commit
    assert repo.git("rev-list", "--count", "HEAD") == "3"
    assert (repo.root / "a.txt").read_text() == "fixed better\n"


async def test_squashed_work_that_was_reverted_does_not_come_back(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    await bring(repository, made, squash=True)
    repo.git("revert", "--no-edit", "HEAD")

    again = await bring(repository, made, squash=True)

    assert isinstance(again, Merged)
    assert not again.is_new


async def test_squashed_work_that_an_agent_then_began_anew_takes_nothing_back(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    await bring(repository, made, squash=True)
    Repo(made.workspace.root).git("reset", "-q", "--hard", made.worktree.base)
    write(made, "src/b.py", "b = 9\n")

    merged = await bring(repository, made, squash=True)

    assert isinstance(merged, Merged)
    assert (repo.root / "a.txt").read_text() == "fixed\n"
    assert (repo.root / "src/b.py").read_text() == "b = 9\n"


async def test_a_branch_that_is_not_checked_out_moves_alone(
    repo: Repo, repository: Repository, made: Made
) -> None:
    repo.git("branch", "release")
    repo.write({"a.txt": "uncommitted"})
    before = repo.seen()
    write(made, "src/b.py", "b = 3\n")

    merged = await bring(repository, made, target="release")

    assert isinstance(merged, Merged)
    after = repo.seen()
    assert repo.git("show", "release:src/b.py") == "b = 3"
    assert [after[k] for k in ("index", "unstaged", "status")] == [
        before[k] for k in ("index", "unstaged", "status")
    ]


async def test_nothing_to_merge_changes_nothing(
    repo: Repo, repository: Repository, made: Made
) -> None:
    before = repo.seen()

    merged = await bring(repository, made)

    assert isinstance(merged, Merged)
    assert not merged.is_new
    assert repo.seen() == before


async def test_a_merge_into_a_bare_repository(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "bare.git"))
    repository = await Repository.open(tmp_path / "bare.git", home=tmp_path / "home")
    made = await add_worktree(repository, "run", "fix")
    write(made, "a.txt", "fixed\n")

    await bring(repository, made)

    assert Repo(tmp_path / "bare.git").git("show", "main:a.txt") == "fixed"


async def test_uncommitted_files_that_a_worktree_began_with_stay_the_users(
    repo: Repo, repository: Repository
) -> None:
    repo.git("branch", "release")
    repo.write({"a.txt": "one\ntwo\nuncommitted\n", "draft.txt": "draft"})
    taken = await snapshot(await Workspace.open(repo.root, run="run"))
    made = await add_worktree(repository, "run", "fix", base=taken)
    write(made, "src/b.py", "b = 3\n")

    await bring(repository, made, target="release")

    assert repo.git("diff", "--name-only", "main", "release") == "src/b.py"
    assert repo.git("rev-list", "--count", "main..release") == "1"


# --- conflicts -------------------------------------------------------------------------------------


async def test_a_conflict_tells_files_hunks_and_both_sides(
    repo: Repo, repository: Repository, made: Made
) -> None:
    text = "".join(f"{n}\n" for n in range(40))
    repo.write({"a.txt": text.replace("3\n", "three\n", 1).replace("30\n", "dreissig\n")})
    theirs = repo.commit()
    before = repo.seen()
    write(made, "a.txt", text.replace("3\n", "drei\n", 1).replace("30\n", "thirty\n"))

    conflict = await bring(repository, made)

    assert isinstance(conflict, Conflict)
    assert (conflict.target, conflict.target_commit) == ("refs/heads/main", theirs)
    (file,) = conflict.files
    assert (file.path, file.kinds) == ("a.txt", ("contents",))
    assert file.base is not None
    assert file.base.text == "one\ntwo\nthree\n"
    assert file.ours is not None
    assert file.ours.text is not None
    assert file.ours.text.startswith("0\n1\n2\nthree\n")
    assert repo.seen() == before


async def test_each_hunk_has_its_place_and_three_texts(repo: Repo, repository: Repository) -> None:
    text = "".join(f"{n}\n" for n in range(40))
    repo.write({"long.txt": text})
    repo.commit()
    made = await add_worktree(repository, "run", "fix")
    repo.write({"long.txt": text.replace("\n3\n", "\nthree\n").replace("\n30\n", "\n>>>>>>> x\n")})
    repo.commit()
    write(made, "long.txt", text.replace("\n3\n", "\ndrei\n").replace("\n30\n", "\nthirty\n"))

    conflict = await bring(repository, made)

    assert isinstance(conflict, Conflict)
    hunks = [(h.line, h.ours, h.base, h.theirs) for h in conflict.files[0].hunks]
    assert hunks == [
        (4, "three\n", "3\n", "drei\n"),
        (31, ">>>>>>> x\n", "30\n", "thirty\n"),
    ]


Edit = Callable[[Repo], object]


def gone(name: str) -> Edit:
    return lambda repo: (repo.root / name).unlink()


def written(name: str, text: str) -> Edit:
    return lambda repo: repo.write({name: text})


def renamed(old: str, new: str) -> Edit:
    return lambda repo: os.rename(repo.root / old, repo.root / new)


def linked(name: str, to: str) -> Edit:
    return lambda repo: (repo.root / name).symlink_to(to)


@pytest.mark.parametrize(
    ("ours", "theirs", "path", "kind", "present"),
    [
        (gone("a.txt"), written("a.txt", "x\n"), "a.txt", "modify/delete", "base theirs"),
        (written("n", "1\n"), written("n", "2\n"), "n", "contents", "ours theirs"),
        (written("n", "\0"), written("n", "\0\1"), "n", "binary", "ours theirs"),
        (renamed("a.txt", "x"), renamed("a.txt", "y"), "a.txt", "rename/rename", "base"),
        (written("n", "1"), written("n/m", "2"), "n", "file/directory", ""),
        (linked("n", "a.txt"), written("n", "2"), "n", "distinct modes", ""),
    ],
    ids=["delete", "add", "binary", "rename", "folder", "link"],
)
async def test_every_kind_of_conflict_is_a_value(
    repo: Repo,
    repository: Repository,
    made: Made,
    ours: Edit,
    theirs: Edit,
    path: str,
    kind: str,
    present: str,
) -> None:
    ours(repo)
    repo.commit()
    theirs(Repo(made.workspace.root))

    conflict = await bring(repository, made)

    assert isinstance(conflict, Conflict)
    assert kind in {kind for file in conflict.files for kind in file.kinds}
    file = next((file for file in conflict.files if file.path == path), conflict.files[0])
    sides = {"base": file.base, "ours": file.ours, "theirs": file.theirs}
    assert not present or present.split() == [name for name, side in sides.items() if side]


async def test_a_conflict_can_be_resolved_in_the_worktree_and_then_merges(
    repo: Repo, repository: Repository, made: Made
) -> None:
    repo.write({"a.txt": "ours\n", "src/b.py": "b = 2\n"})
    repo.commit()
    write(made, "a.txt", "theirs\n")
    conflict = await bring(repository, made)
    assert isinstance(conflict, Conflict)

    await begin_resolving(made.workspace, conflict)
    with pytest.raises(Unresolved, match=r"'a\.txt'"):
        await finish_resolving(made.workspace, conflict, "agree")
    write(made, "a.txt", "both\n")
    await finish_resolving(made.workspace, conflict, "agree")
    merged = await bring(repository, made)

    assert isinstance(merged, Merged)
    assert (repo.root / "a.txt").read_text() == "both\n"
    assert (repo.root / "src/b.py").read_text() == "b = 2\n"
    assert repo.git("status", "--porcelain") == ""


async def test_resolving_in_a_worktree_that_went_on_is_refused(
    repo: Repo, repository: Repository, made: Made
) -> None:
    repo.write({"a.txt": "ours\n"})
    repo.commit()
    write(made, "a.txt", "theirs\n")
    conflict = await bring(repository, made)
    assert isinstance(conflict, Conflict)
    write(made, "a.txt", "theirs again\n")

    with pytest.raises(WouldOverwrite):
        await begin_resolving(made.workspace, conflict)
    await commit_work(made.workspace, "on")
    with pytest.raises(WouldOverwrite, match="HEAD"):
        await begin_resolving(made.workspace, conflict)


async def test_resolved_work_that_began_with_uncommitted_files_still_leaves_them(
    repo: Repo, repository: Repository
) -> None:
    repo.git("branch", "release")
    repo.write({"draft.txt": "draft"})
    taken = await snapshot(await Workspace.open(repo.root, run="run"))
    made = await add_worktree(repository, "run", "fix", base=taken)
    repo.git("checkout", "-q", "release")
    repo.write({"a.txt": "ours\n"})
    repo.git("commit", "-q", "-am", "ours")
    repo.git("checkout", "-q", "main")
    write(made, "a.txt", "theirs\n")
    conflict = await bring(repository, made, target="release")
    assert isinstance(conflict, Conflict)

    await begin_resolving(made.workspace, conflict)
    write(made, "a.txt", "both\n")
    await finish_resolving(made.workspace, conflict, "agree")
    merged = await bring(repository, made, target="release")

    assert isinstance(merged, Merged)
    assert repo.git("diff", "--name-only", "main", "release") == "a.txt"
    assert repo.git("show", "release:a.txt") == "both"


# --- taken back ------------------------------------------------------------------------------------


async def test_a_merge_is_taken_back_with_the_files_of_its_checkout(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    before = repo.head
    merged = await bring(repository, made)
    assert isinstance(merged, Merged)
    repo.write({"untracked.txt": "mine"})
    checkout = await Workspace.open(repo.root, run="run")

    assert await take_back(checkout, merged.commit, before)
    assert await take_back(checkout, merged.commit, before)  # as after a crash

    assert (repo.head, repo.git("status", "--porcelain")) == (before, "")
    snapshots = repo.git("rev-list", checkout.ref).splitlines()
    assert any(repo.git("ls-tree", each, "untracked.txt") for each in snapshots)


async def test_a_merge_that_somebody_has_built_upon_is_not_taken_back(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    before = repo.head
    merged = await bring(repository, made)
    assert isinstance(merged, Merged)
    repo.write({"mine.txt": "mine"})
    mine = repo.commit()

    assert not await take_back(await Workspace.open(repo.root, run="run"), merged.commit, before)
    assert repo.head == mine


async def test_a_worktree_goes_back_to_a_commit_with_its_files_as_they_are(made: Made) -> None:
    worktree = Repo(made.workspace.root)
    before = worktree.head
    write(made, "a.txt", "fixed\n")
    await commit_work(made.workspace, "fix")

    await reset_branch(made.workspace, before)

    assert worktree.head == before
    assert worktree.git("status", "--porcelain") == " M a.txt"


async def test_a_worktree_is_removed_once_all_that_is_in_it_was_merged(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    assert not await remove_merged(repository, "run", "fix")
    await bring(repository, made, squash=True)
    write(made, "late.txt", "late\n")
    assert not await remove_merged(repository, "run", "fix")
    await bring(repository, made, squash=True)

    assert await remove_merged(repository, "run", "fix")
    assert await remove_merged(repository, "run", "fix")
    assert not made.workspace.root.exists()


# --- commits of what agents left -------------------------------------------------------------------


async def test_a_merge_that_an_agent_did_not_finish_is_committed_with_both_parents(
    repo: Repo, repository: Repository, made: Made
) -> None:
    repo.write({"a.txt": "ours\n"})
    theirs = repo.commit()
    write(made, "a.txt", "theirs\n")
    inner = Repo(made.workspace.root)
    mine = inner.commit()
    inner.git("merge", "main", ok=False)

    with pytest.raises(Unresolved):
        await bring(repository, made)
    write(made, "a.txt", "both\n")
    await bring(repository, made)

    assert inner.git("rev-parse", "HEAD^1", "HEAD^2").split() == [mine, theirs]
    assert inner.git("status", "--porcelain") == ""
    assert (repo.root / "a.txt").read_text() == "both\n"


async def test_a_branch_that_an_agent_changed_to_is_not_moved(
    repo: Repo, repository: Repository, made: Made
) -> None:
    inner = Repo(made.workspace.root)
    inner.git("checkout", "-q", "-b", "feature")
    write(made, "a.txt", "fixed\n")
    before = inner.head

    merged = await bring(repository, made)

    assert isinstance(merged, Merged)
    assert inner.git("rev-parse", "feature") == before
    assert (repo.root / "a.txt").read_text() == "fixed\n"


async def test_work_on_a_branch_without_history_is_committed_and_named_as_unrelated(
    repo: Repo, repository: Repository, made: Made
) -> None:
    inner, before = Repo(made.workspace.root), repo.head
    inner.git("checkout", "-q", "--orphan", "fresh")
    write(made, "a.txt", "fixed\n")

    with pytest.raises(UnrelatedHistories, match="no commit in common") as refused:
        await bring(repository, made)
    (status,) = await list_worktrees(repository)

    work = refused.value.source
    assert repo.git("show", f"{work}:a.txt") == "fixed"
    assert repo.git("rev-list", "--count", work) == "1"
    assert (repo.head, repo.git("status", "--porcelain")) == (before, "")
    assert (status.dirty, status.trouble) == ((".gitignore", "a.txt", "src/b.py"), "")
    by_hand = str(refused.value).partition("by hand: git ")[2].partition("; then")[0]
    repo.git(*by_hand.split(), "-X", "theirs")
    assert isinstance(await merge(repository, work, "main", message="again"), Merged)


async def test_without_a_name_of_the_users_commits_bear_ours(
    repo: Repo, repository: Repository, made: Made, settings: Path
) -> None:
    settings.write_text("[user]\nuseConfigOnly = true\n")
    write(made, "a.txt", "fixed\n")

    await bring(repository, made)

    assert repo.git("log", "-1", "--format=%an") == "Holdfast"


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("staged", [False, True])
async def test_a_dirty_checkout_is_refused_untouched(
    repo: Repo, repository: Repository, made: Made, staged: bool
) -> None:
    write(made, "a.txt", "fixed\n")
    repo.write({"src/b.py": "b = 'mine'\n"})
    if staged:
        repo.git("add", "-A")
    before = repo.seen()

    with pytest.raises(TargetDirty, match=r"branch 'main' .*'src/b\.py'.*stash") as refused:
        await bring(repository, made)

    assert refused.value.code == "target_dirty"
    assert repo.seen() == before
    assert (repo.root / "src/b.py").read_text() == "b = 'mine'\n"


@pytest.mark.parametrize("name", ["new.txt", "new.log", "new"])
async def test_untracked_and_ignored_files_are_not_overwritten(
    repo: Repo, repository: Repository, made: Made, name: str
) -> None:
    target = "new/file.txt" if name == "new" else name
    write(made, target, "by the run")
    Repo(made.workspace.root).git("add", "-f", target)
    repo.write({name: "by the user"})
    before = repo.seen()

    with pytest.raises(TargetDirty, match="untracked files in the way"):
        await bring(repository, made)

    assert (repo.root / name).read_text() == "by the user"
    assert repo.seen() == before


async def test_changes_that_git_was_told_to_pass_over_are_not_overwritten(
    repo: Repo, repository: Repository, made: Made
) -> None:
    repo.git("update-index", "--assume-unchanged", "a.txt")
    repo.write({"a.txt": "hidden\n"})
    write(made, "a.txt", "fixed\n")

    with pytest.raises(TargetDirty, match=r"hidden changes: 'a\.txt'"):
        await bring(repository, made)

    assert (repo.root / "a.txt").read_text() == "hidden\n"


async def test_untracked_files_elsewhere_are_no_obstacle(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    repo.write({"notes.txt": "mine"})

    merged = await bring(repository, made)

    assert isinstance(merged, Merged)
    assert repo.git("status", "--porcelain") == "?? notes.txt"


async def test_a_checkout_in_the_middle_of_something_is_refused(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, "a.txt", "fixed\n")
    (repo.root / ".git/MERGE_HEAD").write_text(repo.head + "\n")

    with pytest.raises(TargetBusy, match="in the middle of a merge"):
        await bring(repository, made)

    (repo.root / ".git/MERGE_HEAD").unlink()
    (repo.root / ".git/index.lock").touch()
    with pytest.raises(TargetBusy, match=r"index\.lock"):
        await bring(repository, made)
    assert (repo.root / ".git/index.lock").exists()


@pytest.mark.parametrize("what", ["rebase", "bisection"])
async def test_a_branch_that_is_being_rewritten_is_refused(
    repo: Repo, repository: Repository, made: Made, what: str
) -> None:
    repo.write({"a.txt": "1"})
    repo.commit()
    if what == "rebase":
        repo.git("rebase", "-q", "--exec", "false", "HEAD~1", ok=False)
    else:
        repo.git("bisect", "start", "main", "main~1")
        repo.git("checkout", "-q", "--detach")
    write(made, "src/b.py", "fixed\n")
    before = repo.seen()

    with pytest.raises(TargetBusy, match=what):
        await bring(repository, made)

    assert repo.seen() == before


def submodule(repo: Repo) -> Repo:
    outer = Repo.make(repo.root.parent / "outer", {"o.txt": "o\n"})
    outer.git("submodule", "--quiet", "add", str(repo.root), "inner")
    return Repo(outer.root / "inner")


def with_git_apart(repo: Repo) -> Repo:
    repo.git("init", "-q", "--separate-git-dir", str(repo.root.parent / "apart"))
    return repo


def with_git_linked(repo: Repo) -> Repo:
    (repo.root / ".git").rename(repo.root.parent / "apart")
    (repo.root / ".git").symlink_to(repo.root.parent / "apart")
    return repo


@pytest.mark.parametrize("lay_out", [submodule, with_git_apart, with_git_linked])
async def test_a_checkout_whose_git_folder_lies_apart_follows_or_is_refused_like_any_other(
    repo: Repo, lay_out: Callable[[Repo], Repo]
) -> None:
    checkout = lay_out(repo)
    repository = await Repository.open(checkout.root)
    made = await add_worktree(repository, "run", "fix")
    write(made, "a.txt", "fixed\n")
    checkout.write({"a.txt": "mine\n"})
    before = checkout.head

    with pytest.raises(TargetDirty) as refused:
        await bring(repository, made)
    assert (refused.value.folder, checkout.head) == (str(checkout.root), before)
    checkout.git("checkout", "--quiet", "a.txt")
    merged = await bring(repository, made)

    assert isinstance(merged, Merged)
    assert merged.commit == checkout.head
    assert (checkout.root / "a.txt").read_text() == "fixed\n"
    assert checkout.git("status", "--porcelain") == ""


async def work_beside(checkout: Repo) -> tuple[Repository, str]:
    """Commit something in a worktree of the user's, where a run works."""
    beside = Repo(checkout.root.parent / "beside")
    checkout.git("worktree", "add", "-q", "-b", "beside", str(beside.root))
    beside.write({"a.txt": "fixed\n"})
    return await Repository.open(beside.root), beside.commit()


async def test_a_submodules_checkout_follows_a_merge_from_a_worktree_beside_it(repo: Repo) -> None:
    checkout = submodule(repo)
    repository, work = await work_beside(checkout)

    await merge(repository, work, "main", message="fix it")

    assert (checkout.root / "a.txt").read_text() == "fixed\n"
    assert checkout.git("status", "--porcelain") == ""


async def test_a_branch_stays_where_its_checkout_cannot_be_found_from_beside_it(repo: Repo) -> None:
    repository, work = await work_beside(with_git_apart(repo))
    before = repo.head

    with pytest.raises(TargetBusy, match="merge from there"):
        await merge(repository, work, "main", message="fix it")

    assert repo.head == before


@pytest.mark.parametrize("what", ["locked", "without .git", "gone"])
async def test_a_branch_moves_without_its_worktree_only_where_that_is_gone(
    repo: Repo, repository: Repository, made: Made, what: str
) -> None:
    other = repo.root.parent / "other"
    repo.git("worktree", "add", "-q", "-b", "side", str(other))
    write(made, "a.txt", "fixed\n")
    before = repo.head
    if what == "locked":
        repo.git("worktree", "lock", str(other))
    if what == "without .git":
        (other / ".git").unlink()
    else:
        shutil.rmtree(other)

    if what == "gone":
        await bring(repository, made, target="side")
    else:
        with pytest.raises(TargetBusy, match="locked" if what == "locked" else "worktree repair"):
            await bring(repository, made, target="side")

    assert (repo.git("rev-parse", "side") == before) == (what != "gone")


async def test_a_target_that_moved_since_is_refused_when_that_matters(
    repo: Repo, repository: Repository, made: Made
) -> None:
    seen = repo.head
    write(made, "a.txt", "fixed\n")
    repo.write({"src/b.py": "later\n"})
    later = repo.commit()

    with pytest.raises(TargetMoved, match="merge again"):
        await bring(repository, made, expected=seen)

    assert repo.head == later


async def test_a_target_that_is_missing_or_unsaid_is_named(
    repo: Repo, repository: Repository, made: Made
) -> None:
    with pytest.raises(TargetMissing, match="'nope'"):
        await bring(repository, made, target="nope")
    repo.git("checkout", "-q", "--detach")
    other = await add_worktree(repository, "run", "other")
    with pytest.raises(NoTarget, match="into="):
        await bring(repository, other)


async def test_unrelated_histories_are_refused(repo: Repo, repository: Repository) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")
    alien = repo.git("commit-tree", tree, "-m", "alien")

    with pytest.raises(UnrelatedHistories):
        await merge(repository, alien, "main", message="no")


async def test_a_checkout_that_cannot_follow_says_so_and_the_next_merge_finishes_it(
    repo: Repo, repository: Repository, made: Made
) -> None:
    write(made, ".gitattributes", "*.bin filter=big\n")
    write(made, "x.bin", "BYTES\n")
    await commit_work(made.workspace, "work")
    repo.git("config", "filter.big.smudge", "false")
    repo.git("config", "filter.big.clean", "cat")
    repo.git("config", "filter.big.required", "true")

    with pytest.raises(CheckoutBehind, match="merge again, which finishes it"):
        await bring(repository, made)
    repo.git("config", "filter.big.smudge", "cat")
    await bring(repository, made)

    assert (repo.root / "x.bin").read_text() == "BYTES\n"
    assert repo.git("status", "--porcelain") == ""


# --- taking turns ----------------------------------------------------------------------------------


async def test_a_full_disk_leaves_neither_a_locked_index_nor_half_a_merge(
    repo: Repo, repository: Repository, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(made, "a.txt", "fixed\n")
    inner, before = Repo(made.workspace.root), repo.head

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", full)
        with pytest.raises(StateUnwritable, match="No space left"):
            await commit_work(made.workspace, "fix it")
        with pytest.raises(StateUnwritable, match=r"index\.move.*No space left"):
            await merge(repository, inner.head, "main", message="fix it")
    assert not list(repo.root.glob(".git/**/index.lock"))
    assert not list(repo.root.glob(".git/holdfast/moves/[!.]*"))
    assert (repo.head, repo.git("status", "--porcelain")) == (before, "")
    await bring(repository, made)

    assert (repo.root / "a.txt").read_text() == "fixed\n"
    assert inner.git("status", "--porcelain") == repo.git("status", "--porcelain") == ""


async def test_many_worktrees_merge_at_once_and_nothing_is_lost(
    repo: Repo, repository: Repository
) -> None:
    made = [await add_worktree(repository, "run", f"w{n}") for n in range(5)]
    for n, one in enumerate(made):
        write(one, f"file{n}", f"{n}")

    async with trio.open_nursery() as nursery:
        for one in made:
            nursery.start_soon(bring, repository, one)

    assert [(repo.root / f"file{n}").read_text() for n in range(5)] == list("01234")
    assert repo.git("status", "--porcelain") == ""
