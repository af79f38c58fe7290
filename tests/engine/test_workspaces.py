"""Workspaces: parallel work in worktrees of its own, brought back by merges, through every kind of travel."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast import Run, StepFailed, step_folder, workflow
from holdfast.config import Config, WorkspaceConfig
from holdfast.eventlog import (
    Edit,
    SignalReceived,
    StepReused,
    StepStarted,
    StepSucceeded,
    WorkspaceDrifted,
)
from holdfast.execution import Outcome
from holdfast.plugins import AgentResult, AgentTask, Emit, Readiness, hookimpl
from holdfast.redact import Redactor
from holdfast.reducer import Conflict, Merged, WorkflowError
from holdfast.replaying import Replayer
from holdfast.travel import Change, plan
from tests.support.gitlab import GitLab, texts
from tests.support.lab import Lab
from tests.support.often import some


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


def ticket(name: str, text: str) -> str:
    """Return a command that writes a file of a ticket's own."""
    return f"echo {text} > {name}.txt"


@workflow
async def tickets(run: Run) -> list[str]:
    """Work on three tickets at once; one and two change the same line."""

    async def one(name: str) -> str:
        async with run.workspace("ws") as ws:
            await run.shell("own", ticket(name, name))
            if name != "three":
                await run.shell("shared", f"echo by {name} > a.txt")
            await run.wait(f"go {name}")
            found = await ws.merge()
            if isinstance(found, Merged):
                return "merged"
            assert [file.path for file in found.files] == ["a.txt"]
            (hunk,) = found.files[0].hunks
            await run.note(f"{hunk.ours!r} against {hunk.theirs!r}")
            settled = await ws.resolve(found, agent="settler")
            return "settled" if isinstance(settled, Merged) else "lost"

    await run.shell("before", "true")
    done = await run.map(one, ["one", "two", "three"])
    await run.shell("after", "ls")
    return list(done)


class Settler:
    """An agent that takes both sides, once it has been asked as often as it likes."""

    def __init__(self, lazy: int = 0) -> None:
        self.asked: list[str] = []
        self.lazy = lazy

    def readiness(self) -> Readiness:
        return Readiness(True, "")

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.asked.append(task.prompt)
        path = Path(task.folder) / "a.txt"
        assert "<<<<<<<" in path.read_text()
        if len(self.asked) > self.lazy:
            lines = path.read_text().splitlines()
            path.write_text("\n".join(line for line in lines if line[:1] not in "<=>|") + "\n")
        return AgentResult(text="done")


async def go_on_with(git: GitLab, *names: str, run: str = "r") -> Outcome:
    for name in names:
        git.append_unheard(SignalReceived(f"go {name}"), run=run)
    return await git.go_on(run)


async def test_parallel_tickets_are_merged_by_turns_and_a_conflict_is_settled_by_an_agent(
    settled: GitLab,
) -> None:
    await settled.go(tickets)
    await go_on_with(settled, "one")
    outcome = await go_on_with(settled, "two", "three")

    assert outcome.output == ["merged", "settled", "merged"], outcome.error
    assert settled.files() == {
        "a.txt": "by one\nby two\n",
        "one.txt": "one\n",
        "two.txt": "two\n",
        "three.txt": "three\n",
    }
    assert settled.repo.git("status", "--porcelain") == ""
    assert not list((settled.repo.root / ".holdfast/worktrees/r").glob("*/a.txt"))


async def test_an_agent_that_leaves_markers_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    settler = Settler(lazy=1)
    git = GitLab(tmp_path, plugin_of(settler))
    with git.log:
        await git.go(tickets)
        await go_on_with(git, "one")
        outcome = await go_on_with(git, "two", "three")

    assert outcome.output == ["merged", "settled", "merged"]
    assert len(settler.asked) == 2
    assert "conflict markers are left" in settler.asked[1]


async def test_an_agent_that_never_settles_it_leaves_the_conflict_to_the_workflow(
    tmp_path: Path,
) -> None:
    git = GitLab(tmp_path, plugin_of(Settler(lazy=9)))
    with git.log:
        await git.go(tickets)
        await go_on_with(git, "one")
        outcome = await go_on_with(git, "two", "three")

    assert outcome.output == ["merged", "lost", "merged"]
    assert git.repo.git("show", "main:a.txt") == "by one"


