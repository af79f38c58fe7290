"""What a workflow has to be: async, with a run, typed inputs, and types that a log can hold."""

import ast
from collections.abc import Iterator

from .calls import Miscall
from .impure import Rule
from .lookup import AnyDef, Scope, dotted, is_run, unquoted, walk_scope
from .scopes import parameters

NOT_ASYNC = Rule("not-async", "is no async function", "")
NO_RUN = Rule("no-run", "takes no run", "")
UNTYPED = Rule("input-type", "has no type to check an input with", "")
STARRED = Rule("input-type", "cannot be checked", "")
TYPE = Rule("type", "cannot be read from the log again", "")
NO_WORKFLOW = Rule("no-workflow", "is no workflow yet", "")
PERHAPS = Rule("no-workflow", "is in a file without a workflow", "", note=True)


def misshapen(module: ast.Module, top: Scope, workflows: list[AnyDef]) -> Iterator[Miscall]:
    """Yield what keeps the functions of a file from being workflows."""
    for function in workflows:
        yield from _signature(function)
    if not workflows:
        yield from _forgotten(module, top)
    yield from _types(module, top, workflows)


def _signature(function: AnyDef) -> Iterator[Miscall]:
    name, given = function.name, parameters(function)
    head = f"async def {name}(run: Run, ...)"
    if isinstance(function, ast.FunctionDef):
        yield Miscall(function, NOT_ASYNC, f"the workflow `{name}`", head)
    if not given:
        yield Miscall(function, NO_RUN, f"the workflow `{name}`", head)
    starred = {function.args.vararg, function.args.kwarg}
    for parameter in given[1:]:
        if parameter in starred:
            yield Miscall(function, STARRED, f"`*{parameter.arg}`", "each input by its name")
        elif parameter.annotation is None:
            typed = f"{parameter.arg}: str"
            yield Miscall(
                function, UNTYPED, f"the input `{parameter.arg}`", f"{typed}, or its type"
            )


def _forgotten(module: ast.Module, top: Scope) -> Iterator[Miscall]:
    """Find functions that look like workflows, in a file that has none."""
    is_imported = any(
        origin.startswith("holdfast.") and origin.endswith(".workflow")
        for origin in top.imports.values()
    )
    for node in module.body:
        if not isinstance(node, ast.AsyncFunctionDef) or not node.args.args:
            continue
        first = node.args.args[0]
        if first.annotation is not None and is_run(first, top):
            rule = NO_WORKFLOW if is_imported or not _is_called(module, node.name) else PERHAPS
            what = f"`async def {node.name}(...)`"
            yield Miscall(node, rule, what, "@workflow above it: from holdfast import workflow")


def _is_called(module: ast.Module, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(module))


def _types(module: ast.Module, top: Scope, workflows: list[AnyDef]) -> Iterator[Miscall]:
    """Find classes of the file that are used as an output or an input, and are no data."""
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    for used in _annotations(module, workflows):
        for node in ast.walk(unquoted(used)):
            if isinstance(node, ast.Name) and node.id in classes:
                found = classes[node.id]
                if _is_no_data(found, top):
                    instead = f"class {found.name}(Struct):  # from msgspec import Struct"
                    yield Miscall(found, TYPE, f"the class `{found.name}`", instead)


def _annotations(module: ast.Module, workflows: list[AnyDef]) -> Iterator[ast.expr]:
    for function in workflows:
        hints = [parameter.annotation for parameter in parameters(function)[1:]]
        yield from (hint for hint in [*hints, function.returns] if hint is not None)
        for node in walk_scope(function.body):
            if isinstance(node, ast.Call):
                yield from (k.value for k in node.keywords if k.arg in ("output", "edits"))


def _is_no_data(found: ast.ClassDef, top: Scope) -> bool:
    if found.decorator_list:
        return False  # a dataclass, or what only its author knows
    names = [dotted(base, top) or "" for base in found.bases]
    return not found.bases or any(name.startswith("pydantic.") for name in names)
