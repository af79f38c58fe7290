"""What a power cut may not take: git flushes what is in its new files, and here their names are.

Git renames each object and ref into its place after it has flushed it, and flushes no folder. Some
file systems bring the name along with the next flush of anything, and others do not.

A folder that has gone meanwhile was emptied by git's own cleaning up, which flushes the pack that it
moves everything into.
"""

import os
from contextlib import suppress
from pathlib import Path

from .places import Workspace

SLACK_NS = 1_000_000_000  # file systems stamp folders by a clock that lags behind


def flush_names(workspace: Workspace, since_ns: int) -> None:
    """Flush the names of all objects made since a time, and of the workspace's snapshots."""
    objects = workspace.common / "objects"
    with os.scandir(objects) as entries:
        fans = [entry for entry in entries if len(entry.name) == 2]
        new = [Path(fan) for fan in fans if _is_new(fan, since_ns - SLACK_NS)]
    ref = workspace.common / workspace.ref
    above: list[Path] = []
    if ref.exists():  # else git keeps its refs otherwise, and flushes that itself
        above = [folder for folder in ref.parents if folder.is_relative_to(workspace.common)]
    for folder in (objects, *new, *above):
        with suppress(FileNotFoundError):
            _flush(folder)


def _is_new(folder: os.DirEntry[str], since_ns: int) -> bool:
    try:
        return folder.stat().st_mtime_ns >= since_ns
    except FileNotFoundError:
        return False


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
