"""A run that is stopped, by a person or by an error, keeps what had ended by then and is let go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.eventlog import DoubtRaised, RunReleased, StepSucceeded
from tests.support.gitlab import GitLab
from tests.support.lab import Counter, Crash


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    """A lab in a repository."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    made = GitLab(tmp_path)
    yield made
    made.log.close()


class WhenGitRuns:
    """Calls back while a git process runs, for the first one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
        self._act = act
        self._run: Any = trio.run_process
        monkeypatch.setattr(trio, "run_process", self)

    async def __call__(self, *args: Any, **options: Any) -> Any:
        act, self._act = self._act, lambda: None

        class Status:
            def started(self, process: object) -> None:
                act()

        return await self._run(*args, **options, task_status=Status())


counter = Counter()


@workflow
async def deploys(run: Run) -> str:
    await run.step("deploy", counter("deploy"), effect=True)
    await run.shell("look", "true")
    return "done"


async def test_what_ended_is_kept_and_the_run_let_go_when_it_is_interrupted_while_git_looks(
    git: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.calls.clear()
    with trio.CancelScope() as scope:
        WhenGitRuns(monkeypatch, scope.cancel)
        await git.go(deploys)

    assert scope.cancelled_caught
    assert [event.key for event in git.events(kind=StepSucceeded)] == ["deploy"]
    assert [event.reason for event in git.events(kind=RunReleased)] == ["interrupted"]
    assert (await git.go_on()).output == "done"
    assert git.events(kind=DoubtRaised) == []
    assert counter.calls == ["deploy"]


async def test_nothing_is_written_when_what_stops_a_run_while_git_looks_is_no_interruption(
    git: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise Crash

    WhenGitRuns(monkeypatch, die)
    with pytest.RaisesGroup(Crash, flatten_subgroups=True):
        await git.go(deploys)

    assert git.events(kind=RunReleased) == []
