"""A process that is killed at any point loses nobody's work, and asking again finishes its job."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from holdfast.workspaces import Repository, TargetBusy, TargetDirty, add_worktree, finish_moves
from holdfast.workspaces.locks import is_locked
from tests.support import dying
from tests.support.often import some
from tests.support.repos import Repo

ROOT = Path(__file__).parents[2]
Kill = Callable[[str, Path, int], bool]
OLD = {"a.txt": "one\ntwo\nthree\n", "src/b.py": "b = 1\n", "gone.txt": "gone\n", "main.txt": "m\n"}
NEW = {"a.txt": "fixed\n", "src/b.py": "b = 1\n", "new/c.txt": "new\n", "main.txt": "m\n"}


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """Do a job in a child that dies before its n-th change; tells whether it died."""
    program = [sys.executable, "-m", "tests.support.dying"]
    server = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert server.stdin is not None
    assert server.stdout is not None
    into, out = server.stdin, server.stdout

    def run(what: str, folder: Path, at: int) -> bool:
        into.write(json.dumps({"what": what, "folder": str(folder), "at": at}) + "\n")
        into.flush()
        code = json.loads(out.readline())
        assert code in (0, -signal.SIGKILL), f"{what} at {at} failed"
        return code != 0

    with server:
        yield run
        into.close()


@pytest.fixture
def site(tmp_path: Path) -> Repo:
    """A checkout that has gone on, and a worktree with uncommitted work that merges into it."""
    repo = Repo.make(tmp_path / "repo", {name: OLD[name] for name in list(OLD)[:3]})
    trio.run(_add, repo)
    repo.write({"main.txt": "m\n"})
    repo.git("add", "main.txt")
    repo.git("commit", "-q", "-m", "later")
    inner = Repo(repo.root / ".holdfast/worktrees/run/fix")
    inner.write({"a.txt": "fixed\n", "new/c.txt": "new\n"})
    (inner.root / "gone.txt").unlink()
    return repo


def again_and_again(
    site: Repo, kill: Kill, what: str, *, at: int = 0, step: int = 1
) -> Iterator[int]:
    """Yield after each death, with the site as it was before it; until nothing is left to die at."""
    saved = site.root.with_name("saved")
    shutil.copytree(site.root, saved, symlinks=True)
    first = at
    while kill(what, site.root, at):
        yield at
        shutil.rmtree(site.root)
        shutil.copytree(saved, site.root, symlinks=True)
        at += step
    assert at > first + 2 * step


def texts(repo: Repo) -> dict[str, str]:
    return {name: data.decode() for name, (_, data) in repo.on_disk().items()}


WAYS = [("bring", 0, 3), ("bring", 0, 1), ("squash", 16, 3), ("squash", 16, 1)]  # alike until 16


@pytest.mark.parametrize(("what", "at", "step"), some(WAYS, every=2))
def test_a_merge_killed_anywhere_loses_nothing_and_is_finished_by_the_next(
    site: Repo, kill: Kill, what: str, at: int, step: int
) -> None:
    theirs = site.head
    inner = Repo(site.root / ".holdfast/worktrees/run/fix")

    for _ in again_and_again(site, kill, what, at=at, step=step):
        assert {**NEW}.items() >= {k: v for k, v in texts(inner).items() if k != "gone.txt"}.items()
        assert theirs in site.git("rev-list", "main").splitlines()
        assert texts(site) in (OLD, NEW)

        trio.run(dying.do, what, str(site.root))

        assert texts(site) == NEW
        assert site.git("status", "--porcelain") == ""
        assert inner.git("status", "--porcelain") == ""
        assert theirs in site.git("rev-list", "main").splitlines()
        assert site.git("rev-list", "--count", "main") == ("4" if what == "bring" else "3")
        assert site.git("fsck", "--connectivity-only", "--no-dangling") == ""
        assert not list(site.root.glob(".git/**/*.lock"))
        assert not list(site.root.glob(".git/holdfast/moves/[!.]*"))


def test_a_snapshot_killed_anywhere_leaves_the_user_alone(site: Repo, kill: Kill) -> None:
    site.write({"a.txt": "staged\n", "draft": "draft"})
    site.git("add", "-A")
    site.write({"a.txt": "unstaged\n"})
    before = site.seen()

    for _ in again_and_again(site, kill, "take"):
        assert site.seen() == before

        trio.run(dying.do, "take", str(site.root))

        assert site.seen() == before
        assert site.git("show", "refs/holdfast/runs/run/checkout:a.txt") == "unstaged"


def test_restoring_killed_anywhere_keeps_what_was_there(site: Repo, kill: Kill) -> None:
    site.write({"a.txt": "by the user\n", "draft": "draft"})

    for _ in again_and_again(site, kill, "bring_back"):
        trio.run(dying.do, "bring_back", str(site.root))

        assert texts(site) == OLD
        kept = site.git("log", "--format=%H", "refs/holdfast/runs/run/checkout").splitlines()
        assert "by the user" in {site.git("show", f"{commit}:a.txt") for commit in kept}


def test_making_a_worktree_killed_anywhere_is_done_by_the_next(site: Repo, kill: Kill) -> None:
    made = Repo(site.root / ".holdfast/worktrees/run/new")

    for _ in again_and_again(site, kill, "add"):
        trio.run(dying.do, "add", str(site.root))

        assert texts(made) == OLD
        assert made.git("status", "--porcelain") == ""


def test_removing_a_worktree_killed_anywhere_loses_no_work(site: Repo, kill: Kill) -> None:
    folder = site.root / ".holdfast/worktrees/run/fix"

    for at in again_and_again(site, kill, "remove"):
        kept = site.git("show", "refs/holdfast/runs/run/fix:new/c.txt", ok=False)
        assert kept == "new" or (folder / "new/c.txt").read_text() == "new\n", at


# --- when git itself is killed ---------------------------------------------------------------------


@pytest.fixture
def torn(site: Repo) -> Repo:
    """A merge whose git dies while it writes the files."""
    inner = Repo(site.root / ".holdfast/worktrees/run/fix")
    inner.write({".gitattributes": "*.bin filter=big\n", "b.bin": "B\n", "z.txt": "last\n"})
    site.git("config", "filter.big.clean", "cat")
    trio.run(dying.do, "commit", str(site.root))
    site.git("config", "filter.big.required", "true")
    site.git("config", "filter.big.smudge", "kill -9 $PPID")
    with pytest.raises(BaseException, match="status -9"):
        trio.run(dying.do, "bring", str(site.root))
    site.git("config", "filter.big.smudge", "cat")
    return site


def test_a_checkout_whose_git_was_killed_is_finished(torn: Repo) -> None:
    assert not (torn.root / "z.txt").exists()
    (torn.root / "new").mkdir(exist_ok=True)
    (torn.root / "new/c.txt").write_text("ne")  # as far as git got

    finished = trio.run(_finish, torn)

    assert finished == ["refs/heads/main"]
    assert texts(torn).items() >= {**NEW, "b.bin": "B\n", "z.txt": "last\n"}.items()
    assert torn.git("status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["a.txt", "gone.txt", "main.txt", "new/c.txt"])
def test_what_was_edited_since_is_not_overwritten(torn: Repo, name: str) -> None:
    torn.write({name: "by the user\n"})

    with pytest.raises(TargetDirty, match="interrupted"):
        trio.run(_finish, torn)

    assert (torn.root / name).read_text() == "by the user\n"


def test_whoever_settles_an_interrupted_merge_by_hand_is_left_alone(torn: Repo) -> None:
    torn.git("reset", "-q", "--hard")
    torn.write({"a.txt": "further\n"})
    before = torn.seen()

    assert trio.run(_finish, torn) == ["refs/heads/main"]
    assert torn.seen() == before


async def _add(repo: Repo) -> None:
    await add_worktree(await Repository.open(repo.root), "run", "fix")


async def _finish(repo: Repo) -> list[str]:
    return await finish_moves(await Repository.open(repo.root))


def test_a_git_that_outlives_us_keeps_its_lock_until_it_ends(site: Repo) -> None:
    inner = Repo(site.root / ".holdfast/worktrees/run/fix")
    inner.write({".gitattributes": "*.bin filter=big\n", "b.bin": "B\n"})
    site.git("config", "filter.big.clean", "cat")
    trio.run(dying.do, "commit", str(site.root))
    pipe, begun = site.root.with_name("pipe"), site.root.with_name("begun")
    os.mkfifo(pipe)
    os.mkfifo(begun)
    site.git("config", "filter.big.smudge", f"echo > {begun}; cat {pipe}")
    job = {"what": "bring", "folder": str(site.root), "at": 10**6}
    program = [sys.executable, "-m", "tests.support.dying"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, cwd=ROOT, process_group=0) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
        begun.read_bytes()  # git is writing files
        _kill_pythons(child.pid)
    (lock,) = (site.root / ".git/holdfast/locks").glob("merge-*")

    assert is_locked(lock)
    pipe.write_text("B\n")
    site.git("config", "filter.big.smudge", "cat")
    trio.run(dying.do, "bring", str(site.root))

    assert (site.root / "b.bin").read_text() == "B\n"
    assert site.git("status", "--porcelain") == ""


def _kill_pythons(server: int) -> None:
    """Kill the server and its child, not what they started."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    for pid in (*map(int, children), server):
        os.kill(pid, signal.SIGKILL)


def test_a_lock_of_gits_own_is_never_taken_for_ours(torn: Repo) -> None:
    (torn.root / ".git/index.lock").touch()

    with pytest.raises(TargetBusy):
        trio.run(_finish, torn)

    assert (torn.root / ".git/index.lock").exists()
