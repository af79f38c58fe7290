"""Recorded files, read with git for the commands that show them."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from holdfast.eventlog import Log, RunRow
from holdfast.recorded import folder_of
from holdfast.workspaces import Change, Repository, WorkspaceError, changes, extract

T = TypeVar("T")


def with_repository(log: Log, row: RunRow, read: Callable[[Repository], Awaitable[T]]) -> T:
    """Do something with the repository that has a run's files. Raises NotARepository."""
    folder, home = Path(folder_of(log, row)), log.path.parent

    async def run() -> T:
        return await read(await Repository.open(folder, home=home))

    return trio.run(run)


class Differ:
    """Tells how the files of two git trees of a run differ; each pair is read once."""

    def __init__(self, log: Log, row: RunRow) -> None:
        self._log, self._row = log, row
        self._known: dict[tuple[str, str], list[str] | None] = {}

    def __call__(self, a: str, b: str) -> list[str] | None:
        """Return a line for each file; None where git cannot tell any more."""
        if (a, b) not in self._known:
            try:
                changed = with_repository(self._log, self._row, lambda where: changes(where, a, b))
                self._known[a, b] = [file_line(change) for change in changed]
            except WorkspaceError:  # the repository is gone: the two ids have to do
                self._known[a, b] = None
        return self._known[a, b]


def file_line(change: Change) -> str:
    """Return a changed file in a line: `changed +1 -0 parser.py`."""
    path = f"{change.was} -> {change.path}" if change.was else change.path
    return f"{change.how} {line_counts(change)} {path}"


def line_counts(change: Change) -> str:
    """Return how many lines were added and deleted; a binary file has none."""
    if change.lines_added < 0:
        return "binary"
    return f"+{change.lines_added} -{change.lines_deleted}"


class Extractor:
    """Writes git trees of a run's files into folders."""

    def __init__(self, log: Log, row: RunRow) -> None:
        self._log, self._row = log, row

    def __call__(self, tree: str, folder: Path) -> None:
        with_repository(self._log, self._row, partial(_extract, tree, folder))


async def _extract(tree: str, folder: Path, repository: Repository) -> None:
    await extract(repository, tree, folder)
