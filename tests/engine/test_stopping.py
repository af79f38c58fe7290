"""A run that is stopped, by a person or by an error, keeps what had ended by then and is let go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.eventlog import Batch, DoubtRaised, RunReleased, SignalReceived, StepSucceeded
from holdfast.plugins import hookimpl
from holdfast.reducer import NotRecordable, WorkflowDiverged
from tests.support.gitlab import GitLab
from tests.support.lab import Counter, Crash, Lab, VirtualEngine


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


async def deploy() -> str:
    """Take its time, and end well whoever stops it meanwhile."""
    counter.calls.append("deploy")
    with trio.CancelScope(shield=True):
        await trio.sleep(1)
    return "deployed"


def kept(lab: Lab) -> list[str]:
    return [event.key for event in lab.events(kind=StepSucceeded)]


async def test_an_effect_that_ends_while_an_error_stops_the_run_is_kept(
    lab: Lab, autojump_clock: object
) -> None:
    counter.calls.clear()
    subjects: list[object] = [object(), "all of it"]

    @workflow
    async def asks(run: Run) -> Any:
        return await run.parallel(run.step("deploy", deploy, effect=True), asking(run))

    async def asking(run: Run) -> Any:
        await run.step("prepare", trio.sleep, 0)
        return await run.approve("go", subject=subjects[0])

    with pytest.raises(NotRecordable):
        await lab.run(asks)

    assert kept(lab) == ["asking/prepare", "deploy"]
    assert [event.reason for event in lab.events(kind=RunReleased)] == ["stopped"]
    subjects.pop(0)
    assert (await lab.resume()).waiting == ("asking/go",)
    assert counter.calls == ["deploy"]


class OvertakenEngine(VirtualEngine):
    """Somebody signals right before what ended is committed."""

    act: Any = staticmethod(lambda: None)
    was_overtaken = False

    async def commit(self, batch: Batch) -> int:
        ends = any(isinstance(event, StepSucceeded) for event in batch.events)
        if ends and not self.was_overtaken:
            self.was_overtaken = True
            head, news = self.log.head(batch.branch), SignalReceived("news")
            self.log.append(batch.branch, [news], expected=head, actor="cli:x", time=batch.time)
            self.act()
        return await super().commit(batch)


async def test_what_ended_is_kept_behind_what_came_in_while_the_run_was_let_go(
    lab: Lab, autojump_clock: object
) -> None:
    counter.calls.clear()

    @workflow
    async def deploys(run: Run) -> Any:
        return await run.step("deploy", deploy, effect=True)

    with trio.move_on_after(0.5):
        await lab.run(deploys, kind=OvertakenEngine)

    names = [type(event).__name__ for event in lab.events()]
    assert names[-3:] == ["SignalReceived", "StepSucceeded", "RunReleased"]
    assert (await lab.resume()).output == "deployed"
    assert counter.calls == ["deploy"]


async def test_what_ended_is_kept_where_the_code_proves_to_have_changed_when_it_is_written(
    lab: Lab, autojump_clock: object
) -> None:
    counter.calls.clear()
    first = ["deploy"]

    @workflow
    async def moody(run: Run) -> Any:
        await run.parallel(
            run.step(first[0], deploy, effect=True), run.step("sum", int, 7, pure=True)
        )

    class Edited(OvertakenEngine):
        def act(self) -> None:
            first[0] = "publish"

    with pytest.raises(WorkflowDiverged):
        await lab.run(moody, kind=Edited)

    assert "deploy" in kept(lab)
    first[0] = "deploy"
    assert (await lab.resume()).status == "succeeded"
    assert counter.calls == ["deploy"]


class Leaky:
    """A plugin that hides secrets and is broken where it meets one."""

    @hookimpl
    def holdfast_redact(self, text: str) -> str:
        if "secret" in text:
            raise OSError("no rules")
        return text


async def test_a_run_is_let_go_also_where_what_ended_cannot_be_written(
    tmp_path: Path, autojump_clock: object
) -> None:
    async def tells() -> str:
        return (await deploy()).replace("deployed", "secret")

    @workflow
    async def tellers(run: Run) -> Any:
        return await run.parallel(run.step("bad", tells), run.step("good", deploy))

    lab = Lab(tmp_path, Leaky())
    with trio.move_on_after(0.5):
        await lab.run(tellers)

    assert kept(lab) == ["good"]
    assert [event.reason for event in lab.events(kind=RunReleased)] == ["interrupted"]
    lab.log.close()
