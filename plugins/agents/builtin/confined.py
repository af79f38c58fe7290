"""A folder that no path leads out of: resolved name by name from its descriptor, links never followed.

What swaps a folder for a link meanwhile gains nothing, because no name is looked up twice.
"""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ...errors import MissingFolder, ToolFailed
from ..guard import Guard, is_forbidden

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe is not waited for
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Confined:
    """The folder `root`. What is refused, or goes wrong, is a ToolFailed in words for the model."""

    def __init__(self, root: Path) -> None:
        self._root, self._guard = root, Guard(root)

    @contextmanager
    def folder(self, path: str) -> Generator[int]:
        """Open a folder in it, or itself for "."."""
        with self._walk(parts_of(path), path) as place, _explained(path):
            yield place

    @contextmanager
    def file(self, path: str) -> Generator[BinaryIO]:
        """Open an ordinary file in it for reading."""
        with self._parent(path) as (place, name):
            with _explained(path, place, name):
                found = os.open(name, _READ, dir_fd=place)
            with os.fdopen(found, "rb") as file:
                with _explained(path):
                    self._guard.admit(os.fstat(found))
                _check_kind(os.fstat(found).st_mode, path)
                yield file

    def write(self, path: str, data: bytes) -> bool:
        """Put a file there whole, with the folders on the way; return whether it is a new one.

        It is written beside its place and moved there, so that nobody sees half of it.
        """
        with self._parent(path, make=True) as (place, name), _explained(path):
            mode = self._mode_of(place, name, path)
            beside = f".{name[:100]}.holdfast-new"
            with suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=place)  # of a process that was killed
            new = os.open(beside, _NEW, 0o666, dir_fd=place)
            try:
                with os.fdopen(new, "wb") as file:
                    file.write(data)
                    if mode is not None:
                        os.fchmod(new, mode)
                os.replace(beside, name, src_dir_fd=place, dst_dir_fd=place)
            except BaseException:
                os.unlink(beside, dir_fd=place)
                raise
            return mode is None

    def _mode_of(self, place: int, name: str, path: str) -> int | None:
        """Return the permissions of the file that is to be replaced; None where there is none."""
        try:
            found = os.stat(name, dir_fd=place, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            raise _link(place, name, path)
        _check_kind(found.st_mode, path)
        self._guard.admit(found, writing=True)
        return stat.S_IMODE(found.st_mode)

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Generator[tuple[int, str]]:
        parts = parts_of(path)
        if not parts:
            raise ToolFailed(f"{path!r} is the folder itself; name a file in it")
        with self._walk(parts[:-1], path, make=make) as place:
            yield place, parts[-1]

    @contextmanager
    def _walk(self, parts: list[str], path: str, *, make: bool = False) -> Generator[int]:
        try:
            place = os.open(self._guard.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            why = error.strerror or str(error)
            raise MissingFolder(str(self._root), program="builtin", reason=why) from error
        try:
            for name in (*self._guard.names, *parts):
                with _explained(path, place, name):
                    inner = _enter(place, name, make=make)
                os.close(place)
                place = inner
                with _explained(path):
                    self._guard.admit(os.fstat(place))
            yield place
        finally:
            os.close(place)


def parts_of(path: str) -> list[str]:
    """Return the names in a relative path; refuse what leads out, and what belongs to git and to us."""
    if path.startswith("/"):
        raise ToolFailed(f"{path!r} is absolute. Write it relative to the working folder.")
    parts = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in parts:
        raise ToolFailed(f"{path!r} has '..' in it. Write it from the working folder down.")
    if "\0" in path or any("\ud800" <= letter <= "\udfff" for letter in path):
        raise ToolFailed(f"{path!r} is no path: it has a character that no file name can have")
    if found := next((name for name in parts if is_forbidden(name)), None):
        raise ToolFailed(f"{path!r} is out of bounds: {found!r} is not for tools to touch")
    return parts


def _enter(place: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=place)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=place)
    return os.open(name, _FOLDER, dir_fd=place)


def _check_kind(mode: int, path: str) -> None:
    if stat.S_ISDIR(mode):
        raise ToolFailed(f"{path!r} is a folder, not a file. Look into it with: list")
    if not stat.S_ISREG(mode):
        raise ToolFailed(f"{path!r} is no ordinary file, but a pipe, a socket or a device")


def _link(place: int, name: str, path: str) -> ToolFailed:
    target = os.readlink(name, dir_fd=place)
    return ToolFailed(
        f"{name!r} in {path!r} is a symbolic link to {target!r}, which is not followed. "
        "If that is in the working folder, use its own path."
    )


@contextmanager
def _explained(path: str, place: int | None = None, name: str = "") -> Generator[None]:
    """Turn what the system says into words for the model; of a link, tell where it leads."""
    try:
        yield
    except OSError as error:
        if place is not None and error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
            with suppress(OSError):
                raise _link(place, name, path) from error
        raise ToolFailed(f"{path!r}: {error.strerror or error}") from error