@workflow
async def asked(run: Run) -> str:
    async with run.workspace("ticket") as ws:
        await run.shell("edit", "echo here > a.txt")
        await run.wait("go")
        found = await ws.merge()
        assert isinstance(found, Conflict)
        return (await ws.ask(found, by=["anna"])).target


async def test_a_person_settles_a_conflict_in_the_worktree_and_approves(git: GitLab) -> None:
    await git.go(asked)
    git.repo.write({"a.txt": "there\n"})
    git.repo.commit()
    git.append_unheard(SignalReceived("go"))
    waiting = await git.go_on()
    worktree = git.repo.root / ".holdfast/worktrees/r/ticket"
    assert waiting.waiting == ("ticket/resolve",)
    assert "<<<<<<<" in (worktree / "a.txt").read_text()

    git.approve()
    again = await git.go_on()
    assert again.waiting == ("ticket/resolve#2",)  # markers were left
    (worktree / "a.txt").write_text("both\n")
    git.approve("ticket/resolve#2")
    outcome = await git.go_on()

    assert outcome.output == "refs/heads/main", outcome.error
    assert git.files() == {"a.txt": "both\n"}


async def test_what_works_in_one_workspace_does_not_disturb_another_or_the_folder(
    settled: GitLab,
) -> None:
    await settled.go(tickets)

    state = settled.state()
    assert settled.files() == {"a.txt": "one\n"}
    trees = {key: space.tree for key, space in state.workspaces.items()}
    assert len({*trees.values(), state.tree}) == 4
    for name in ("one", "two", "three"):
        step = state.steps[f"{name}/ws/own"]
        assert step.workspace == f"{name}/ws"
        assert step.tree == state.steps[f"{name}/ws"].snapshot == state.tree
    assert state.steps["two/ws/shared"].tree == state.steps["two/ws/own"].snapshot


async def test_a_fork_in_the_middle_works_in_worktrees_of_its_own(settled: GitLab) -> None:
    await settled.go(tickets)
    await go_on_with(settled, "one")
    before = {path: texts(path) for path in worktrees(settled, "r")}
    head = settled.repo.head

    made = settled.leave("fork", "one/ws/commit")
    await settled.go_on(made)
    outcome = await go_on_with(settled, "two", "three", run=made)

    assert outcome.output == ["merged", "settled", "merged"], outcome.error
    folder = Path(settled.state(made).folder)
    assert texts(folder)["a.txt"] == "by one\nby two\n"
    assert {path: texts(path) for path in worktrees(settled, "r")} == before
    assert settled.repo.head == head
    assert settled.state("r").status == "waiting"
    assert (await go_on_with(settled, "two", "three")).output == ["merged", "settled", "merged"]


async def test_an_edit_in_one_workspace_leaves_the_work_in_the_others(settled: GitLab) -> None:
    await settled.go(tickets)
    change = [Edit("result", given({"code": 0}), "two/ws/shared")]

    settled.leave("rewind", None, edits=change)
    await settled.go_on()

    base = settled.state().base
    own = [record.event for record in settled.log.records(settled.log.branch_of("r"), base)]
    assert not [event for event in own if isinstance(event, StepStarted)]
    assert [event.key for event in own if isinstance(event, StepReused) and not event.origin] == [
        "two/ws/shared"
    ]
    outcome = await go_on_with(settled, "one", "two", "three")
    assert outcome.output == ["merged", "merged", "merged"], outcome.error
    assert settled.files()["a.txt"] == "by one\n"


async def test_a_rewind_to_before_the_merges_takes_them_back_and_merges_anew(
    settled: GitLab,
) -> None:
    await settled.go(tickets)
    await go_on_with(settled, "one")
    first = await go_on_with(settled, "two", "three")
    files = settled.files()

    settled.leave("rewind", "one/ws/own")
    assert (await settled.go_on()).status == "waiting"
    assert settled.files() == {"a.txt": "one\n"}
    assert settled.repo.git("status", "--porcelain") == ""
    await go_on_with(settled, "one")
    again = await go_on_with(settled, "two", "three")

    assert again.output == first.output == ["merged", "settled", "merged"], again.error
    assert settled.files() == files


async def test_a_merge_is_not_taken_back_once_somebody_has_committed_upon_it(
    settled: GitLab,
) -> None:
    await settled.go(tickets)
    await go_on_with(settled, "one")
    await go_on_with(settled, "two", "three")
    settled.repo.write({"mine.txt": "mine\n"})
    mine = settled.repo.commit()

    settled.leave("rewind", "one/ws/own")
    await settled.go_on(edits="discard")

    assert settled.repo.head == mine


