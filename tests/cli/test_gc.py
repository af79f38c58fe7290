"""`workspaces` and `gc` on the command line: what is there, what goes, and why the rest stays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.eventlog import Log, RunForked, RunStarted, verify
from tests.cli.conftest import Cli
from tests.support.repos import Repo

WORKFLOW = """
from holdfast import Run, workflow


@workflow
async def build(run: Run) -> str:
    await run.shell("write", "echo one > a.txt")
    await run.shell("change", "echo two >> a.txt")
    return "built"


@workflow
async def ask(run: Run) -> None:
    await run.shell("write", "echo one > a.txt")
    await run.approve("go on")
    await run.shell("change", "echo two >> a.txt")
"""


@pytest.fixture
def repo(cli: Cli) -> Cli:
    """A run `m` in a git repository, and a fork `f` of it that has ended in its own worktree."""
    (cli.folder / "w.py").write_text(WORKFLOW)
    Repo.make(cli.folder, {".gitignore": "*.log\n"})
    cli("run", "w.py:build", "--id", "m")
    cli("fork", "m", "--at", "change", "--id", "f", "--run")
    return cli


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day later."""
    monkeypatch.setattr("holdfast.workspaces.orphans.GRACE_S", -10)
    monkeypatch.setattr("holdfast.cleaning.GRACE_S", -10)


def worktree(cli: Cli, run: str) -> Path:
    return cli.folder / ".holdfast/worktrees" / run / "checkout"


