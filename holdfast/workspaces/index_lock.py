"""Git's own lock of a checkout's index, taken so that nobody's git runs in between.

It is a hard link to a file of ours: whether a lock that was left behind is our own can be told. The
caller holds the workspace's lock, so one of ours belongs to somebody dead.
"""

import os
import shutil
from pathlib import Path

from .errors import StateUnwritable
from .places import OWN


class IndexLock:
    """The lock of the index in one git folder."""

    def __init__(self, git_dir: Path) -> None:
        self.index = git_dir / "index"
        self.path = git_dir / "index.lock"
        self._token = git_dir / OWN / "index.token"

    def take(self) -> bool:
        """Take the lock, also from one of ours that died. False: somebody else has it."""
        if self._is_ours():
            return True
        newborn = self._token.with_name("index.token.new")
        try:
            newborn.parent.mkdir(parents=True, exist_ok=True)
            newborn.unlink(missing_ok=True)
            newborn.touch()
            os.replace(newborn, self._token)
            os.link(self._token, self.path)
        except FileExistsError:
            return False
        except OSError as error:
            raise StateUnwritable(str(self.path), error.strerror or str(error)) from error
        return True

    def release(self) -> None:
        """Let go of the lock, if it is ours."""
        if self._is_ours():
            self.path.unlink()

    def install(self, index: Path) -> None:
        """Put another file in the place of the index, while the lock is held."""
        assert self._is_ours()
        os.replace(index, self.index)

    def _is_ours(self) -> bool:
        try:
            return os.path.samefile(self._token, self.path)
        except FileNotFoundError:
            return False


def copy_index(index: Path, to: Path) -> None:
    """Copy an index with its times, by which git knows what it has looked at. Raises StateUnwritable."""
    try:
        shutil.copy2(index, to)
    except OSError as error:
        raise StateUnwritable(str(to), error.strerror or str(error)) from error