async def test_a_child_works_in_the_workspace_that_it_is_started_in(git: GitLab) -> None:
    @workflow
    async def inner(run: Run) -> str:
        await run.shell("in", "echo inner > inner.txt")
        async with run.workspace("deep") as ws:
            await run.shell("deep", "echo deep > deep.txt")
            await ws.merge()
        return "inner"

    git.workflows[inner.reference] = inner

    @workflow
    async def outer(run: Run) -> str:
        async with run.workspace("ticket") as ws:
            await run.child(inner, {}, name="kid")
            await run.shell("after", "cat inner.txt deep.txt > both.txt")
            return str(type(await ws.merge()).__name__)

    outcome = await git.go(outer)

    assert outcome.output == "Merged", outcome.error
    wanted = {"inner.txt": "inner\n", "deep.txt": "deep\n", "both.txt": "inner\ndeep\n"}
    assert git.files() == wanted | {"a.txt": "one\n"}
    made = git.leave("fork", "ticket/kid")
    assert (await git.go_on(made)).output == "Merged"
    assert texts(Path(git.state(made).folder)) == git.files()


async def test_functions_ask_for_the_folder_that_they_work_in(git: GitLab) -> None:
    def write() -> None:
        (step_folder() / "made.txt").write_text("made\n")

    @workflow
    async def functional(run: Run) -> None:
        async with run.workspace("ticket") as ws:
            await run.step("write", write)
            await ws.merge()

    outcome = await git.go(functional)

    assert outcome.status == "succeeded", outcome.error
    assert git.files() == {"a.txt": "one\n", "made.txt": "made\n"}


async def test_a_worktree_is_made_ready_by_the_setup_command_and_has_ports(git: GitLab) -> None:
    git.repo.write({".worktreeinclude": "side.log\n"})
    git.repo.commit()
    (git.repo.root / "side.log").write_text("brought\n")

    @workflow
    async def ready(run: Run) -> list[str]:
        async with run.workspace("a"):
            first = await run.shell("see", "cat setup.log side.log; echo $HOLDFAST_PORT_BASE")
        async with run.workspace("b"):
            second = await run.shell("see", "echo $HOLDFAST_PORT_BASE")
        return [*first.stdout.split(), *second.stdout.split()]

    git.workflows[ready.reference] = ready
    config = Config(workspace=WorkspaceConfig(setup="echo ready > setup.log"))
    async with git.engine(config=config) as engine:
        engine.create(ready, {}, run="r", folder=str(git.repo.root))
        outcome = await engine.execute("r")

    word, brought, one, other = outcome.output
    assert (word, brought) == ("ready", "brought")
    assert int(one) != int(other)
    assert [event.key for event in git.events(kind=StepStarted)] == [
        "a", "a/setup", "a/see", "b", "b/setup", "b/see"
    ]  # fmt: skip


async def test_the_same_name_again_is_another_workspace(git: GitLab) -> None:
    @workflow
    async def twice(run: Run) -> None:
        for text in ("first", "second"):
            async with run.workspace("ticket") as ws:
                await run.shell("work", f"cat a.txt > was-{text}.txt; echo {text} > a.txt")
                assert isinstance(await ws.merge(squash=True), Merged)

    outcome = await git.go(twice)

    assert outcome.status == "succeeded", outcome.error
    assert list(git.state().workspaces) == ["ticket", "ticket#2"]
    wanted = {"a.txt": "second\n", "was-first.txt": "one\n", "was-second.txt": "first\n"}
    assert git.files() == wanted
    assert worktrees(git, "r") == []


async def test_a_workspace_may_have_the_name_of_the_runs_own_checkout(git: GitLab) -> None:
    @workflow
    async def namesake(run: Run) -> str:
        await run.shell("before", "pwd")
        async with run.workspace("checkout") as ws:
            inside = await run.shell("work", "echo new > new.txt; pwd")
            assert isinstance(await ws.merge(), Merged)
        return inside.stdout

    first = await git.go(namesake)
    fork = git.leave("fork", "checkout")
    second = await git.go_on(fork)

    refs = git.repo.git("for-each-ref", "--format=%(refname)", "refs/holdfast/runs")
    assert [len([ref for ref in refs.split() if f"/{run}/" in ref]) for run in ("r", fork)] == [
        2,
        2,
    ]
    assert first.status == second.status == "succeeded", (first.error, second.error)
    own = git.repo.root / ".holdfast/worktrees" / fork / "checkout"
    assert second.output != f"{own}\n"
    assert texts(own) == {"a.txt": "one\n", "new.txt": "new\n"}


