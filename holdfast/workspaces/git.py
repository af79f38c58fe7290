"""Running git so that it does the same on every machine: no hooks, prompts, pagers, signing, locale.

The user's filters (LFS, line ends) stay: without them, the files would be others.
"""

import os
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import trio

from .errors import (
    GitFailed,
    GitMissing,
    GitTooOld,
    RepositoryBusy,
    UntrustedRepository,
    WorkspaceError,
)

T = TypeVar("T")

MINIMUM_GIT = (2, 38)  # the first whose merge-tree writes a tree

# Git's own variables would point it at another repository; these only say who, and with what settings.
KEPT = {
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
}
FIXED = {
    "GIT_ASKPASS": "true",
    "GIT_EDITOR": "false",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",  # looking at the user's checkout never rewrites its index
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "SSH_ASKPASS": "true",
}
SETTINGS = {
    "advice.detachedHead": "false",
    "color.ui": "false",
    "commit.gpgSign": "false",
    "core.fsmonitor": "false",
    "core.fsync": "committed,loose-object,reference",  # before an event names what was written
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "core.splitIndex": "false",
    "diff.autoRefreshIndex": "false",
    "diff.noprefix": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "worktree.useRelativePaths": "false",  # a repository with such a worktree is closed to older gits
}
ARGUMENTS = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
_versions: dict[str, tuple[int, ...]] = {}
_LOCKED = re.compile(r"Unable to create '(?P<lock>.*\.lock)': File exists")


@dataclass(frozen=True)
class Answer:
    """What a git command said. `code` is its exit status."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return os.fsdecode(self.stdout).rstrip("\n")

    @property
    def items(self) -> list[str]:
        """What was printed with `-z`, as file names: undecodable bytes survive a round trip."""
        return [os.fsdecode(item) for item in self.stdout.split(b"\0") if item]


@dataclass(frozen=True)
class Git:
    """Runs git in a folder. `index` replaces the checkout's index; `holding` are locks to inherit.

    A lock that git inherits outlives us for as long as git does: whoever gets it next knows that
    nothing of ours is still at work.
    """

    folder: Path
    index: Path | None = None
    holding: tuple[int, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    def at(self, folder: Path) -> "Git":
        return replace(self, folder=folder)

    def using(self, index: Path) -> "Git":
        return replace(self, index=index)

    def under(self, lock: int) -> "Git":
        return replace(self, holding=(*self.holding, lock))

    def as_us(self) -> "Git":
        """Sign commits as Holdfast: they are kept for it alone, and the user may have no name."""
        us = {"NAME": "Holdfast", "EMAIL": "holdfast@localhost"}
        who = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in us.items()}
        return replace(self, env={**self.env, **who})

    async def run(self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> Answer:
        """Run `git args` and return what it said. Raises GitFailed for a status not in `ok`."""
        try:
            done = await trio.run_process(
                ["git", *ARGUMENTS, *args],
                stdin=stdin,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                cwd=self.folder,
                env=self._environment(),
                pass_fds=self.holding,
            )
        except OSError as error:
            if shutil.which("git") is None:
                raise GitMissing(_dotted(MINIMUM_GIT)) from error
            why = error.strerror if self.folder.is_dir() else "there is no such folder"
            raise GitFailed(args, str(self.folder), 128, why or str(error)) from error
        answer = Answer(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
        if answer.code not in ok:
            raise self._failure(args, answer)
        return answer

    async def resolve_all(self, *names: str) -> list[str]:
        """Return the ids that names like `HEAD^{tree}` stand for, "" for those that stand for nothing."""
        stdin = "".join(f"{name}\n" for name in names).encode()
        told = await self.text("cat-file", "--batch-check=%(objectname)", stdin=stdin)
        return ["" if " " in line else line for line in told.split("\n")]

    async def text(self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
        return (await self.run(*args, stdin=stdin, ok=ok)).text

    async def items(self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> list[str]:
        return (await self.run(*args, stdin=stdin, ok=ok)).items

    async def resolve(self, name: str, kind: str = "commit") -> str:
        """Return the id that a name stands for, or "" when it stands for nothing of that kind."""
        return await self.text("rev-parse", "-q", "--verify", f"{name}^{{{kind}}}", ok=(0, 1, 128))

    def _environment(self) -> dict[str, str]:
        own = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in KEPT}
        index = {} if self.index is None else {"GIT_INDEX_FILE": str(self.index)}
        return {**own, **FIXED, **self.env, **index}

    def _failure(self, args: tuple[str, ...], answer: Answer) -> Exception:
        if locked := _LOCKED.search(answer.stderr):
            return RepositoryBusy(str(self.folder), locked["lock"])
        if "dubious ownership" in answer.stderr:
            return UntrustedRepository(str(self.folder))
        return GitFailed(args, str(self.folder), answer.code, answer.stderr, answer.text)


async def together(*works: Callable[[], Awaitable[T]]) -> list[T]:
    """Do several things side by side; what came of them comes in their order."""
    done: dict[int, T] = {}
    failures: list[WorkspaceError] = []

    async def one(place: int, work: Callable[[], Awaitable[T]]) -> None:
        try:
            done[place] = await work()
        except WorkspaceError as failure:
            failures.append(failure)

    async with trio.open_nursery() as nursery:
        for place, work in enumerate(works):
            nursery.start_soon(one, place, work)
    if failures:
        raise failures[0]
    return [done[place] for place in range(len(works))]


async def check_git() -> tuple[int, ...]:
    """Return the version of git. Raises GitMissing or GitTooOld."""
    program = shutil.which("git")
    if program is None:
        raise GitMissing(_dotted(MINIMUM_GIT))
    if program not in _versions:
        _versions[program] = version_of(await Git(Path("/")).text("--version"))
    return _versions[program]


def version_of(told: str) -> tuple[int, ...]:
    """Read what `git --version` prints. Raises GitTooOld for what is too old, or unknown."""
    found = re.search(r"\d+(?:\.\d+)+", told)
    version = tuple(map(int, found[0].split("."))) if found else ()
    if version < MINIMUM_GIT:
        raise GitTooOld(told, _dotted(MINIMUM_GIT))
    return version


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
