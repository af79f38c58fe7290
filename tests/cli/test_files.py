"""The files of runs on the command line: what a step changed, the files of any frame, bisecting them."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.repos import Repo

WORKFLOW = '''
from holdfast import Run, workflow


@workflow
async def build(run: Run) -> str:
    """Write, change and break some files."""
    await run.shell("write", "printf 'one\\\\ntwo\\\\n' > a.txt; printf '\\\\0' > blob.bin")
    await run.shell("change", "printf 'three\\\\n' >> a.txt; mkdir d; echo deep > d/x.txt")
    await run.shell("break", "rm d/x.txt")
    await run.shell("rest", "true")
    return "built"
'''


@pytest.fixture
def repo(cli: Cli) -> Cli:
    """A run `m` in a git repository."""
    (cli.folder / "w.py").write_text(WORKFLOW)
    Repo.make(cli.folder, {".gitignore": "*.log\n"})
    cli("run", "w.py", "--id", "m")
    return cli


def test_changes_of_a_step_are_counted_by_file(repo: Cli) -> None:
    told = [line.split() for line in repo("changes", "m", "change").out.splitlines()]

    assert told == [
        ["how", "lines", "file"],
        ["changed", "+1", "-0", "a.txt"],
        ["added", "+1", "-0", "d/x.txt"],
    ]
    assert ["added", "binary", "blob.bin"] in [
        line.split() for line in repo("changes", "m", "write").out.splitlines()
    ]
    nothing = repo("changes", "m", "rest")
    assert (nothing.out, nothing.err) == ("", "step 'rest' changed no file\n")


def test_changes_as_a_patch_and_as_data(repo: Cli) -> None:
    patch = repo("changes", "m", "change", "--patch").out
    data = repo.json("changes", "m", "change")

    assert "+three\n" in patch
    assert data["patch"] == patch
    assert [file["path"] for file in data["files"]] == ["a.txt", "d/x.txt"]
    assert data["files"][0] == {
        "path": "a.txt", "how": "changed", "was": None, "lines_added": 1, "lines_deleted": 0
    }  # fmt: skip
    assert data["after"] == repo.json("show", "m")["steps"][1]["snapshot"]


def test_diff_of_a_run_and_a_step_is_what_the_step_changed(repo: Cli) -> None:
    repo("fork", "m", "--at", "change", "--id", "break")

    assert repo("diff", "m", "change") == repo("changes", "m", "change")
    assert repo("diff", "m", "change", "--patch") == repo("changes", "m", "change", "--patch")
    assert repo.json("diff", "m", "change") == repo.json("changes", "m", "change")
    assert repo("diff", "m", "rest").err == "step 'rest' changed no file\n"
    assert "common  the first" in repo("diff", "m", "break", status=1).out, "a run comes first"


WITH_WORKSPACE = '''
from holdfast import Run, workflow


@workflow
async def apart(run: Run) -> None:
    """Work in a workspace, and leave it unmerged."""
    async with run.workspace("ticket"):
        await run.shell("work", "echo apart > b.txt")
'''


def test_the_files_of_a_workspace_are_its_own(repo: Cli) -> None:
    (repo.folder / "apart.py").write_text(WITH_WORKSPACE)
    repo("run", "apart.py", "--id", "p")

    shown = repo.json("show", "p")
    assert [space["key"] for space in shown["workspaces"]] == ["ticket"]
    assert shown["steps"][1]["workspace"] == "ticket"
    assert repo("files", "p", "--workspace", "ticket").out.split() == [
        ".gitignore", "b.txt", "w.py"
    ]  # fmt: skip
    assert "b.txt" not in repo("files", "p").out
    assert repo("changes", "p", "ticket/work").out.split()[-1] == "b.txt"
    unknown = repo("files", "p", "--workspace", "tickt", status=2)
    assert "no workspace 'tickt'. Did you mean: 'ticket'?" in unknown.err


def test_the_files_of_a_frame_are_listed_printed_and_extracted(repo: Cli, tmp_path: Path) -> None:
    frame = frame_of(repo, "write")

    assert repo("files", "m").out.split() == [".gitignore", "a.txt", "blob.bin", "w.py"]
    assert repo("files", "m", "--at", str(frame), "a.txt").out == "one\ntwo\n"
    assert repo("files", "m", "a.txt").out == "one\ntwo\nthree\n"
    assert repo("files", "m", "--at", str(frame_of(repo, "change")), "d").out == "d/x.txt\n"
    assert repo("files", "m", "--at", "1").out.split() == [".gitignore", "w.py"]
    assert [f["size_bytes"] for f in repo.json("files", "m", "a.txt")] == [14]
    repo("files", "m", "--at", str(frame), "--extract", "out")
    assert (repo.folder / "out" / "a.txt").read_text() == "one\ntwo\n"


def frame_of(cli: Cli, step: str) -> int:
    """Return the frame that a step's end made."""
    ends = (e for e in cli.lines("log", "m") if e["type"] == "step.succeeded")
    return next(int(e["offset"]) + 1 for e in ends if e["key"] == step)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("changes", "m", "chang"), "Did you mean: 'change'"),
        (("diff", "m", "chang"), "Did you mean: 'change'"),
        (("diff", "m", "nothing-like-it"), "error[no_such_run]"),
        (("diff", "m", "change", "--at-a", "3"), "leave out --at-a and --at-b"),
        (("diff", "m", "m", "--patch"), "--patch is for a step of a run"),
        (("files", "m", "none.txt"), "none.txt"),
        (("files", "m", "--extract", "."), "is there already and not empty"),
        (("files", "m", "a.txt", "--extract", "o"), "leave out PATH"),
        (("files", "m", "--at", "999"), "there is no frame 999"),
        (("bisect", "m", "--cmd", "no-such-program"), "could not be run on the files of frame 1"),
        (("bisect", "m", "--cmd", "true", "--check", "True"), "exclude one another"),
    ],
)
def test_wrong_usage_is_refused(repo: Cli, args: tuple[str, ...], message: str) -> None:
    assert message in repo(*args, status=2).err


