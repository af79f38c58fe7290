"""From what a person types to a workflow: a file, `FILE:NAME`, or the name of an installed one."""

import hashlib
import importlib
import linecache
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from holdfast.reducer import NotAWorkflow, Workflow

_STAMP = "__holdfast_stamp__"


class Loader:
    """Finds workflows. `installed` maps names to `module:function`, `folder` holds the project's own."""

    def __init__(self, installed: Mapping[str, str], folder: Path | None = None) -> None:
        self._installed = installed
        self._folder = folder

    def __call__(self, reference: str) -> Workflow:
        """Return the workflow; raise NotAWorkflow with what there is instead."""
        path, name = _split(reference)
        if path is not None:
            return from_file(path, name)
        own = self._own(reference)
        if own is not None:
            return from_file(own, None)
        if reference in self._installed:
            return from_module(self._installed[reference])
        if ":" in reference and _is_module(reference):
            return from_module(reference)
        raise NotAWorkflow(
            f"no workflow is called {reference!r}; there are: {', '.join(self.names()) or 'none'}. "
            "Give a file (fix.py or fix.py:name) or one of these names"
        )

    def names(self) -> list[str]:
        """Return the names that can be run, the project's own included."""
        own = self._folder.glob("*.py") if self._folder and self._folder.is_dir() else ()
        return sorted({*self._installed, *(path.stem for path in own)})

    def file_of(self, name: str) -> Path:
        """Return the file of a workflow that can be run by name, without running it where it is our own.

        Raises NotAWorkflow.
        """
        own = self._own(name)
        if own is not None:
            return own
        return Path(self(name).function.__code__.co_filename)

    def _own(self, name: str) -> Path | None:
        if self._folder is None or not name.isprintable() or "/" in name or "\\" in name:
            return None
        path = self._folder / f"{name}.py"
        try:
            return path if path.is_file() else None
        except OSError:  # no file has so long a name
            return None


def _split(reference: str) -> tuple[Path | None, str | None]:
    """Take `FILE` or `FILE:NAME` apart; a reference without a path is neither."""
    file, colon, name = reference.rpartition(":")
    if colon and file.endswith(".py"):
        return Path(file), name or None
    return (Path(reference), None) if reference.endswith(".py") else (None, None)


def _is_module(reference: str) -> bool:
    module = reference.partition(":")[0]
    return all(part.isidentifier() for part in module.split("."))


def from_module(reference: str) -> Workflow:
    """Return the workflow that stands as `module:function` in an installed package."""
    module_name, _, name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except Exception as error:
        raise NotAWorkflow(f"{reference!r} cannot be imported: {_last_line(error)}") from error
    if not isinstance(found, Workflow):
        raise NotAWorkflow(f"{reference!r} is no workflow. Mark the function with @workflow")
    return found


def from_file(path: Path, name: str | None) -> Workflow:
    """Return the workflow in a file: the one called `name`, or the only one."""
    return _in_module(_load(path), path, name)


def from_source(path: Path, source: str) -> Workflow:
    """Return the only workflow in what would be in a file; raise NotAWorkflow."""
    full = path.resolve()
    lines = source.splitlines(keepends=True)
    linecache.cache[str(full)] = (len(source), None, lines, str(full))
    try:
        module = _executed(full, source.encode(), (0, 0))
    except (Exception, SystemExit) as error:
        raise NotAWorkflow(f"{str(path)!r} cannot be loaded: {_last_line(error)}") from error
    return _in_module(module, path, None)


def _in_module(module: ModuleType, path: Path, name: str | None) -> Workflow:
    found = {
        value.name: value
        for value in vars(module).values()
        if isinstance(value, Workflow) and value.function.__module__ == module.__name__
    }
    listed = ", ".join(sorted(found))
    if not found:
        raise NotAWorkflow(f"{str(path)!r} has no workflow. Mark an async function with @workflow")
    if name is None and len(found) > 1:
        raise NotAWorkflow(
            f"{str(path)!r} has several workflows; say which: {path}:NAME ({listed})"
        )
    if name is not None and name not in found:
        raise NotAWorkflow(f"{str(path)!r} has no workflow {name!r}; it has: {listed}")
    return found[name] if name is not None else next(iter(found.values()))


def stamp_of(path: Path) -> tuple[int, int]:
    """Return what tells a file from an edited one: when it was changed, in ns, and its size."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def loaded_stamp(workflow: Workflow) -> tuple[int, int] | None:
    """Return the stamp of a workflow's file as it was read; None for one from an installed module."""
    stamp: tuple[int, int] | None = workflow.function.__globals__.get(_STAMP)
    return stamp


def _load(path: Path) -> ModuleType:
    """Import a file under a name of its own, so that it shadows nothing and is read afresh."""
    try:
        full = path.resolve()
        stamp = stamp_of(full)
        source = full.read_bytes()
    except (OSError, ValueError) as error:  # a name with a NUL is no OSError
        reason = getattr(error, "strerror", None) or error
        raise NotAWorkflow(f"{str(path)!r} cannot be read: {reason}") from error
    linecache.cache.pop(str(full), None)
    try:
        return _executed(full, source, stamp)
    except (Exception, SystemExit) as error:
        raise NotAWorkflow(f"{str(path)!r} cannot be loaded: {_last_line(error)}") from error


def _executed(full: Path, source: bytes, stamp: tuple[int, int]) -> ModuleType:
    name = f"holdfast_file_{hashlib.sha256(os.fsencode(full)).hexdigest()[:12]}"
    module = ModuleType(name)
    module.__file__ = str(full)
    setattr(module, _STAMP, stamp)
    sys.modules[name] = module  # annotations and pickles look their module up by name
    folder = str(full.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # a workflow may import its neighbours
    try:
        exec(compile(source, str(full), "exec"), vars(module))  # noqa: S102 - this is importing
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _last_line(error: BaseException) -> str:
    if isinstance(error, NotAWorkflow):
        return str(error) + _where(error)
    return traceback.format_exception_only(error)[-1].strip() + _where(error)


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f" ({error.filename}:{error.lineno})"  # the frames only show who compiled it
    frames = list(traceback.extract_tb(error.__traceback__))
    if isinstance(error, NotAWorkflow):  # raised by us, about what the file has at its top level
        frames = [frame for frame in frames if frame.name == "<module>"]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