async def test_what_is_not_merged_keeps_its_worktree_and_branch(git: GitLab) -> None:
    @workflow
    async def left(run: Run) -> None:
        async with run.workspace("early") as ws:
            await ws.merge()
            await run.shell("late", "echo late > late.txt")
        async with run.workspace("never"):
            await run.shell("work", "echo work > work.txt")

    await git.go(left)

    assert [path.name for path in worktrees(git, "r")] == ["early", "never"]
    branches = git.repo.git("branch", "--format=%(refname:short)").split()
    assert branches == ["holdfast/r/early", "holdfast/r/never", "main"]


# --- refused -------------------------------------------------------------------------------------


@workflow
async def catching(run: Run, into: str = "") -> str:
    try:
        async with run.workspace("ticket") as ws:
            await run.shell("work", "echo work > a.txt")
            await run.wait("go")
            await ws.merge(into=into)
    except StepFailed as failed:
        return f"{failed.key} {failed.failure.code}: {failed.failure.message}"
    return "merged"


async def refused(git: GitLab, into: str = "") -> str:
    await git.go(catching, {"into": into})
    return str((await go(git)).output)


async def go(git: GitLab) -> Outcome:
    git.append_unheard(SignalReceived("go"))
    return await git.go_on()


async def test_a_dirty_target_is_refused_with_the_reason_and_may_be_retried(git: GitLab) -> None:
    @workflow
    async def failing(run: Run) -> str:
        async with run.workspace("ticket") as ws:
            await run.shell("work", "echo work > a.txt")
            await run.wait("go")
            await ws.merge()
        return "merged"

    await git.go(failing)
    git.repo.write({"a.txt": "dirty\n"})
    outcome = await go(git)
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error.type == "target_dirty"
    assert "uncommitted changes: 'a.txt'" in outcome.error.message

    git.repo.write({"a.txt": "one\n"})
    git.retry()
    assert (await git.go_on()).output == "merged"
    assert git.files() == {"a.txt": "work\n"}


async def test_a_refusal_can_be_caught(git: GitLab) -> None:
    git.repo.git("checkout", "-q", "--detach")

    assert (await refused(git)).startswith("ticket/merge no_target: ")
    assert git.files() == {"a.txt": "one\n"}


async def test_a_missing_branch_is_refused(git: GitLab) -> None:
    assert (await refused(git, "nope")).startswith("ticket/merge target_missing: ")


async def test_a_branch_that_is_named_is_merged_into(git: GitLab) -> None:
    git.repo.git("branch", "release")

    assert await refused(git, "release") == "merged"
    assert git.repo.git("show", "release:a.txt") == "work"
    assert git.files() == {"a.txt": "one\n"}


async def test_a_fork_asks_before_it_merges_into_a_branch_that_is_named(git: GitLab) -> None:
    git.repo.git("branch", "release")
    await refused(git, "release")

    made = git.leave("fork", "ticket/merge")
    waiting = await git.go_on(made)
    assert waiting.waiting == ("ticket/merge",)
    git.approve(run=made)
    assert (await git.go_on(made)).output == "merged"


async def test_an_unknown_base_is_refused(git: GitLab) -> None:
    @workflow
    async def based(run: Run) -> None:
        async with run.workspace("ticket", base="nope"):
            await run.shell("never", "true")

    outcome = await git.go(based)

    assert outcome.error is not None
    assert outcome.error.type == "no_such_commit"


async def test_a_workspace_begins_with_the_base_that_is_named(git: GitLab) -> None:
    first = git.repo.head
    git.repo.write({"a.txt": "two\n"})
    git.repo.commit()

    @workflow
    async def based(run: Run) -> str:
        async with run.workspace("ticket", base=first) as ws:
            return ws.base + (await run.shell("see", "cat a.txt")).stdout

    assert (await git.go(based)).output == first + "one\n"


async def test_without_a_repository_opening_fails_with_clear_words(lab: Lab) -> None:
    outcome = await lab.run(single)

    assert outcome.error is not None
    assert outcome.error.type == "not_a_repository"
    assert "git init" in outcome.error.message


