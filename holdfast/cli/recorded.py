"""Recorded files, read with git for the commands that show them."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from holdfast.eventlog import Log, RunRow
from holdfast.recorded import folder_of
from holdfast.workspaces import Repository, extract

T = TypeVar("T")


def with_repository(log: Log, row: RunRow, read: Callable[[Repository], Awaitable[T]]) -> T:
    """Do something with the repository that has a run's files. Raises NotARepository."""
    folder, home = Path(folder_of(log, row)), log.path.parent

    async def run() -> T:
        return await read(await Repository.open(folder, home=home))

    return trio.run(run)


class Extractor:
    """Writes git trees of a run's files into folders."""

    def __init__(self, log: Log, row: RunRow) -> None:
        self._log, self._row = log, row

    def __call__(self, tree: str, folder: Path) -> None:
        with_repository(self._log, self._row, partial(_extract, tree, folder))


async def _extract(tree: str, folder: Path, repository: Repository) -> None:
    await extract(repository, tree, folder)
