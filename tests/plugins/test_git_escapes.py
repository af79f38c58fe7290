"""What a confined program leaves for git: nothing of it is run, or written elsewhere, by git outside."""

from pathlib import Path

import pytest

from holdfast.workspaces import (
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


async def _use_all(repository: Repository, workspace: Workspace, first: Snapshot) -> Snapshot:
    """Do all that is done with git outside on files that were worked on; return the first snapshot."""
    taken = await snapshot(workspace)
    await commit_work(workspace, "the work")
    (status,) = await list_worktrees(repository)
    await merge_worktree(repository, status.worktree, workspace, message="merged")
    await restore(workspace, first)
    await reset_branch(workspace, first.head)
    return taken
