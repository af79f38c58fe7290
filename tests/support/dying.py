"""A process that does git work and kills itself before the n-th thing that changes anything.

Run as a program, it reads jobs (a line of JSON: what, folder, at), forks for each, and answers with
the signal that ended the child, 0 for none.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from holdfast.workspaces import (
    Repository,
    Workspace,
    add_worktree,
    commit_work,
    merge_worktree,
    open_worktree,
    remove_worktree,
    restore,
    snapshot,
)

CHANGING = {"add", "commit-tree", "read-tree", "update-index", "update-ref"}
Job = Callable[[Repository], Any]


async def take(repository: Repository) -> None:
    await snapshot(await Workspace.open(repository.root, run="run"))


async def bring_back(repository: Repository) -> None:
    await restore(await Workspace.open(repository.root, run="run"), "HEAD")


async def add(repository: Repository) -> None:
    await add_worktree(repository, "run", "new")


async def commit(repository: Repository) -> None:
    await commit_work((await open_worktree(repository, "run", "fix"))[1], "work")


async def bring(repository: Repository) -> None:
    await merge_worktree(repository, *await open_worktree(repository, "run", "fix"), message="work")


async def squash(repository: Repository) -> None:
    found = await open_worktree(repository, "run", "fix")
    await merge_worktree(repository, *found, message="work", squash=True)


async def remove(repository: Repository) -> None:
    await remove_worktree(repository, (await open_worktree(repository, "run", "fix"))[0])


JOBS: dict[str, Job] = {
    job.__name__: job for job in (take, bring_back, add, commit, bring, squash, remove)
}


async def do(what: str, folder: str) -> None:
    await JOBS[what](await Repository.open(Path(folder)))


class Fate:
    """Counts what changes anything, and kills the process before the chosen time."""

    def __init__(self, at: int) -> None:
        self._left = at

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner: Any, name: str) -> None:
        """Count each call of a function that changes files."""
        real = getattr(owner, name)

        def counted(path: Any, *args: Any, **kwargs: Any) -> Any:
            if os.path.lexists(path):
                self.step()
            return real(path, *args, **kwargs)

        setattr(owner, name, counted)

    def before_git(self) -> None:
        """Count each git command that changes anything."""
        real = trio.run_process

        async def counted(command: list[str], **kwargs: Any) -> Any:
            if CHANGING.intersection(command):
                self.step()
            return await real(command, **kwargs)

        setattr(trio, "run_process", counted)  # noqa: B010 - an overloaded function


def die(what: str, folder: str, at: int) -> None:
    fate = Fate(at)
    fate.before_git()
    for name in ("link", "replace", "unlink", "rmdir"):
        fate.before(os, name)
    trio.run(do, what, folder)


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            die(job["what"], job["folder"], job["at"])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


if __name__ == "__main__":
    main()
