"""Tracebacks as a workflow's author wants them: without the machinery that called the code."""

import functools
import traceback
from pathlib import Path

import outcome
import trio

_OURS = Path(__file__).parent
_MACHINERY = tuple(
    f"{folder.resolve()}/"
    for folder in (
        *(_OURS / part for part in ("eventlog", "reducer", "plugins")),
        Path(trio.__file__).parent,
        Path(outcome.__file__).parent,
    )
)
_SHIPPED = f"{(_OURS / 'workflows').resolve()}/"


def trace_of(error: BaseException) -> str:
    """Return a traceback that begins where somebody else's code does, if any of it is."""
    told = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = told
    while part is not None:
        begins = (i for i, frame in enumerate(part.stack) if not _is_machinery(frame.filename))
        del part.stack[: next(begins, 0)]
        part = part.__cause__ or part.__context__
    return "".join(told.format())


@functools.lru_cache(maxsize=1024)
def _is_machinery(filename: str) -> bool:
    path = str(Path(filename).resolve())
    if path.startswith(_SHIPPED):
        return False
    return path.startswith(_MACHINERY) or Path(path).parent == _OURS
