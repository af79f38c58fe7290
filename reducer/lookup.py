"""What a name in a workflow file stands for: an import, a function of the file, the run.

Knows nothing of what a workflow may do.
"""

import ast
from collections.abc import Iterable, Iterator

import msgspec

from .scopes import Function, bound_by, bound_by_function, children_in_scope, parameters

AnyDef = ast.FunctionDef | ast.AsyncFunctionDef


class Scope(msgspec.Struct):
    """One function's names, or the module's, and the scope around them."""

    outer: "Scope | None"
    local: set[str]
    imports: dict[str, str]
    functions: dict[str, AnyDef]
    assigned: dict[str, list[ast.expr | None]]  # None: by something other than plain assignment
    annotated: dict[str, ast.expr]
    runs: set[str] = msgspec.field(default_factory=set[str])

    def owner(self, name: str) -> "Scope | None":
        """Return the scope that binds the name, or None for a builtin."""
        scope: Scope | None = self
        while scope is not None and name not in scope.local:
            scope = scope.outer
        return scope


def scope_of_module(module: ast.Module) -> Scope:
    """Return the names that a file defines."""
    return _scope(None, module.body, bound_by(module.body).local)


def scope_of_function(function: Function, outer: Scope) -> Scope:
    """Return the names inside a function, with those of the scope that it is defined in."""
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    local = bound_by_function(function).local.union(_inline_variables(body))
    scope = _scope(outer, body, local)
    for parameter in parameters(function):
        if parameter.annotation is not None:
            scope.annotated[parameter.arg] = parameter.annotation
        else:
            scope.assigned[parameter.arg] = [None]
    scope.runs = {p.arg for p in parameters(function) if is_run(p, outer)}
    return scope


def walk_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes that run in this scope, those inside of its functions left out."""
    todo = list(body)
    while todo:
        node = todo.pop()
        yield node
        todo.extend(children_in_scope(node))


def dotted(node: ast.expr, scope: Scope) -> str | None:
    """Return the full name that an expression refers to (`datetime.datetime.now`), if it is known."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    owner = scope.owner(node.id)
    if owner is not None and node.id not in owner.imports:
        return None
    root = owner.imports[node.id] if owner is not None else f"builtins.{node.id}"
    return ".".join([root, *reversed(parts)])


def function_named(name: str, scope: Scope) -> tuple[AnyDef, Scope] | None:
    """Return the function of this file that a name means, and the scope that it was defined in."""
    owner = scope.owner(name)
    if owner is None or name not in owner.functions:
        return None
    return owner.functions[name], owner


def is_holdfast(node: ast.expr, scope: Scope, name: str) -> bool:
    """Tell whether an expression means this public name of Holdfast, under whatever alias."""
    full = dotted(node, scope) or ""
    return full.startswith("holdfast.") and full.endswith(f".{name}")


def is_run(parameter: ast.arg, scope: Scope) -> bool:
    """Tell whether a parameter is a `Run`: by its type, or by its name where it has none."""
    annotation = parameter.annotation
    if annotation is None:
        return parameter.arg == "run"
    return any(
        is_holdfast(node, scope, "Run")
        for node in ast.walk(unquoted(annotation))
        if isinstance(node, ast.Name | ast.Attribute)
    )


def is_run_name(node: ast.expr, scope: Scope) -> bool:
    """Tell whether an expression is the run that a workflow was given."""
    if not isinstance(node, ast.Name):
        return False
    owner = scope.owner(node.id)
    return owner is not None and node.id in owner.runs


def unquoted(annotation: ast.expr) -> ast.expr:
    """Return the expression inside of an annotation that was written as a string."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value, mode="eval").body
        except (SyntaxError, ValueError):
            return annotation  # a type checker tells; here it is just no type that we know
    return annotation


def _scope(outer: Scope | None, body: list[ast.stmt] | list[ast.expr], local: set[str]) -> Scope:
    scope = Scope(outer, local, imports={}, functions={}, assigned={}, annotated={})
    for node in walk_scope(body):
        _note(scope, node)
    return scope


def _note(scope: Scope, node: ast.AST) -> None:
    match node:
        case ast.Import(names=names):
            for alias in names:
                top = alias.name.partition(".")[0]
                scope.imports[alias.asname or top] = alias.name if alias.asname else top
        case ast.ImportFrom(module=module, names=names, level=level):
            origin = "." * level + (module or "")
            for alias in names:
                scope.imports[alias.asname or alias.name] = f"{origin}.{alias.name}"
            if origin == "holdfast" and names[0].name == "*":
                scope.imports |= {name: f"holdfast.{name}" for name in ("Run", "workflow")}
                scope.local |= {"Run", "workflow"}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            scope.functions[name] = node
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            scope.assigned.setdefault(name, []).append(value)
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            scope.annotated[name] = annotation
            scope.assigned.setdefault(name, []).append(value)
        case ast.Assign(targets=targets):
            _assigned_somehow(scope, targets)
        case ast.For(target=target) | ast.AsyncFor(target=target) | ast.NamedExpr(target=target):
            _assigned_somehow(scope, [target])
        case ast.withitem(optional_vars=ast.expr() as target):
            _assigned_somehow(scope, [target])
        case _:
            pass


def _assigned_somehow(scope: Scope, targets: Iterable[ast.expr]) -> None:
    for target in targets:
        for name in _targets(target):
            scope.assigned.setdefault(name, []).append(None)


def _targets(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def _inline_variables(body: Iterable[ast.AST]) -> Iterator[str]:
    """Yield what comprehensions and lambdas bind; such a name counts as unknown everywhere."""
    for node in (part for root in body for part in ast.walk(root)):
        if isinstance(node, ast.comprehension):
            yield from _targets(node.target)
        elif isinstance(node, ast.Lambda):
            yield from (parameter.arg for parameter in parameters(node))
