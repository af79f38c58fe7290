"""Files travel with the run: recorded after steps, brought back where it goes another way."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast import Run, workflow
from holdfast.errors import FilesEdited
from holdfast.eventlog import (
    AttemptFailed,
    Edit,
    RestoreStarted,
    SnapshotMissed,
    StepFailed,
    StepReused,
    StepStarted,
    StepSucceeded,
    WorkspaceDrifted,
    WorkspaceRestored,
    WorkspaceSeen,
)
from holdfast.travel import fork
from tests.support.gitlab import GitLab, texts
from tests.support.lab import Lab


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitLab]:
    """A lab in a repository with one file, a.txt."""
    made = GitLab(tmp_path)
    yield made
    made.log.close()


@workflow
async def three(run: Run) -> str:
    """Change, add and delete files."""
    await run.shell("first", "echo first > new.txt")
    await run.shell(
        "second", "ls > seen.log; rm a.txt; echo second >> new.txt; mkdir -p d; echo deep > d/x.txt"
    )
    await run.shell("third", "cat new.txt > third.txt")
    return "done"


AFTER_FIRST = {"a.txt": "one\n", "new.txt": "first\n"}
AFTER_ALL = {"new.txt": "first\nsecond\n", "d/x.txt": "deep\n", "third.txt": "first\nsecond\n"}


# --- recorded ------------------------------------------------------------------------------------


async def test_the_files_are_recorded_before_the_first_step_and_after_each(git: GitLab) -> None:
    await git.go(three)

    (seen,) = git.events(kind=WorkspaceSeen)
    trees = [event.snapshot.hex() for event in git.events(kind=StepSucceeded)]
    assert seen.tree.hex() == git.repo.git("rev-parse", "HEAD^{tree}")
    assert seen.head.hex() == git.repo.head
    assert git.repo.git("show", f"{trees[0]}:new.txt") == "first"
    assert git.repo.git("ls-tree", "-r", "--name-only", trees[1]).split() == [
        ".gitignore",
        "d/x.txt",
        "new.txt",
    ]
    assert git.state().tree.hex() == trees[2]
    kinds = [type(e) for e in git.events()]
    assert kinds.index(WorkspaceSeen) + 1 == kinds.index(StepStarted)


async def test_what_the_user_has_in_git_is_left_alone(git: GitLab) -> None:
    git.repo.write({"a.txt": "staged\n"})
    git.repo.git("add", "a.txt")
    git.repo.git("stash", "push", "-q")
    git.repo.write({"a.txt": "staged again\n"})
    git.repo.git("add", "a.txt")
    before = git.repo.seen()

    @workflow
    async def one(run: Run) -> None:
        await run.shell("look", "true")

    await git.go(one)

    assert git.repo.seen() == before


async def test_a_failed_attempt_and_a_failed_step_have_their_snapshots(git: GitLab) -> None:
    @workflow
    async def bad(run: Run) -> None:
        await run.shell("try", "echo x >> tried.txt; false", retries=1, backoff="1ms")

    outcome = await git.go(bad)

    assert outcome.status == "failed"
    (attempt,), (failed,) = git.events(kind=AttemptFailed), git.events(kind=StepFailed)
    for event in (attempt, failed):
        assert git.repo.git("show", f"{event.snapshot.hex()}:tried.txt") == "x"


async def test_functions_take_no_snapshot_and_what_they_did_is_seen_by_the_next_step(
    git: GitLab,
) -> None:
    def write() -> None:
        (git.repo.root / "made.txt").write_text("made")

    @workflow
    async def mixed(run: Run) -> None:
        await run.shell("first", "true")
        await run.step("write", write)
        await run.shell("second", "true")

    await git.go(mixed)

    ends = git.events(kind=StepSucceeded)
    assert [bool(end.snapshot) for end in ends] == [True, False, True]
    trees = [seen.tree.hex() for seen in git.events(kind=WorkspaceSeen)]
    assert len(trees) == 2
    assert git.repo.git("show", f"{trees[1]}:made.txt") == "made"


async def test_outside_of_a_repository_all_is_as_it_was(lab: Lab) -> None:
    outcome = await lab.run(three_without_files)

    assert outcome.status == "succeeded"
    assert not any(event.snapshot for event in lab.events(kind=StepSucceeded))
    told = (WorkspaceSeen, WorkspaceDrifted, SnapshotMissed, RestoreStarted)
    assert not any(isinstance(event, told) for event in lab.events())


@workflow
async def three_without_files(run: Run) -> None:
    for name in "abc":
        await run.shell(name, "true")


async def test_a_snapshot_that_cannot_be_taken_does_not_fail_the_step(git: GitLab) -> None:
    @workflow
    async def hidden(run: Run) -> str:
        await run.shell("break", "rm -rf .git/objects && echo > .git/objects")
        return "done"

    outcome = await git.go(hidden)

    assert outcome.output == "done"
    (missed,) = git.events(kind=SnapshotMissed)
    assert missed.key == "break"
    assert missed.error.message
    assert not git.events(kind=StepSucceeded)[0].snapshot


# --- brought back --------------------------------------------------------------------------------


async def test_a_rewind_brings_files_back_deleted_and_untracked_ones_too(git: GitLab) -> None:
    await git.go(three)
    assert git.files() == AFTER_ALL
    (git.repo.root / "kept.log").write_text("ignored")
    before = git.repo.seen()
    git.leave("rewind", "second")

    outcome = await git.go_on()

    assert outcome.status == "succeeded"
    assert (git.repo.root / "seen.log").read_text().split() == [
        "a.txt",
        "kept.log",
        "new.txt",
        "seen.log",
    ]
    assert git.files() == AFTER_ALL
    (began,), (restored,) = git.events(kind=RestoreStarted), git.events(kind=WorkspaceRestored)
    assert began.reason == "left"
    assert restored.tree == began.tree
    assert git.repo.git("show", f"{began.commit.hex()}:third.txt") == "first\nsecond"
    assert git.repo.seen() == before


async def test_a_rewind_to_before_the_first_step_brings_back_what_the_run_found(
    git: GitLab,
) -> None:
    @workflow
    async def count(run: Run) -> str:
        return (await run.shell("count", "ls; echo x > $(ls | wc -l)")).stdout

    first = await git.go(count)
    git.leave("rewind", 1)

    again = await git.go_on()

    assert again.output == first.output == "a.txt\n"


async def test_edits_that_would_be_overwritten_stop_a_rewind(git: GitLab) -> None:
    await git.go(three)
    git.repo.write({"mine.txt": "by hand\n"})
    git.leave("rewind", "second")

    with pytest.raises(FilesEdited, match=r"'mine.txt'.*--keep-edits.*--discard-edits") as raised:
        await git.go_on()

    assert raised.value.paths == ["mine.txt"]
    assert git.files() == AFTER_ALL | {"mine.txt": "by hand\n"}
    assert git.state().error is not None


async def test_edits_may_be_discarded_and_stay_in_a_snapshot(git: GitLab) -> None:
    await git.go(three)
    git.repo.write({"mine.txt": "by hand\n"})
    git.leave("rewind", "second")

    await git.go_on(edits="discard")

    assert git.files() == AFTER_ALL
    (began,) = git.events(kind=RestoreStarted)
    assert git.repo.git("show", f"{began.commit.hex()}:mine.txt") == "by hand"


async def test_a_rewound_run_may_go_on_with_the_files_as_they_are(git: GitLab) -> None:
    await git.go(three)
    git.repo.write({"mine.txt": "by hand\n", "a.txt": "again\n"})
    git.leave("rewind", "third")

    await git.go_on(edits="keep")

    assert git.files() == AFTER_ALL | {"mine.txt": "by hand\n", "a.txt": "again\n"}
    assert len(git.events(kind=WorkspaceDrifted)) == 1
    assert not git.events(kind=RestoreStarted)


async def test_a_fork_works_in_a_worktree_of_its_own(git: GitLab) -> None:
    await git.go(three)
    before = git.repo.seen()
    run = git.leave("fork", "third")

    outcome = await git.go_on(run)

    assert outcome.status == "succeeded"
    folder = Path(git.state(run).folder)
    assert folder.is_relative_to(git.repo.root / ".holdfast" / "worktrees")
    assert texts(folder) == AFTER_ALL
    assert git.files() == AFTER_ALL
    assert git.repo.seen() == before
    assert git.state("r").folder == str(git.repo.root)


async def test_a_fork_begins_with_the_files_of_its_frame(git: GitLab) -> None:
    await git.go(three)
    made = git.leave("fork", "second", edits=[Edit("result", given({"code": 0}), "second")])

    await git.go_on(made)

    assert texts(Path(git.state(made).folder)) == AFTER_FIRST | {"third.txt": "first\n"}
    assert git.files() == AFTER_ALL


SEEN = "git rev-parse HEAD; git status --porcelain; git diff HEAD"


@workflow
async def looked_at(run: Run) -> str:
    """Change files, some of which git knows, and look at what differs from the last commit."""
    await run.shell("change", "echo two >> a.txt; echo new > new.txt")
    return (await run.shell("see", SEEN)).stdout


async def test_a_fork_sees_the_changes_since_the_last_commit_that_the_original_saw(
    git: GitLab,
) -> None:
    seen = (await git.go(looked_at)).output
    assert "+two" in seen
    assert "?? new.txt" in seen

    outcome = await git.go_on(git.leave("fork", "see"))

    assert outcome.output == seen


async def test_a_fork_of_a_repository_without_commits_begins_with_its_files(git: GitLab) -> None:
    git.repo.git("update-ref", "-d", "HEAD")
    await git.go(three)

    made = git.leave("fork", "third")

    assert (await git.go_on(made)).status == "succeeded"
    assert texts(Path(git.state(made).folder)) == AFTER_ALL


async def test_a_fork_whose_worktree_is_gone_goes_on_where_it_was(git: GitLab) -> None:
    await git.go(three)
    made = git.leave("fork", "second")
    await git.go_on(made)
    shutil.rmtree(git.state(made).folder)
    git.leave("rewind", "third", made)

    assert (await git.go_on(made)).status == "succeeded"
    assert texts(Path(git.state(made).folder)) == AFTER_ALL


def given(value: Any) -> msgspec.Raw:
    full = {"stdout": "", "stderr": "", "seconds": 0.0, **value}
    return msgspec.Raw(msgspec.msgpack.encode(full))


async def test_a_fork_of_a_fork_and_its_rewind_stay_in_their_worktrees(git: GitLab) -> None:
    await git.go(three)
    one = git.leave("fork", "third")
    await git.go_on(one)
    two = git.leave("fork", "second", one)
    await git.go_on(two)
    git.leave("rewind", "second", two)

    outcome = await git.go_on(two)

    assert outcome.status == "succeeded"
    folders = {git.state(run).folder for run in ("r", one, two)}
    assert len(folders) == 3
    assert all(texts(Path(folder)) == AFTER_ALL for folder in folders)
    assert [event.reason for event in git.events(two, kind=RestoreStarted)] == ["left"]


async def test_a_run_that_is_rewound_twice_knows_what_its_first_history_left(git: GitLab) -> None:
    await git.go(three)
    git.leave("rewind", "third")
    git.leave("rewind", "second")

    await git.go_on()

    assert git.files() == AFTER_ALL
    assert [event.reason for event in git.events(kind=RestoreStarted)] == ["left"]


async def test_a_run_takes_back_the_files_of_its_old_branch(git: GitLab) -> None:
    await git.go(three)
    old = git.log.branch_of("r")
    git.leave("rewind", "second", edits=[Edit("result", given({"code": 0}), "second")])
    await git.go_on()
    assert git.files() == AFTER_FIRST | {"third.txt": "first\n"}

    git.leave("rewind", "third", f"r@{old}")
    outcome = await git.go_on()

    assert outcome.status == "succeeded"
    assert git.files() == AFTER_ALL


async def test_a_child_run_works_in_the_worktree_of_the_fork_that_it_belongs_to(
    git: GitLab,
) -> None:
    @workflow
    async def inner(run: Run) -> str:
        return (await run.shell("in", "echo inner >> inner.txt; pwd")).stdout.strip()

    git.workflows[inner.reference] = inner

    @workflow
    async def outer(run: Run) -> str:
        await run.shell("before", "echo before > before.txt")
        where = await run.child(inner, {}, name="kid")
        await run.shell("after", "cat inner.txt > after.txt")
        return str(where)

    await git.go(outer)
    made = git.leave("fork", "kid")

    outcome = await git.go_on(made)

    folder = git.state(made).folder
    assert outcome.output == folder != str(git.repo.root)
    wanted = {"before.txt": "before\n", "inner.txt": "inner\n", "after.txt": "inner\n"}
    assert texts(Path(folder)) == git.files() == wanted | {"a.txt": "one\n"}


# --- edited by hand --------------------------------------------------------------------------------


@workflow
async def gated(run: Run) -> str:
    await run.shell("first", "echo first > new.txt")
    await run.approve("go")
    return (await run.shell("second", "cat new.txt")).stdout


async def test_edits_between_two_executions_are_recorded_and_respected(git: GitLab) -> None:
    await git.go(gated)
    git.repo.write({"new.txt": "by hand\n"})
    git.approve()

    outcome = await git.go_on()

    assert outcome.output == "by hand\n"
    (drifted,) = git.events(kind=WorkspaceDrifted)
    assert drifted.expected == git.events(kind=StepSucceeded)[0].snapshot
    assert git.state().steps["second"].tree == drifted.found


async def test_without_edits_nothing_is_recorded_between_two_executions(git: GitLab) -> None:
    await git.go(gated)
    git.approve()

    await git.go_on()

    assert not git.events(kind=WorkspaceDrifted)
    assert len(git.events(kind=WorkspaceSeen)) == 1


async def test_a_retry_goes_on_with_the_fix_that_somebody_made_in_the_files(git: GitLab) -> None:
    @workflow
    async def fragile(run: Run) -> str:
        return (await run.shell("use", "echo half > half.txt; cat fixed.txt")).stdout

    await git.go(fragile)
    git.repo.write({"fixed.txt": "fine\n"})
    git.retry()

    outcome = await git.go_on()

    assert outcome.output == "fine\n"
    assert len(git.events(kind=WorkspaceDrifted)) == 1


async def test_a_retry_without_edits_begins_with_the_files_that_the_step_found(
    git: GitLab,
) -> None:
    @workflow
    async def fragile(run: Run) -> str:
        return (await run.shell("use", "ls; echo half > half.txt; cat kept.log")).stdout

    await git.go(fragile)
    (git.repo.root / "kept.log").write_text("ignored, so it is no edit\n")
    git.retry()

    outcome = await git.go_on()

    assert outcome.output == "a.txt\nkept.log\nignored, so it is no edit\n"


# --- tried again -----------------------------------------------------------------------------------


async def test_another_attempt_begins_with_the_files_of_the_first(git: GitLab) -> None:
    (git.repo.root / "count.log").write_text("")

    @workflow
    async def twice(run: Run) -> None:
        command = "ls >> count.log; echo half >> half.txt; test $(grep -c a.txt count.log) = 2"
        await run.shell("try", command, retries=1, backoff="1ms")

    outcome = await git.go(twice)

    assert outcome.status == "succeeded"
    assert (git.repo.root / "half.txt").read_text() == "half\n"
    assert (git.repo.root / "count.log").read_text() == "a.txt\ncount.log\na.txt\ncount.log\n"
    assert [event.reason for event in git.events(kind=RestoreStarted)] == ["retried"]


async def test_work_that_a_sibling_finished_meanwhile_is_never_undone(git: GitLab) -> None:
    (git.repo.root / "ready.log").write_text("")

    @workflow
    async def both(run: Run) -> None:
        again = "test -s done.txt || { sleep 0.3; test -s done.txt; exit 1; }"
        await run.parallel(
            run.shell("try", again, retries=1, backoff="1ms"),
            run.shell("other", "echo work > done.txt"),
        )

    outcome = await git.go(both)

    assert outcome.status == "succeeded"
    assert git.files()["done.txt"] == "work\n"
    assert not git.events(kind=RestoreStarted)


# --- the process dies ------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 6))
async def test_a_crash_anywhere_leaves_the_files_that_an_undisturbed_run_leaves(
    git: GitLab, at: int, after: bool
) -> None:
    @workflow
    async def appending(run: Run) -> str:
        for name in "abc":
            await run.shell(name, f"echo {name} >> all.txt")
        return "done"

    crashed = await git.die(appending, at=at, after=after)
    if git.log.run("r").status != "succeeded":
        assert crashed
        await git.go_on()

    assert git.files()["all.txt"] == "a\nb\nc\n"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 6))
async def test_a_crash_while_files_are_brought_back_is_made_good(
    git: GitLab, at: int, after: bool
) -> None:
    await git.go(three)
    git.leave("rewind", "second")

    await git.die_again(at=at, after=after)
    if git.log.run("r").status != "succeeded":
        # As if the files had been half brought back
        if not git.events(kind=WorkspaceRestored) and git.events(kind=RestoreStarted):
            (git.repo.root / "third.txt").unlink(missing_ok=True)
        await git.go_on()

    assert git.files() == AFTER_ALL


# --- taken over ------------------------------------------------------------------------------------


@workflow
async def piped(run: Run, word: str) -> str:
    await run.shell("make", f"echo {word} | head -c 1 > made.txt")
    return (await run.shell("use", "cat made.txt")).stdout


def other_input(git: GitLab, word: str) -> str:
    change = __import__("holdfast.travel", fromlist=["Change"]).Change(
        "fork", 1, input={"word": word}
    )

    return fork(git.log, git.load, "r", change, actor="cli:anna")[0]


@pytest.mark.parametrize(("word", "reused"), [("alpha", ["use"]), ("beta", [])])
async def test_a_step_runs_again_only_where_the_files_came_out_otherwise(
    git: GitLab, word: str, reused: list[str]
) -> None:
    await git.go(piped, {"word": "all"})

    made = other_input(git, word)
    outcome = await git.go_on(made)

    assert outcome.output == word[0]
    assert [event.key for event in git.events(made, kind=StepReused)] == reused


async def test_an_unchanged_fork_takes_everything_over(git: GitLab) -> None:
    await git.go(piped, {"word": "all"})

    made = other_input(git, "all")
    outcome = await git.go_on(made)

    assert outcome.status == "succeeded"
    assert [event.key for event in git.events(made, kind=StepReused)] == ["make", "use"]


async def test_a_fork_goes_on_with_the_files_of_what_it_took_over(git: GitLab) -> None:
    await git.go(three)
    made = git.leave("fork", None, edits=[Edit("result", given({"code": 0}), "third")])

    await git.go_on(made)

    assert git.state(made).steps["third"].reused
