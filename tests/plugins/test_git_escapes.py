"""What a confined program leaves for git: nothing of it is run, or written elsewhere, by git outside."""

import os
from pathlib import Path

import pytest

from holdfast.places import repository_root
from holdfast.plugins import GitTampered, SandboxFailed
from holdfast.workspaces import (
    BareRepository,
    GitUnsafe,
    Repository,
    Snapshot,
    Workspace,
    add_worktree,
    commit_work,
    list_worktrees,
    merge_worktree,
    reset_branch,
    restore,
    snapshot,
)
from tests.support.cage import Cage, needs_bubblewrap
from tests.support.repos import Repo

pytestmark = needs_bubblewrap


@pytest.fixture
def cage(tmp_path: Path) -> Cage:
    return Cage(tmp_path)


async def test_a_repository_made_within_runs_nothing_when_files_are_recorded(cage: Cage) -> None:
    repository = await Repository.open(cage.repo.root)
    made = await add_worktree(repository, "run", "ws")
    first = await snapshot(made.workspace)
    proof = cage.base / "escaped"

    told = await cage(
        f"""
        git init -q sub; cd sub; echo 1 > file; git add file; git commit -qm first
        git config filter.e.clean 'touch {proof}; cat'; git config core.fsmonitor 'touch {proof}'
        git config diff.external 'touch {proof}'; echo '* filter=e' > .gitattributes
        cd ..; git add sub; echo 2 > sub/file; touch sub/file; echo 3 > code.py
        """,
        folder=made.workspace.root,
    )
    taken = await _use_all(repository, made.workspace, first)

    assert told.code == 0, told
    assert [left.path for left in taken.left_out] == ["sub"]
    assert not proof.exists()


