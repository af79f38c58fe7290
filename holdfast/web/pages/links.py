"""The addresses of the pages. Whatever a run, a step or a file is called is in the query, never in the path. Pure."""

from typing import Any
from urllib.parse import urlencode


class Links:
    """`links("run", run="r", at=3)` is the address of a page; what is None is left out."""

    def __init__(self, root: str) -> None:
        self._root = root

    def __call__(self, page: str = "", **query: Any) -> str:
        given = {name: value for name, value in query.items() if value is not None}
        # A browser would take a step away from the path for a key such as `..`, whichever way it is written.
        told = urlencode(given, doseq=True, errors="replace")
        return f"{self._root}/{page}{'?' if told else ''}{told}"