def swept(told: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    return {item["run"]: (item["removed"], item["reason"]) for item in told["worktrees"]}


def refs(cli: Cli) -> list[str]:
    names = Repo(cli.folder).git("for-each-ref", "--format=%(refname)", "refs/holdfast/runs")
    return [name.split("/")[3] for name in names.splitlines()]


# --- workspaces ------------------------------------------------------------------------------------


def test_worktrees_are_listed_with_what_is_only_there_and_how_to_go_on(repo: Cli) -> None:
    told = repo("workspaces")

    heading, line = told.out.splitlines()
    assert heading.split()[:4] == ["RUN", "NAME", "RUN", "IS"]
    assert line.split()[:3] == ["f", "checkout", "succeeded"]
    assert "1 uncommitted file" in line
    assert line.endswith(str(worktree(repo, "f")))
    assert f"merge by hand:  git -C {worktree(repo, 'f')} add -A && " in told.err
    assert "&& git merge holdfast/f/checkout" in told.err
    assert f"remove by hand: git worktree remove --force {worktree(repo, 'f')}" in told.err
    assert "gc --dry-run" in told.err


def test_the_hints_do_what_they_say(repo: Cli, tmp_path: Path) -> None:
    git = Repo(repo.folder)
    git.commit("w.py and a.txt")
    hints = repo("workspaces").err.splitlines()
    merge, remove = (line.partition(":")[2].replace("MESSAGE", "work") for line in hints[:2])
    (repo.folder / "a.txt").unlink()
    git.git("reset", "-q", "--hard", "HEAD~1")

    for command in (merge, remove):
        subprocess.run(command, shell=True, check=True, cwd=repo.folder, capture_output=True)

    assert (repo.folder / "a.txt").read_text() == "one\ntwo\n"
    assert repo.json("workspaces") == []


def test_worktrees_as_data(repo: Cli) -> None:
    (found,) = repo.json("workspaces")

    assert {name: found[name] for name in ("run", "name", "run_status", "run_ended")} == {
        "run": "f", "name": "checkout", "run_status": "succeeded", "run_ended": True
    }  # fmt: skip
    assert (found["merged"], found["unmerged_commits"]) == (False, 0)
    assert (found["uncommitted"], found["missing"]) == (["a.txt"], False)
    assert found["folder"] == str(worktree(repo, "f"))
    assert found["size_bytes"] > 0
    assert found["port_base"] > 0


def test_without_worktrees_or_git_that_is_said(cli: Cli) -> None:
    cli("run", "w.py:fail", "--id", "x", status=1)

    assert "has made no worktree" in cli("workspaces").err
    assert cli.json("workspaces") == []
    assert cli.json("gc")["worktrees"] == []


# --- gc: worktrees ---------------------------------------------------------------------------------


def test_work_that_is_nowhere_else_stays_and_goes_once_it_is_merged(repo: Cli) -> None:
    assert swept(repo.json("gc", "--dry-run")) == {"f": (False, "1 uncommitted file not merged")}
    Repo(worktree(repo, "f")).commit("work")
    assert swept(repo.json("gc")) == {"f": (False, "1 commit not merged")}
    (repo.folder / "a.txt").unlink()
    Repo(repo.folder).git("merge", "-q", "holdfast/f/checkout")

    dry = repo("gc", "--dry-run")
    assert worktree(repo, "f").exists()
    told = repo("gc")

    assert [line.split()[:4] for line in dry.out.splitlines()[1:2]] == [
        ["would", "go", "worktree", "f/checkout"]
    ]
    assert told.out.splitlines()[1].split()[:3] == ["removed", "worktree", "f/checkout"]
    assert not worktree(repo, "f").exists()
    assert repo.json("workspaces") == []


def test_unmerged_work_goes_when_asked_and_can_be_read_and_run_on_afterwards(repo: Cli) -> None:
    assert swept(repo.json("gc", "--unmerged")) == {"f": (True, "kept in the run's snapshots")}

    assert repo("files", "f", "a.txt").out == "one\ntwo\n"
    repo("rewind", "f", "--to", "change", "--run")
    assert (worktree(repo, "f") / "a.txt").read_text() == "one\ntwo\n"


def test_worktrees_of_runs_that_have_not_ended_stay(repo: Cli) -> None:
    repo("run", "w.py:ask", "--id", "a", status=3)
    repo("fork", "a", "--at", "write", "--id", "w", "--run", status=3)
    repo("fork", "m", "--at", "change", "--id", "i", "--run")
    with Log.open(repo.folder / ".holdfast/log") as log:  # as if its process had been killed
        forked = RunForked("i", "rewind", "i", log.branch_of("i"), 1, 2)
        parent = log.branch_of("i")
        log.create_run("i", [forked], actor="t", time=1, parent=parent, offset=1, replaces=True)

    found = swept(repo.json("gc", "--unmerged"))

    assert found["w"] == (False, "its run is waiting")
    assert found["i"] == (False, "its run is interrupted")
    assert found["f"][0]


def test_a_worktree_that_another_run_works_in_stays(repo: Cli) -> None:
    started = RunStarted("guest", "w.py:build", folder=str(worktree(repo, "f") / "deep"))
    with Log.open(repo.folder / ".holdfast/log") as log:
        log.create_run("guest", [started], actor="t", time=1)

    assert swept(repo.json("gc", "--unmerged"))["f"] == (False, "run 'guest' works in it")


def test_a_worktree_of_no_run_goes_after_a_day_and_another_projects_never(
    repo: Cli, late: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("home") / "store"
    repo("--home", str(other), "run", "w.py:build", "--id", "x")
    with Log.open(other / "log") as log:
        assert log.run("x").status == "succeeded"

    assert swept(repo.json("--home", str(other), "gc", "--unmerged")) == {
        "f": (False, "it is not below this project's folder")
    }
    shutil.rmtree(repo.folder / ".holdfast/log")
    repo("run", "w.py:build", "--id", "new")
    assert swept(repo.json("gc", "--unmerged"))["f"][0]


# --- gc: snapshots ---------------------------------------------------------------------------------


def test_snapshots_of_no_run_go_after_a_day(repo: Cli, late: None) -> None:
    repo("rewind", "m", "--to", "change", "--run")
    assert repo.json("gc")["snapshots"] == [], "what m@1 names is still there"
    shutil.rmtree(repo.folder / ".holdfast/log")
    repo("run", "w.py:build", "--id", "new")

    dry = repo.json("gc", "--dry-run")
    assert sorted(refs(repo)) == ["f", "m", "new"]
    told = repo.json("gc")

    assert [item["removed"] for item in told["snapshots"]] == [True, True]
    assert dry["snapshot_bytes"] == told["snapshot_bytes"] > 0
    assert refs(repo) == ["new"]


def test_young_snapshots_stay_although_no_log_has_their_run(repo: Cli) -> None:
    shutil.rmtree(repo.folder / ".holdfast/log")
    repo("run", "w.py:build", "--id", "new")

    told = repo.json("gc")["snapshots"]

    assert {item["reason"] for item in told} == {"no log has its run, but less than a day old"}
    assert sorted(refs(repo)) == ["f", "m", "new"]


def test_snapshots_of_another_project_in_the_same_repository_stay(
    repo: Cli, late: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("home") / "store"
    repo("--home", str(other), "run", "w.py:build", "--id", "theirs")

    assert repo.json("gc")["snapshots"] == []
    assert repo.json("--home", str(other), "gc")["snapshots"] == []
    (other / "log/data.mdb").write_bytes(b"hurt")
    (doubtful,) = repo.json("gc")["snapshots"]
    assert "cannot be asked" in doubtful["reason"]
    shutil.rmtree(other.parent)
    (away,) = repo.json("gc")["snapshots"]
    assert "is not here to be asked" in away["reason"]
    assert sorted(refs(repo)) == ["f", "m", "theirs"]
    other.parent.mkdir()  # it was deleted, and the place is there
    assert [item["removed"] for item in repo.json("gc")["snapshots"]] == [True]


# --- gc: the log -----------------------------------------------------------------------------------


def test_the_log_is_compacted_and_every_record_is_where_it_was(repo: Cli) -> None:
    path = repo.folder / ".holdfast/log"
    before, size = repo.lines("log", "m"), os.path.getsize(path / "data.mdb")
    with Log.open(path) as log:
        log.save_snapshot(1, 3, b"state" * 1000)
        root = log.root().hex()

    dry = repo.json("gc", "--dry-run")["log"]
    assert os.path.getsize(path / "data.mdb") == size
    told = repo.json("gc")["log"]

    assert (dry["compacted"], dry["worthwhile"], dry["states"]) == (False, True, 1)
    assert (told["compacted"], told["root"], told["bytes_before"]) == (True, root, size)
    assert os.path.getsize(path / "data.mdb") == told["bytes_after"] < size
    assert repo.lines("log", "m") == before
    with Log.open(path) as log:
        assert verify(log).ok
    assert "nothing to gain" in repo("gc").out


def test_what_is_said_of_the_log_names_sizes_and_root(repo: Cli) -> None:
    with Log.open(repo.folder / ".holdfast/log") as log:
        log.save_snapshot(1, 3, b"state" * 1000)
        root = log.root().hex()[:16]

    dry, told = repo("gc", "--dry-run").out, repo("gc").out

    assert "would be compacted  log" in dry
    assert "a cache" in dry
    assert f"records as they were, root {root}" in told
    assert " -> " in told


def test_a_log_in_use_is_not_compacted_and_all_else_is_done(repo: Cli) -> None:
    path = repo.folder / ".holdfast/log"
    code = (
        "import sys; from holdfast.eventlog import Log; log = Log.open(sys.argv[1]);"
        "print('open', flush=True); sys.stdin.readline(); log.close()"
    )
    with Log.open(path) as log:
        log.save_snapshot(1, 3, b"state" * 1000)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        told = repo("gc", "--unmerged", status=1)
        as_data = repo.json("gc", status=1)
        process.communicate("\n")

    assert told.out.splitlines()[1].split()[:3] == ["removed", "worktree", "f/checkout"]
    assert f"error[log_in_use]: the log in {str(path)!r} cannot be compacted" in told.err
    assert f"(process {process.pid})" in told.err
    assert as_data["log"]["error"]["code"] == "log_in_use"
    assert not worktree(repo, "f").exists()


def test_without_a_project_gc_says_so(cli: Cli) -> None:
    shutil.rmtree(cli.folder / ".holdfast")

    assert "there is no Holdfast project" in cli("gc", status=2).err
    assert "there is no Holdfast project" in cli("workspaces", status=2).err
