"""What confines the programs of a step, handed down so that no adapter can forget it.

It hangs on the task, not on any argument: whatever a task within `confined` starts with
`run_process` is wrapped, however deep in an adapter that is.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from msgspec.structs import replace

from .types import Confinement, Sandbox, Wrapped


class Confined:
    """A sandbox and the confinement in it, for one step."""

    def __init__(self, sandbox: Sandbox, within: Confinement) -> None:
        self._sandbox = sandbox
        self._within = within

    @property
    def within(self) -> Confinement:
        """What the programs are held to."""
        return self._within

    def share(self, path: Path) -> None:
        """Let the programs that are started from now on reach a path as well."""
        self._within = replace(self._within, write=(*self._within.write, path))

    def wrap(self, argv: Sequence[str], env: Mapping[str, str], folder: Path) -> Wrapped:
        return self._sandbox.wrap(argv, env, folder, self._within)


_current: ContextVar[Confined | None] = ContextVar("holdfast_confined", default=None)


def current() -> Confined | None:
    """Return what confines programs that this task starts."""
    return _current.get()


@contextmanager
def confined(how: Confined | None) -> Generator[None]:
    """Confine all programs that this task, and those that it begins, start within this block."""
    token = _current.set(how)
    try:
        yield
    finally:
        _current.reset(token)
