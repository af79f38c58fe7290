"""Which names a piece of Python binds: what a renaming may touch, and what shadows an import.

Knows the language's scoping rules and nothing of workflows.
"""

import ast
from collections.abc import Iterable, Iterator

import msgspec

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Bound(msgspec.Struct):
    """The names that one scope binds, by how: variables, and what has a meaning beyond its scope."""

    variables: set[str] = msgspec.field(default_factory=set[str])
    interface: set[str] = msgspec.field(default_factory=set[str])  # parameters, defs, imports
    declared_global: set[str] = msgspec.field(default_factory=set[str])
    declared_nonlocal: set[str] = msgspec.field(default_factory=set[str])

    @property
    def local(self) -> set[str]:
        """Every name that means something of this scope's own."""
        return (self.variables | self.interface) - self.declared_global - self.declared_nonlocal

    @property
    def renamable(self) -> set[str]:
        """Variables whose names nobody outside can see."""
        return self.local - self.interface


def bound_by_function(function: Function) -> Bound:
    """Return what calling this function binds: its parameters and what its body assigns."""
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    bound = bound_by(body)
    bound.interface |= {parameter.arg for parameter in parameters(function)}
    return bound


def bound_by_comprehension(node: Comprehension) -> Bound:
    """Return the loop variables of a comprehension."""
    return bound_by(generator.target for generator in node.generators)


def bound_by(body: Iterable[ast.AST]) -> Bound:
    """Return what running these statements binds in their own scope, inner scopes left out."""
    bound = Bound()
    todo = [(node, False) for node in body]
    while todo:
        node, in_comprehension = todo.pop()
        in_comprehension = in_comprehension or isinstance(node, Comprehension)
        _note_binding(bound, node, in_comprehension=in_comprehension)
        todo += [(child, in_comprehension) for child in children_in_scope(node)]
    return bound


def children_in_scope(node: ast.AST) -> Iterable[ast.AST]:
    """Return the nodes directly below this one that run where it stands, not inside a `def`."""
    if isinstance(node, Function | ast.ClassDef):
        return _evaluated_at_definition(node)
    return ast.iter_child_nodes(node)


def parameters(function: Function) -> list[ast.arg]:
    """Return a function's parameters, positional ones first and in order."""
    arguments = function.args
    starred = [parameter for parameter in (arguments.vararg, arguments.kwarg) if parameter]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]


def _evaluated_at_definition(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, Function):
        yield from node.args.defaults
        yield from (default for default in node.args.kw_defaults if default)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from node.decorator_list
    if isinstance(node, ast.ClassDef):
        yield from node.bases
        yield from (keyword.value for keyword in node.keywords)


def _note_binding(bound: Bound, node: ast.AST, *, in_comprehension: bool) -> None:
    match node:
        case ast.NamedExpr(target=ast.Name(id=name)):  # binds outside of a comprehension
            bound.variables.add(name)
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if not in_comprehension:
            bound.variables.add(name)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            bound.variables.add(name)
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            bound.variables.add(name)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            bound.interface.add(name)
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            bound.interface |= {alias.asname or alias.name.partition(".")[0] for alias in names}
        case ast.Global(names=declared):
            bound.declared_global.update(declared)
        case ast.Nonlocal(names=declared):
            bound.declared_nonlocal.update(declared)
        case _:
            pass
