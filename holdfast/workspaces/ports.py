"""A range of ports for each worktree, so that servers which agents start do not meet."""

import hashlib
from pathlib import Path

import msgspec

from .errors import NoPortsLeft
from .locks import is_locked, locked
from .places import Repository, write_whole

FIRST, STEP, COUNT = 20_000, 16, 798  # below the ports that systems give out themselves


async def take_port(repository: Repository, folder: Path, making: Path) -> int:
    """Return the first of the folder's ports: the one that it had, or one that no live folder has.

    `making` is the lock that is held for as long as the folder is being made.
    """
    async with locked(repository.own / "locks" / "ports"):
        path = repository.own / "ports.json"
        taken = _read(path)
        if (own := taken.get(str(folder))) is not None:
            return own[0]
        live = {where: entry for where, entry in taken.items() if _is_live(where, entry[1])}
        port = _free({port for port, _ in live.values()}, str(repository.common))
        live[str(folder)] = (port, str(making))
        write_whole(path, msgspec.json.encode(live))
        return port


def _read(path: Path) -> dict[str, tuple[int, str]]:
    if not path.exists():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[int, str]])


def _is_live(folder: str, making: str) -> bool:
    return Path(folder).exists() or is_locked(Path(making))


def _free(taken: set[int], seed: str) -> int:
    """Begin somewhere else for each repository: they do not know of each other."""
    start = int.from_bytes(hashlib.sha256(seed.encode(errors="surrogateescape")).digest()[:4])
    for slot in range(COUNT):
        port = FIRST + (start + slot) % COUNT * STEP
        if port not in taken:
            return port
    raise NoPortsLeft(COUNT)