async def test_without_a_commit_opening_fails_with_clear_words(tmp_path: Path) -> None:
    git = GitLab(tmp_path)
    git.repo.git("update-ref", "-d", "refs/heads/main")
    with git.log:
        outcome = await git.go(single)

    assert outcome.error is not None
    assert outcome.error.type == "no_commits"


async def test_a_workspace_that_is_closed_or_not_open_merges_nothing(git: GitLab) -> None:
    @workflow
    async def late(run: Run) -> None:
        async with run.workspace("ticket") as ws:
            await ws.merge()
        await ws.merge()

    with pytest.raises(WorkflowError, match="'ticket' is not open"):
        await git.go(late)


# --- killed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "after"), some(product(range(1, 12), (False, True)), every=7))
async def test_a_crash_anywhere_changes_nothing_but_attempts(
    git: GitLab, at: int, after: bool
) -> None:
    @workflow
    async def two(run: Run) -> int:
        for name in ("one", "two"):
            async with run.workspace(name) as ws:
                await run.shell("work", f"echo {name} >> {name}.txt")
                assert isinstance(await ws.merge(), Merged)
        return 2

    await git.die(two, at=at, after=after)
    state = git.state()
    outcome = await git.go_on() if state.status == "running" else None

    assert outcome is None or outcome.output == 2, outcome
    assert git.files() == {"a.txt": "one\n", "one.txt": "one\n", "two.txt": "two\n"}
    assert git.repo.git("log", "--format=%s").split() == ["two", "one", "base"]
    ends = [event.key for event in git.events(kind=StepSucceeded)]
    assert len(ends) == len(set(ends)) == 10


@workflow
async def two(run: Run) -> str:
    """Work in two workspaces, one after the other, with a wait in the second."""
    for name in ("one", "two"):
        async with run.workspace(name) as ws:
            await run.shell("work", f"echo {name} >> {name}.txt; echo {name} >> a.txt")
            if name == "two":
                await run.wait("go")
            await run.shell("more", f"echo more >> {name}.txt")
            await ws.merge()
    return (await run.shell("after", "cat one.txt two.txt")).stdout


RESULT = "one\nmore\ntwo\nmore\n"


@pytest.mark.parametrize("at", some(range(1, 10), every=5))
async def test_a_crash_anywhere_in_a_rewound_run_changes_nothing(git: GitLab, at: int) -> None:
    await git.go(two)
    assert (await go(git)).output == RESULT
    files = git.files()
    git.leave("rewind", "one/more")

    await git.die_again(at=at, after=at % 2 == 0)
    outcome = await go(git) if git.state().status != "succeeded" else None

    assert outcome is None or outcome.output == RESULT, outcome
    assert git.files() == files == {"a.txt": "one\none\ntwo\n", **BOTH}
    assert git.repo.git("status", "--porcelain") == ""


BOTH = {"one.txt": "one\nmore\n", "two.txt": "two\nmore\n"}


async def test_a_plan_tells_what_reaches_which_workspace(settled: GitLab) -> None:
    await settled.go(tickets)
    change = Change("rewind", None, [Edit("result", given({"code": 0}), "two/ws/shared")])

    told = plan(settled.log, settled.load, "r", change)

    actions = {item.key: item.action for item in told.items}
    assert actions["two/ws/shared"] == "reused"
    for key in ("one/ws/own", "one/ws/shared", "three/ws/own", "three/ws"):
        assert actions[key] in ("kept", "reused"), told.items
    assert not told.of("dropped")


async def test_a_replay_proves_a_run_with_workspaces_at_every_frame(settled: GitLab) -> None:
    await settled.go(tickets)
    await go_on_with(settled, "one")
    await go_on_with(settled, "two", "three")
    row = settled.log.run("r")
    replayer = Replayer(settled.log, settled.load, Redactor({}))  # type: ignore[arg-type]

    assert all(replayer.prove(row, tickets, at).ok for at in range(1, row.head + 1, 7))


