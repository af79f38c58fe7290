"""How much may be untracked: a forgotten `node_modules` must not be kept with every step."""

import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from .errors import TooMuchUntracked


class Bounds(msgspec.Struct, frozen=True):
    """How much may be untracked and new at once, before it looks like a mistake."""

    files: int = 50_000
    size_bytes: int = 2 * 1024**3


UNBOUNDED = Bounds(files=2**62, size_bytes=2**62)


def check_bounds(root: Path, files: Sequence[str], bounds: Bounds) -> None:
    """Refuse untracked files that are too many or too large, and name the folder that has them."""
    sizes = {path: _size(root / path) for path in files}
    if len(files) > bounds.files or sum(sizes.values()) > bounds.size_bytes:
        folder = heaviest(sizes, by_size=len(files) <= bounds.files)
        inside = [size for path, size in sizes.items() if _is_in(path, folder)]
        raise TooMuchUntracked(folder or str(root), files=len(inside), size_bytes=sum(inside))


def heaviest(sizes: dict[str, int], *, by_size: bool) -> str:
    """Return the deepest folder that holds more than half of it all ("": the root)."""
    folder, total = "", sum(_weight(size, by_size) for size in sizes.values())
    while True:
        below: dict[str, int] = {}
        for path, size in sizes.items():
            rest = path.removeprefix(f"{folder}/" if folder else "")
            child, slash, _ = rest.partition("/")
            if _is_in(path, folder) and slash:
                below[child] = below.get(child, 0) + _weight(size, by_size)
        top = max(below, key=lambda child: below[child], default="")
        if not top or below[top] * 2 <= total:
            return folder
        folder = f"{folder}/{top}" if folder else top


def _weight(size: int, by_size: bool) -> int:
    return size if by_size else 1


def _is_in(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")


def _size(path: Path) -> int:
    try:
        about = path.lstat()
    except OSError:  # gone meanwhile, which the index will say
        return 0
    return about.st_size if stat.S_ISREG(about.st_mode) else 0
