"""A syntax tree as bytes that say what the code does, not how it is laid out.

Comments, docstrings, positions and the names of local variables do not count, and every Python
version gives the same bytes. Parameters, nested functions and imports keep their names, since
others may use them.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec

from .scopes import (
    Bound,
    Comprehension,
    Function,
    bound_by,
    bound_by_comprehension,
    bound_by_function,
)

# What says nothing about meaning, or is missing in some Python versions.
SKIPPED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores"}
# Fields that hold a variable's name as a plain string.
NAME_FIELDS = {
    (ast.ExceptHandler, "name"),
    (ast.MatchAs, "name"),
    (ast.MatchStar, "name"),
    (ast.MatchMapping, "rest"),
}
STATEMENT_FIELDS = {"body", "orelse", "finalbody"}
# A body that calls one of these can see what its variables are called.
NAME_READERS = {"locals", "vars", "dir", "eval", "exec"}

Token = tuple[str | int | bytes, ...]


def canonical(root: ast.AST) -> Iterator[bytes]:
    """Yield the bytes piece by piece; joined they are equal for code that does the same."""
    encoder = msgspec.msgpack.Encoder()
    for token in _tokens(root):
        yield encoder.encode(token)


class _Scope:
    """One scope of the tree, and which of its names are written as numbers."""

    def __init__(self, bound: Bound, outer: "_Scope | None", *, is_class: bool = False) -> None:
        self.outer, self.is_class = outer, is_class
        self.declared_global, self.local = bound.declared_global, bound.local
        self.numbered = set[str]() if is_class else bound.renamable


class _Names:
    """Gives each local variable a number, in the order in which the walk meets them."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._numbers: dict[tuple[_Scope, str], int] = {}

    def of(self, name: str, scope: _Scope | None) -> str | int:
        owner = None if self._keep else _owner(name, scope)
        if owner is None or name not in owner.numbered:
            return name
        return self._numbers.setdefault((owner, name), len(self._numbers))


def _owner(name: str, innermost: _Scope | None) -> _Scope | None:
    scope = innermost
    while scope is not None:
        if scope is innermost or not scope.is_class:  # methods do not see their class's names
            if name in scope.declared_global:
                return None
            if name in scope.local:
                return scope
        scope = scope.outer
    return None


def _tokens(root: ast.AST) -> Iterator[Token]:
    """Walk without recursion, so that a long expression cannot overflow the stack."""
    names = _Names(keep=any(_reads_names(node) for node in ast.walk(root)))
    todo: list[tuple[Any, _Scope | None]] = [(root, None)]
    while todo:
        item, scope = todo.pop()
        match item:
            case ("name", str(name)):
                yield ("name", names.of(name, scope))
            case tuple():
                yield item
            case ast.Name(id=name):
                yield ("name", names.of(name, scope))
            case ast.Constant(value=value):
                yield _constant(value)
            case ast.AST():
                children = list(_children(item, scope))
                yield ("node", type(item).__name__, len(children))
                todo.extend(reversed(children))
            case list():
                parts = cast(list[Any], item)  # type: ignore[redundant-cast]  # pyright wants it
                yield ("list", len(parts))
                todo.extend((part, scope) for part in reversed(parts))
            case _:
                yield _constant(item)


def _reads_names(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in NAME_READERS


def _children(node: ast.AST, scope: _Scope | None) -> Iterator[tuple[Any, _Scope | None]]:
    """Yield what the node is made of, each with the scope that its names are looked up in."""
    if isinstance(node, Comprehension):
        yield from _comprehension(node, scope)
        return
    outer, inner = _scopes(node, scope)
    for field, value in ast.iter_fields(node):
        value = _meaningful(node, field, value)
        if value is None or value == [] or field in SKIPPED_FIELDS:
            continue
        yield ("field", field), None
        yield value, inner if field == "body" else outer


def _scopes(node: ast.AST, scope: _Scope | None) -> tuple[_Scope | None, _Scope | None]:
    """Return the scope of a node's head and that of its body."""
    if type_parameters := getattr(node, "type_params", None):
        named = Bound(interface={parameter.name for parameter in type_parameters})
        scope = _Scope(named, scope)
    if isinstance(node, Function):
        return scope, _Scope(bound_by_function(node), scope)
    if isinstance(node, ast.ClassDef):
        return scope, _Scope(bound_by(node.body), scope, is_class=True)
    return scope, scope


def _comprehension(
    node: Comprehension, outer: _Scope | None
) -> Iterator[tuple[Any, _Scope | None]]:
    inner = _Scope(bound_by_comprehension(node), outer)
    made = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
    yield from ((part, inner) for part in made)
    for generator in node.generators:
        first = generator is node.generators[0]
        yield ("generator", generator.is_async, len(generator.ifs)), None
        yield generator.target, inner
        yield generator.iter, outer if first else inner
        yield from ((condition, inner) for condition in generator.ifs)


def _meaningful(node: ast.AST, field: str, value: Any) -> Any:
    if value is None:
        return None
    if (type(node), field) in NAME_FIELDS:
        return ("name", value)
    if isinstance(node, ast.Nonlocal):
        return [("name", name) for name in value]
    if isinstance(node, ast.JoinedStr):
        return list(_merged(value))
    if field in STATEMENT_FIELDS and not isinstance(node, ast.Lambda | ast.IfExp):
        return [statement for statement in value if not _does_nothing(statement)]
    return value


def _does_nothing(statement: ast.stmt) -> bool:
    """Tell docstrings, `...` and `pass`, which are there for the reader or the grammar."""
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case _:
            return False


def _merged(values: Iterable[ast.expr]) -> Iterator[ast.expr]:
    """Join neighbouring literal parts of an f-string, which Python versions split differently."""
    text = ""
    for value in values:
        if isinstance(value, ast.Constant):
            text += str(value.value)
            continue
        if text:
            yield ast.Constant(text)
        text = ""
        yield value
    if text:
        yield ast.Constant(text)


def _constant(value: object) -> Token:
    """Write type and value; not by `repr` where that depends on the Python version or has limits."""
    match value:
        case str():
            return ("constant", "str", value.encode(errors="surrogatepass"))
        case bytes():
            return ("constant", "bytes", value)
        case bool():
            return ("constant", "bool", int(value))
        case int():
            return ("constant", "int", hex(value))
        case _:
            return ("constant", type(value).__name__, repr(value))
