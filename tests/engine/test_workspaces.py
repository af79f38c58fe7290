"""Workspaces: parallel work in worktrees of its own, brought back by merges, through every kind of travel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import Run, StepFailed, workflow
from holdfast.effects import step_folder
from holdfast.eventlog import StepStarted, StepSucceeded, WorkspaceSeen
from holdfast.reducer import Conflict, Merged
from tests.support.gitlab import GitLab, texts

SETTINGS = "[user]\n name = Ada\n email = ada@example.org\n[commit]\n gpgSign = false\n"


@pytest.fixture(autouse=True)
def _settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path_factory.mktemp("settings") / "gitconfig"
    path.write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitLab]:
    """A lab in a repository with one file, a.txt."""
    made = GitLab(tmp_path)
    yield made
    made.log.close()


@workflow
async def single(run: Run) -> str:
    async with run.workspace("ticket") as ws:
        await run.shell("work", "echo new > new.txt; pwd")
        merged = await ws.merge(message="The ticket")
    assert isinstance(merged, Merged)
    return merged.commit


async def test_work_in_a_workspace_comes_back_by_its_merge(git: GitLab) -> None:
    outcome = await git.go(single)

    assert outcome.status == "succeeded", outcome.error
    assert git.files() == {"a.txt": "one\n", "new.txt": "new\n"}
    assert git.repo.head == outcome.output
    assert git.repo.git("status", "--porcelain") == ""
    assert git.repo.git("log", "-1", "--format=%s") == "The ticket"
