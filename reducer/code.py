"""The digest of a function's own source, by which a run can tell that its code was changed."""

import ast
import functools
import hashlib
import inspect
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

from holdfast.eventlog import HoldfastError

from .canonical import canonical
from .scopes import Function

SIZE_BYTES = 16
MAX_WRAPPERS = 100

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_known: weakref.WeakKeyDictionary[FunctionType, bytes] = weakref.WeakKeyDictionary()


class NoSuchFunction(HoldfastError):
    """A source was asked for a function that it does not define."""

    code = "no_such_function"
    exit_status = 2

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, sorted(set(known))
        super().__init__(
            f"the source defines no {name!r}; it has: {', '.join(self.known) or 'no functions'}. "
            "Name one of these"
        )


def digest(function: Callable[..., Any]) -> bytes:
    """Return 16 bytes that change when what the function's source says changes; never raise.

    Wrappers, partial applications and bound methods count as what they wrap. Where there is no
    source (functions in C, classes, several lambdas in one line) the qualified name stands in. The
    source is read when first asked for, so ask before the file can change on disk.
    """
    if type(function) is FunctionType and (known := _known.get(function)):
        return known
    plain = _unwrapped(function)
    if not isinstance(plain, FunctionType):
        return _digest_of_name(plain)
    if plain not in _known:
        node = _definition_of(plain)
        _known[plain] = _digest_of_name(plain) if node is None else _hashed(canonical(node))
    return _known[plain]


def digest_source(source: str, name: str | None = None) -> bytes:
    """Return the digest of the function of this qualified name, or of the whole source.

    Raises `SyntaxError` where the source is not Python, `NoSuchFunction` where the name is missing.
    """
    module = ast.parse(source)
    if name is None:
        return _hashed(canonical(module))
    scope: ast.Module | Definition = module
    for part in name.replace("<locals>.", "").split("."):
        found = [node for node in _definitions(scope.body) if node.name == part]
        if not found:
            raise NoSuchFunction(name, (node.name for node in _definitions(module.body)))
        scope = found[-1]
    return _hashed(canonical(scope))


def _hashed(pieces: Iterable[bytes]) -> bytes:
    hasher = hashlib.blake2b(digest_size=SIZE_BYTES)
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def _digest_of_name(function: Any) -> bytes:
    if not hasattr(function, "__qualname__"):
        return _digest_of_name(function.__class__)
    name = f"{function.__module__}:{function.__qualname__}"
    return _hashed([name.encode(errors="surrogatepass")])


def _definitions(body: Iterable[ast.AST]) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, Definition):
            yield node
        elif not isinstance(node, ast.expr):
            yield from _definitions(ast.iter_child_nodes(node))


def _unwrapped(function: Any) -> Any:
    for _ in range(MAX_WRAPPERS):
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif callable(wrapped := getattr(function, "__wrapped__", None)):
            function = wrapped
        elif isinstance(function, type) or inspect.isroutine(function):
            break
        elif isinstance(call := _call_method(function), FunctionType):
            function = call
        else:
            break
    return function


def _call_method(instance: object) -> object:
    return inspect.getattr_static(type(instance), "__call__", None)


def _definition_of(function: FunctionType) -> ast.AST | None:
    """Find the only definition that starts where the function does and bears its name."""
    code = function.__code__
    try:
        lines, _ = inspect.findsource(code)
        functions = _functions("".join(lines))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # no source is one of the answers, not an error
    found = functions.get((code.co_name, code.co_firstlineno), [])
    return found[0] if len(found) == 1 else None


@functools.lru_cache(maxsize=8)
def _functions(source: str) -> dict[tuple[str, int], list[Function]]:
    """Return the functions of a source by name and first line, which is that of a decorator if there is one."""
    found: dict[tuple[str, int], list[Function]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Lambda):
            found.setdefault(("<lambda>", node.lineno), []).append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.decorator_list[0] if node.decorator_list else node
            found.setdefault((node.name, first.lineno), []).append(node)
    return found