async def test_edited_code_goes_on_in_the_workspace_that_was_open(git: GitLab) -> None:
    @workflow
    async def other(run: Run) -> str:
        """Do the same, but for what comes after the wait."""
        for name in ("one", "two"):
            async with run.workspace(name) as ws:
                await run.shell("work", f"echo {name} >> {name}.txt; echo {name} >> a.txt")
                if name == "two":
                    await run.wait("go")
                await run.shell("more", "true" if name == "two" else f"echo more >> {name}.txt")
                await ws.merge()
        return (await run.shell("after", "cat one.txt two.txt")).stdout

    await git.go(two)
    git.workflows[two.reference] = other
    git.leave("accept", None)

    assert (await go(git)).output == "one\nmore\ntwo\n"


async def test_a_retry_in_a_workspace_begins_with_the_files_that_the_step_found(
    git: GitLab,
) -> None:
    @workflow
    async def fragile(run: Run) -> str:
        async with run.workspace("ticket") as ws:
            await run.shell("good", "echo good > good.txt")
            await run.shell(
                "bad", "ls > ls.log; echo half > half.txt; git add -A; git commit -qm half"
            )
            await run.shell("worse", "rm good.txt; git commit -qam worse; test -e go.log")
            await ws.merge()
        return "done"

    failed = await git.go(fragile)
    (path,) = worktrees(git, "r")
    (path / "go.log").write_text("")
    git.retry()
    outcome = await git.go_on()

    assert (failed.status, outcome.output) == ("failed", "done")
    assert git.files() == {"a.txt": "one\n", "half.txt": "half\n"}


async def test_a_worktree_that_somebody_removed_is_made_again_with_its_files(git: GitLab) -> None:
    await git.go(catching)
    (path,) = worktrees(git, "r")
    git.repo.git("worktree", "remove", "--force", str(path))

    assert (await go(git)).output == "merged"
    assert git.files() == {"a.txt": "work\n"}


async def test_what_a_person_edits_in_a_worktree_meanwhile_is_recorded_and_respected(
    git: GitLab,
) -> None:
    await git.go(catching)
    (path,) = worktrees(git, "r")
    (path / "a.txt").write_text("by hand\n")

    assert (await go(git)).output == "merged"
    assert git.files() == {"a.txt": "by hand\n"}
    (drifted,) = git.events(kind=WorkspaceDrifted)
    assert drifted.workspace == "ticket"


def worktrees(git: GitLab, run: str) -> list[Path]:
    folder = git.repo.root / ".holdfast/worktrees" / run
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if (path / ".git").exists()]


def given(value: dict[str, Any]) -> msgspec.Raw:
    full = {"stdout": "", "stderr": "", "seconds": 0.0, **value}
    return msgspec.Raw(msgspec.msgpack.encode(full))


def plugin_of(settler: Settler) -> object:
    class Plugin:
        @hookimpl
        def holdfast_agents(self) -> dict[str, Any]:
            return {"settler": settler}

    return Plugin()


@pytest.fixture
def settled(tmp_path: Path) -> Iterator[GitLab]:
    """A lab with an agent that settles conflicts."""
    made = GitLab(tmp_path, plugin_of(Settler()))
    yield made
    made.log.close()


async def test_a_workspace_is_closed_before_its_run_goes_on_in_a_fresh_history(
    git: GitLab,
) -> None:
    @workflow
    async def onwards(run: Run, n: int = 0) -> str:
        async with run.workspace("side") as ws:
            said = await run.shell("count", f"echo {n} >> n.txt; cat n.txt")
            await ws.merge(message=f"Number {n}")
            if n < 2:
                raise run.continue_as_new(n=n + 1)
        return said.stdout

    outcome = await git.go(onwards)

    assert (outcome.status, outcome.output) == ("succeeded", "0\n1\n2\n"), outcome.error
    old = git.log.branches()[0].branch
    assert [s.kind for s in git.state(f"r@{old}").steps.values()][-1] == "close"


async def test_what_was_not_merged_stays_behind_where_a_run_goes_on_in_a_fresh_history(
    git: GitLab,
) -> None:
    @workflow
    async def onwards(run: Run, n: int = 0) -> str:
        async with run.workspace("side") as ws:
            said = await run.shell("count", f"echo {n} >> n.txt; cat n.txt")
            if n < 2:
                raise run.continue_as_new(n=n + 1)
            await ws.merge()
        return said.stdout

    outcome = await git.go(onwards)

    assert (outcome.status, outcome.output) == ("succeeded", "2\n"), outcome.error
    assert git.files() == {"a.txt": "one\n", "n.txt": "2\n"}
    assert sorted(texts(path)["n.txt"] for path in worktrees(git, "r")) == ["0\n", "1\n"]