async def test_a_submodule_whose_git_was_replaced_runs_nothing(
    cage: Cage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    Repo.make(cage.base / "lib", {"file": "1\n"})
    cage.repo.git("submodule", "--quiet", "add", str(cage.base / "lib"), "sub")
    cage.repo.commit()
    space = await Workspace.open(cage.repo.root, run="run")
    first = await snapshot(space)
    proof = cage.base / "escaped"

    told = await cage(
        f"""
        rm sub/.git; cd sub; git init -q; git add -A; git commit -qm other
        git config filter.e.clean 'touch {proof}; cat'
        echo '* filter=e' > .gitattributes; echo 2 > file; echo 3 > ../code.py
        """,
        folder=cage.repo.root,
    )
    taken = await snapshot(space)
    await restore(space, first)

    assert told.code == 0, told
    assert [left.path for left in taken.left_out] == ["sub"]
    assert not proof.exists()


@pytest.mark.parametrize("way", ["git init -q .", "git init -q --bare ."])
async def test_a_repository_made_in_a_part_of_another_is_not_taken_for_it(
    cage: Cage, way: str
) -> None:
    part, proof = cage.worktree / "part", cage.base / "escaped"
    part.mkdir()
    script = f"""
    {way}; git config core.bare false; git config core.worktree {part}
    git config filter.e.clean 'touch {proof}; cat'; echo '* filter=e' > .gitattributes
    echo 1 > file; git add -A; echo 2 > file
    """

    for _ in range(2):
        await cage(script, folder=part)
    try:
        space = await Workspace.open(part, run="run")
    except BareRepository:
        assert "--bare" in way
    else:
        assert repository_root(str(part)) == cage.worktree
        await snapshot(space)
        assert space.root == cage.worktree

    assert not proof.exists()


# --- links --------------------------------------------------------------------------------------

LEADING = """
for link in {own}/index {own}/logs/HEAD {own}/new {common}/refs/heads/deep/er {common}/objects/0a \
    {common}/objects/pack/new {common}/logs/refs/stash
do mkdir -p $(dirname $link); rm -rf $link; ln -s {victim} $link; done
mkfifo {own}/MERGE_HEAD; echo 2 > code.py; (sleep 600 &)
"""


async def test_links_that_git_outside_would_follow_fail_the_step_and_are_removed(
    cage: Cage,
) -> None:
    repository = await Repository.open(cage.repo.root)
    space = (await add_worktree(repository, "run", "ws")).workspace
    first, victim = await snapshot(space), cage.home / "victim"
    victim.write_text("untouched")
    script = LEADING.format(victim=victim, own=space.git_dir, common=space.common)

    with pytest.raises(GitTampered, match=r"They were removed\. Look at what the step did") as told:
        await cage(script, folder=space.root)
    cage.repo.git("-C", str(space.root), "reset", "-q")
    await _use_all(repository, space, first)

    assert len(told.value.paths) == 8
    assert not [path for path in told.value.paths if os.path.islink(path)]
    assert victim.read_text() == "untouched"


async def test_what_git_notes_of_branches_cannot_be_replaced_for_the_user(cage: Cage) -> None:
    """Not even while the program is at work, when nobody removes anything."""
    logs = cage.git_dir / "logs"

    told = await cage(
        f"""
        mkdir -p {logs}/refs/heads; ln -sf {cage.home}/victim {logs}/refs/heads/main && echo inside
        ln -sf {cage.home}/victim {logs}/HEAD; mv {logs}/refs {logs}/gone; mv {logs}/refs/heads x
        mv {cage.git_dir}/refs/heads x; ln -s {cage.home} {cage.git_dir}/objects/info/packs
        """
    )

    assert told.out == "inside"
    assert not [path for path in cage.git_dir.rglob("*") if path.is_symlink()]
    assert (logs / "refs" / "heads" / "main").read_text().count("\n") == 1


async def test_what_a_user_has_stashed_outlives_a_stash_in_the_sandbox(cage: Cage) -> None:
    (cage.repo.root / "code.py").write_text("stashed\n")
    cage.repo.git("stash", "-q")

    told = await cage(
        "echo 2 > code.py; git stash -q && cat code.py && git stash pop -q && cat code.py"
    )

    assert (told.code, told.out) == (0, "1\n2"), told
    assert len(cage.repo.git("stash", "list").splitlines()) == 1
    cage.repo.git("stash", "pop", "-q")
    assert (cage.repo.root / "code.py").read_text() == "stashed\n"


async def test_links_that_were_there_before_keep_a_sandbox_from_being_made(cage: Cage) -> None:
    link = cage.git_dir / "objects" / "pack" / "mine"
    link.symlink_to(cage.home)

    with pytest.raises(SandboxFailed, match=r"'.*/pack/mine' .* is a link or a special file"):
        await cage("touch begun")

    assert link.is_symlink()
    assert not (cage.worktree / "begun").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root looks into every folder")
async def test_a_folder_that_cannot_be_looked_into_fails_the_step(cage: Cage) -> None:
    with pytest.raises(SandboxFailed, match="cannot be looked through for links"):
        await cage(f"mkdir -m 311 {cage.own_git_dir}/dark")


async def test_links_of_a_program_that_died_with_its_engine_are_refused(cage: Cage) -> None:
    repository = await Repository.open(cage.repo.root)
    space = (await add_worktree(repository, "run", "ws")).workspace
    first, victim = await snapshot(space), cage.home / "victim"
    victim.write_text("untouched")
    (space.git_dir / "logs" / "HEAD").unlink()
    (space.git_dir / "logs" / "HEAD").symlink_to(victim)

    for work in (snapshot(space), commit_work(space, "work"), reset_branch(space, first.head)):
        with pytest.raises(GitUnsafe, match="remove it, then resume"):
            await work

    assert victim.read_text() == "untouched"


async def test_a_branch_that_is_named_by_a_link_is_no_harm(cage: Cage) -> None:
    cage.repo.git(
        "-c", "core.preferSymlinkRefs=true", "-C", str(cage.worktree), "checkout", "-qb", "x"
    )
    assert (cage.own_git_dir / "HEAD").is_symlink()

    told = await cage("git commit -q --allow-empty -m two")

    assert told.code == 0, told
    assert cage.repo.git("log", "-1", "--format=%s", "x") == "two"


async def _use_all(repository: Repository, workspace: Workspace, first: Snapshot) -> Snapshot:
    """Do all that is done with git outside on files that were worked on; return the first snapshot."""
    taken = await snapshot(workspace)
    await commit_work(workspace, "the work")
    (status,) = await list_worktrees(repository)
    await merge_worktree(repository, status.worktree, workspace, message="merged")
    await restore(workspace, first)
    await reset_branch(workspace, first.head)
    return taken
