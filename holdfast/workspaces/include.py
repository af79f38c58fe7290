"""Bringing ignored files along into a new worktree: those that `.worktreeinclude` names."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import trio

from .errors import StateUnwritable
from .git import Git
from .index import LeftOut
from .places import Workspace
from .seeding import joined

INCLUDE = ".worktreeinclude"


class Included(msgspec.Struct, frozen=True):
    """What was copied, and what was not because the worktree would offer it for a commit."""

    copied: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


async def include(source: Workspace, target: Path) -> Included:
    """Copy the ignored files that the source's `.worktreeinclude` names, in gitignore's language.

    Only what is ignored in the target as well: a secret must not end up in a commit there.
    """
    if not (source.root / INCLUDE).is_file():
        return Included()
    git = source.git
    named = await git.items("ls-files", "--others", "--ignored", f"--exclude-from={INCLUDE}", "-z")
    mine = [path for path in named if source.is_part(path) and not path.endswith("/")]
    wanted = await _ignored(git, mine)
    safe = await _ignored(git.at(target), wanted)
    await trio.to_thread.run_sync(_copy, source.root, target, safe)
    why = "not ignored in the worktree: commit the .gitignore that names it"
    left_out = sorted(set(wanted).difference(safe))
    return Included(tuple(safe), tuple(LeftOut(path, why) for path in left_out))


async def _ignored(git: Git, paths: list[str]) -> list[str]:
    if not paths:
        return []
    # This one command refuses to be told that names are to be taken as they are.
    asking = replace(git, env={**git.env, "GIT_LITERAL_PATHSPECS": "0"})
    stdin = joined([f"./{path}" for path in paths])
    told = await asking.items("check-ignore", "-z", "--stdin", stdin=stdin, ok=(0, 1))
    return [path.removeprefix("./") for path in told]


def _copy(source: Path, target: Path, paths: list[str]) -> None:
    for path in paths:
        there = target / path
        if os.path.lexists(there):
            continue
        try:
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, there, follow_symlinks=False)
        except OSError as error:  # also where the source cannot be read, which it names
            raise StateUnwritable(str(there), str(error)) from error
