"""`kill -9` of the real process while a step is at the files: the next try starts from whole ones."""

import pytest

from holdfast.eventlog import RestoreStarted, WorkspaceSeen
from tests.support.often import some
from tests.support.repos import Repo
from tests.support.site import Site, until

WORKFLOW = """
    from holdfast import Run, workflow


    @workflow
    async def work(run: Run) -> str:
        await run.shell("one", "echo one > one.txt")
        await run.shell("two", "ls >> ls.log; rm -f a.txt; echo half >> half.txt; test -e go.log || sleep 60")
        return "done"
"""


@pytest.fixture
def repo(site: Site) -> Repo:
    site.write("w.py", WORKFLOW)
    repo = Repo(site.folder)
    repo.git("init", "-q", "-b", "main")
    repo.write({"a.txt": "a\n", ".gitignore": "*.log\nside\n.holdfast/\n"})
    repo.commit()
    return repo


def test_half_written_files_of_a_killed_step_are_not_where_it_is_tried_again(
    site: Site, repo: Repo
) -> None:
    process = site.start("run", "w.py", "--id", "r")
    process.kill_when(lambda: until((site.folder / "half.txt").exists, "the step is at work"))
    (site.folder / "go.log").write_text("")

    ended = site.call("resume", "r", "-v")

    assert ended.status == 0, ended
    assert (site.folder / "half.txt").read_text() == "half\n"
    assert (site.folder / "ls.log").read_text().count("a.txt") == 2
    assert (
        "files are brought back to what they were before the step that was interrupted" in ended.err
    )
    (began,) = site.events("r", RestoreStarted)
    assert repo.git("show", f"{began.commit.hex()}:half.txt") == "half"
    assert len(site.events("r", WorkspaceSeen)) == 1
    assert site.verified()


@pytest.mark.parametrize("nap", some(range(6), every=3))
def test_a_kill_at_any_moment_of_a_rewind_is_made_good(site: Site, repo: Repo, nap: int) -> None:
    (site.folder / "go.log").write_text("")
    assert site.call("run", "w.py", "--id", "r").status == 0
    assert site.call("rewind", "r", "--to", "one").status == 0
    lock = site.folder / ".git" / "holdfast" / "lock"
    lock.unlink()

    process = site.start("resume", "r")
    count = len(site.records("r"))
    until(lambda: lock.exists() or not process.at_work, "it looks at the files")
    until(lambda: len(site.records("r")) >= count + nap or not process.at_work, "it goes on")
    process.kill()
    ended = site.call("resume", "r")

    assert ended.status in (0, 2), ended
    assert (site.folder / "half.txt").read_text() == "half\n"
    assert not (site.folder / "a.txt").exists()
    changed = repo.git("status", "--porcelain").splitlines()
    assert sorted(changed) == [" D a.txt", "?? half.txt", "?? one.txt"]
