"""A branch that moves together with its checkout: the journal of that, and the locked index."""

from pathlib import Path
from typing import Self

import msgspec

from .errors import CheckoutBehind, TargetBusy, WorkspaceError
from .git import Git
from .index_lock import IndexLock, copy_index
from .names import short_digest
from .places import OWN, Repository


class Checkout(msgspec.Struct, frozen=True):
    """A folder in which a branch is checked out, and git's folder for it."""

    folder: str
    git_dir: str


class Move(msgspec.Struct, frozen=True):
    """A branch on its way from one commit to another, in a checkout: the journal's only entry."""

    ref: str
    old: str
    new: str
    checkout: Checkout


def journals(repository: Repository) -> list[str]:
    """Return the branches whose move a killed process did not finish."""
    folder = repository.own / "moves"
    paths = sorted(folder.glob("[!.]*.json")) if folder.is_dir() else []
    return [msgspec.json.decode(path.read_bytes(), type=Move).ref for path in paths]


def journal_of(repository: Repository, ref: str) -> Path:
    """Return the file that says that a branch is on its way."""
    return repository.own / "moves" / f"{short_digest(ref)}.json"


class HeldIndex:
    """The index of a checkout, locked against every git, and a copy of it to work on."""

    def __init__(self, move: Move) -> None:
        self._move = move
        git_dir = Path(move.checkout.git_dir)
        self.lock = IndexLock(git_dir)
        self.copy = git_dir / OWN / "index.move"

    def __enter__(self) -> Self:
        if not self.lock.take():
            reason = f"where another git process holds {str(self.lock.path)!r}"
            raise TargetBusy(self._move.ref, self._move.checkout.folder, reason)
        try:
            self.copy.with_name("index.move.lock").unlink(missing_ok=True)
            if self.lock.index.exists():
                copy_index(self.lock.index, self.copy)
        except BaseException:
            self.lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()


async def write_files(git: Git, held: HeldIndex, wanted: Move, how: str) -> None:
    """Bring files and index to the new commit."""
    trees = (wanted.old, wanted.new) if how == "-m" else (wanted.new,)
    try:
        await git.using(held.copy).run("read-tree", how, "-u", *trees)
        held.lock.install(held.copy)
    except (WorkspaceError, OSError) as error:
        raise CheckoutBehind(wanted.ref, wanted.checkout.folder, str(error)) from error
