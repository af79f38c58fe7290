"""What kind of value an expression certainly has, as far as `check` needs to know."""

import ast
from typing import Literal

from .lookup import Scope, dotted, unquoted

Kind = Literal["path", "set"]

PATHS = {"pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath"}
PATH_MAKERS = PATHS | {"pathlib.Path.cwd", "pathlib.Path.home"}
PATH_ARITHMETIC = {"with_suffix", "with_name", "with_stem", "joinpath", "relative_to"}
PATH_TO_PATH = PATH_ARITHMETIC | {"resolve", "absolute", "expanduser"}
SETS = {"builtins.set", "builtins.frozenset", "collections.abc.Set"}
SET_TO_SET = {"union", "intersection", "difference", "symmetric_difference", "copy"}
COLLECTIONS = {"Counter", "OrderedDict", "defaultdict", "deque"}
MUTABLE = {f"collections.{name}" for name in COLLECTIONS} | {
    f"builtins.{name}" for name in ("dict", "list", "set")
}
MUTABLE_DISPLAY = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp


def kind_of(node: ast.expr | None, scope: Scope) -> Kind | None:
    """Infer whether an expression is a set or a path; None where that is not certain."""
    match node:
        case ast.Set() | ast.SetComp():
            return "set"
        case ast.Name(id=name):
            return _kind_of_name(name, scope)
        case ast.BinOp(left=left, op=ast.Div()):
            return "path" if kind_of(left, scope) == "path" else None
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return "set" if kind_of(left, scope) == "set" else None
        case ast.Attribute(value=value, attr="parent"):
            return "path" if kind_of(value, scope) == "path" else None
        case ast.Call(func=function):
            return _kind_of_call(function, scope)
        case _:
            return None


def is_mutable_global(name: str, scope: Scope) -> bool:
    """Tell whether a name is a list, dictionary, set or the like at the top of the file."""
    owner = scope.owner(name)
    if owner is None or owner.outer is not None:
        return False
    return any(
        isinstance(value, MUTABLE_DISPLAY)
        or (isinstance(value, ast.Call) and dotted(value.func, owner) in MUTABLE)
        for value in owner.assigned.get(name, [])
    )


def _kind_of_call(function: ast.expr, scope: Scope) -> Kind | None:
    name = dotted(function, scope)
    if name in SETS:
        return "set"
    if name in PATH_MAKERS:
        return "path"
    if isinstance(function, ast.Attribute):
        kind = kind_of(function.value, scope)
        if function.attr in (PATH_TO_PATH if kind == "path" else SET_TO_SET):
            return kind
    return None


def _kind_of_name(name: str, scope: Scope) -> Kind | None:
    owner = scope.owner(name)
    if owner is None:
        return None
    if annotation := owner.annotated.get(name):
        plain = unquoted(annotation)
        full = dotted(plain.value if isinstance(plain, ast.Subscript) else plain, owner)
        return _kind_of_type(full)
    values = owner.assigned.pop(name, [])  # taken out meanwhile: `a = b` and `b = a` must end
    kinds: set[Kind | None] = {kind_of(value, owner) for value in values}
    owner.assigned[name] = values
    return kinds.pop() if len(kinds) == 1 else None


def _kind_of_type(name: str | None) -> Kind | None:
    if name in SETS:
        return "set"
    return "path" if name in PATHS else None
