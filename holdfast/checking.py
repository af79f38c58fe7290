"""Checking a workflow's file against what is here: modules, agents, roles, workflows. Nothing is run."""

import ast
import difflib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.reducer.calls import Known
from holdfast.reducer.check import Finding
from holdfast.reducer.check import check as findings_in

if TYPE_CHECKING:
    from holdfast.config import Config
    from holdfast.loading import Loader
    from holdfast.plugins import Plugins


def known_names(plugins: "Plugins", load: "Loader", config: "Config") -> Known:
    """Return the names that a workflow of a project may write out."""
    return Known(set(plugins.agents()), set(config.roles), set(load.names()))


def check_source(source: str, name: str, folder: Path, known: Known) -> list[Finding]:
    """Return what is wrong in a workflow's source, in the order of its lines.

    `name` is the file's name in the findings; what it imports may lie in `folder`.
    """
    found = findings_in(source, name, known)
    if any(finding.code == "syntax" for finding in found):
        return found
    return sorted({*found, *_imports(ast.parse(source), name, folder)})


def _imports(module: ast.Module, file: str, folder: Path) -> Iterator[Finding]:
    """Find imports at the top that cannot work; what stands within `try` or `if` may be there to fail."""
    for node in module.body:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _module(node, alias.name, file, folder)
            case ast.ImportFrom(level=0, module="holdfast", names=names):
                yield from (
                    _public(node, alias.name, file) for alias in names if _lacks(alias.name)
                )
            case ast.ImportFrom(level=0, module=str(name)):
                yield from _module(node, name, file, folder)
            case ast.ImportFrom(level=level) if level:
                instead = "an absolute import: a workflow's file is part of no package"
                yield _finding(node, file, "a relative import finds nothing", instead)
            case _:
                pass


def _module(node: ast.stmt, name: str, file: str, folder: Path) -> Iterator[Finding]:
    top = name.partition(".")[0]
    if (folder / f"{top}.py").is_file() or (folder / top).is_dir():
        return
    try:
        is_there = importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):  # a module that was made by hand has no specification
        is_there = True
    if not is_there:
        instead = f"another module, or install it beside Holdfast: pip install {top}"
        yield _finding(node, file, f"there is no module `{top}`", instead)


def _lacks(name: str) -> bool:
    import holdfast

    is_part = importlib.util.find_spec(f"holdfast.{name}") is not None if name != "*" else True
    return name not in holdfast.__all__ and not is_part


def _public(node: ast.stmt, name: str, file: str) -> Finding:
    import holdfast

    if name in ("Struct", "Meta", "field"):
        instead = f"from msgspec import {name}"
    else:
        near = difflib.get_close_matches(name, holdfast.__all__, n=1)
        instead = f"from holdfast import {near[0] if near else ', '.join(holdfast.__all__)}"
    return _finding(node, file, f"holdfast has no `{name}`", instead)


def _finding(node: ast.stmt, file: str, found: str, instead: str) -> Finding:
    return Finding(node.lineno, node.col_offset + 1, "import", found, instead, file)