def test_without_git_there_are_no_files_and_that_is_said(cli: Cli) -> None:
    cli("run", "w.py:fail", "--id", "f", status=1)

    for command in (("changes", "f", "break"), ("files", "f"), ("bisect", "f", "--cmd", "true")):
        assert "error[no_files]: run 'f' has no record of its files" in cli(*command, status=2).err


def test_bisect_finds_the_frame_at_which_a_command_fails_on_the_files(repo: Cli) -> None:
    first, last = frame_of(repo, "change"), frame_of(repo, "rest")
    ends = ("--from", str(first), "--to", str(last))

    told = repo("bisect", "m", "--cmd", "test -f d/x.txt", *ends).out

    frame = frame_of(repo, "break")
    assert f"frame {frame} is the first at which it fails: test -f d/x.txt" in told
    assert repo.json("bisect", "m", "--cmd", "grep -q three a.txt")["frame"] == first
    same = repo("bisect", "m", "--cmd", "test -f w.py", status=1).out
    assert "it succeeds at frame 1" in same


def test_a_rewind_says_what_it_brings_back_and_where_the_rest_is(repo: Cli) -> None:
    repo("rewind", "m", "--to", "change")

    told = repo("resume", "m").err

    assert "files are brought back to what they were at that frame" in told
    commit = told.partition("stay in commit ")[2].split()[0]
    assert Repo(repo.folder).git("cat-file", "-t", commit) == "commit"


def test_edits_in_the_way_of_a_rewind_are_told_with_the_choices(repo: Cli) -> None:
    (repo.folder / "a.txt").write_text("by hand\n")
    repo("rewind", "m", "--to", "change")

    refused = repo("resume", "m", status=2).err

    assert "error[files_edited]" in refused
    assert "'a.txt'. Nothing was changed" in refused
    assert (repo.folder / "a.txt").read_text() == "by hand\n"
    assert "leave out --detach" in repo("resume", "m", "--detach", "--keep-edits", status=2).err
    repo("resume", "m", "--discard-edits")
    assert (repo.folder / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_diff_tells_which_files_two_runs_left_otherwise(repo: Cli) -> None:
    repo("fork", "m", "--at", "change", "--id", "other", "--workflow", "w.py")
    (repo.folder / "w.py").write_text(WORKFLOW.replace("three", "3").replace("deep", "shallow"))
    repo("resume", "other", "--accept")

    told = repo("diff", "m", "other", status=1).out

    part = told.partition("\nchange  ")[2].partition("\n\n")[0].splitlines()
    assert part[-3:] == ["  files:", "    changed +1 -1 a.txt", "    changed +1 -1 d/x.txt"]

    shutil.rmtree(repo.folder / ".git")
    assert "\n  files: " in repo("diff", "m", "other", status=1).out, "the trees' ids have to do"
