"""Whatever state a checkout is in, nothing that we do changes what its user sees of it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.workspaces import (
    Repository,
    Workspace,
    add_worktree,
    gc,
    merge_worktree,
    remove_worktree,
    restore,
    snapshot,
)
from tests.support.repos import Repo, contents

NAMES = st.sampled_from(["a.txt", "src/b.py", "tool", "new.txt", "src/new", "A.TXT", "x.log"])
Action = Callable[[Repo], object]


def write(name: str, text: str) -> Action:
    def act(repo: Repo) -> None:
        path = repo.root / name
        if path.parent.is_dir() and not path.parent.is_symlink() and not path.is_dir():
            path.unlink(missing_ok=True)
            path.write_text(text)

    return act


def delete(name: str) -> Action:
    return lambda repo: (repo.root / name).unlink(missing_ok=True)


def link(name: str) -> Action:
    def act(repo: Repo) -> None:
        delete(name)(repo)
        if (repo.root / name).parent.is_dir():
            (repo.root / name).symlink_to("nowhere")

    return act


def change_mode(name: str) -> Action:
    def act(repo: Repo) -> None:
        path = repo.root / name
        if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode ^ 0o111)

    return act


def run(*command: str) -> Action:
    return lambda repo: repo.git(*command, ok=False)


ACTIONS = st.one_of(
    st.builds(write, NAMES, st.sampled_from(["", "1\n", "2\r\n", "one\ntwo\n3\n"])),
    st.builds(delete, NAMES),
    st.builds(link, NAMES),
    st.builds(change_mode, NAMES),
    st.builds(run, st.just("add"), NAMES),
    st.builds(run, st.just("add"), st.just("-f"), NAMES),
    st.builds(run, st.just("add"), st.just("-N"), NAMES),
    st.builds(run, st.just("rm"), st.just("--cached"), NAMES),
    st.builds(run, st.just("mv"), st.just("-k"), NAMES, NAMES),
    st.builds(run, st.just("update-index"), st.just("--assume-unchanged"), NAMES),
    st.sampled_from(
        [
            run("add", "-A"),
            run("stash", "push"),
            run("stash", "push", "-u"),
            run("stash", "pop"),
            run("commit", "-m", "work"),
            run("merge", "side"),
            run("cherry-pick", "side"),
            run("checkout", "--detach"),
            run("rm", "-r", "src"),
            run("init", "nested"),
        ]
    ),
)


def make(root: Path) -> Repo:
    """Make a checkout with a branch beside it that conflicts."""
    repo = Repo.make(root, {"a.txt": "one\ntwo\n", "src/b.py": "b\n", ".gitignore": "*.log\n"})
    repo.write({"tool": "#!/bin/sh\n"})
    (repo.root / "tool").chmod(0o755)
    repo.commit()
    repo.git("checkout", "-q", "-b", "side")
    repo.write({"a.txt": "side\n", "new.txt": "side\n"})
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.git("branch", "target")
    return repo


def visible(repo: Repo, paths: dict[str, tuple[str, bytes]]) -> dict[str, tuple[str, bytes]]:
    """Return what of the files a snapshot has: all but ignored ones that are not tracked."""
    hidden = repo.git("ls-files", "-o", "-i", "--exclude-standard").splitlines()
    return {name: kind for name, kind in paths.items() if name not in hidden}


@given(st.lists(ACTIONS, max_size=8))
@settings(max_examples=6)
def test_nothing_that_users_see_of_their_checkout_changes(actions: list[Action]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repo = make(Path(folder).resolve() / "repo")
        for act in actions:
            act(repo)
        trio.run(_do_everything, repo)


async def _do_everything(repo: Repo) -> None:
    before, disk = repo.seen(), repo.on_disk()
    repository = await Repository.open(repo.root)
    space = await Workspace.open(repo.root, run="run")

    taken = await snapshot(space)
    made = await add_worktree(repository, "run", "fix", base=taken, target="target")
    began_with = contents(made.workspace.root)
    Repo(made.workspace.root).write({"work.txt": "work\n"})
    await merge_worktree(repository, made.worktree, made.workspace, message="work")
    await gc(repository, lambda _: "")
    await remove_worktree(repository, made.worktree)
    after_merge = repo.seen()
    await restore(space, "side")
    await restore(space, taken)

    assert began_with == visible(repo, disk)
    assert _without_target(after_merge) == _without_target(before)
    assert _without_target(repo.seen()) == _without_target(before)
    assert repo.on_disk() == disk
    assert repo.git("show", "target:work.txt") == "work"


def _without_target(seen: dict[str, str]) -> dict[str, str]:
    """Leave out the branch that was to be merged into."""
    lines = {what: text.split("\n") for what, text in seen.items()}
    return {
        what: "\n".join(line for line in text if not line.startswith("refs/heads/target"))
        for what, text in lines.items()
    }
