"""One function of a workflow file: what it evaluates itself, and which functions it runs."""

import ast
from collections.abc import Iterable, Iterator

from .kinds import Kind, kind_of
from .lookup import AnyDef, Scope, dotted, function_named, is_run, is_run_name
from .scopes import children_in_scope, parameters

# Methods of a run that answer with something to await.
STEPS = {
    "agent",
    "model",
    "shell",
    "step",
    "child",
    "approve",
    "ask",
    "wait",
    "sleep",
    "sleep_until",
}
DURABLE = STEPS | {"parallel", "map", "race", "continue_as_new", "note"}

Reached = tuple[AnyDef, Scope]


class Body:
    """The nodes that run when one function is called, each with the node that it stands in.

    What is given to `run.step` is left out: it runs inside of the step.
    """

    def __init__(
        self, body: Iterable[ast.AST], scope: Scope, run_methods: dict[str, Reached] | None = None
    ) -> None:
        self.scope = scope
        self._body, self._run_methods = list(body), run_methods or {}
        self._parents: dict[ast.AST, ast.AST] = {}
        self.nodes = list(self._walk())

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node around this one; None for a statement that stands in no other."""
        return self._parents.get(node)

    def name(self, node: ast.expr) -> str:
        """Return the full name that an expression refers to, empty where that is unknown."""
        return dotted(node, self.scope) or ""

    def kind(self, node: ast.expr) -> Kind | None:
        """Return what an expression certainly is."""
        return kind_of(node, self.scope)

    def uses(self, variable: str) -> Iterator[ast.Name]:
        """Yield the places that read a variable, those in nested functions included."""
        for node in (part for statement in self._body for part in ast.walk(statement)):
            match node:
                case ast.Name(id=name, ctx=ast.Load()) if name == variable:
                    yield node
                case _:
                    pass

    def is_durable(self, call: ast.Call, *methods: str) -> bool:
        """Tell whether this calls one of these methods of the run; any durable one by default."""
        match call.func:
            case ast.Attribute(value=value, attr=attr):
                return attr in (methods or DURABLE) and is_run_name(value, self.scope)
            case _:
                return False

    def is_awaitable(self, call: ast.Call) -> bool:
        """Tell whether this makes something that does nothing until it is awaited."""
        if self.is_durable(call):
            return True
        if not isinstance(call.func, ast.Name):
            return False
        found = function_named(call.func.id, self.scope)
        return found is not None and isinstance(found[0], ast.AsyncFunctionDef)

    def reached(self) -> Iterator[Reached]:
        """Yield the functions of the same file that run as part of this one."""
        for node in self.nodes:
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    found = function_named(name, self.scope)
                    if found and (_takes_run(*found) or self._is_run_by(node)):
                        yield found
                case ast.Call(func=ast.Attribute(attr=name), args=args):
                    if name in self._run_methods and self._any_run(args):
                        yield self._run_methods[name]
                case _:
                    pass

    def _is_run_by(self, name: ast.Name) -> bool:
        call = self.parent(name)
        if not isinstance(call, ast.Call):
            return False
        return name is call.func or (self.is_durable(call, "map") and name in call.args[:1])

    def _any_run(self, arguments: Iterable[ast.expr]) -> bool:
        return any(is_run_name(argument, self.scope) for argument in arguments)

    def _walk(self) -> Iterator[ast.AST]:
        todo = list(self._body)
        while todo:
            node = todo.pop()
            yield node
            children = list(self._children(node))
            self._parents.update((child, node) for child in children)
            todo.extend(children)

    def _children(self, node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.Lambda):
            yield node.body  # most are called on the spot, as the key of a sort
        if isinstance(node, ast.Attribute) and self.name(node):
            return  # the whole chain is looked at as one name
        work = _work_of_step(node)
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
        for child in children_in_scope(node):
            if child is work:
                yield from _evaluated_before_step(child)
            elif child is not annotation:
                yield child


def _takes_run(function: AnyDef, scope: Scope) -> bool:
    return any(is_run(parameter, scope) for parameter in parameters(function))


def _work_of_step(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="step"), args=[_, work, *_]):
            return work
        case _:
            return None


def _evaluated_before_step(work: ast.AST) -> Iterator[ast.AST]:
    """Yield what is evaluated before the step begins: `open(x)` in `open(x).read`."""
    match work:
        case ast.Attribute(value=value):
            while isinstance(value, ast.Attribute):
                value = value.value
            if not isinstance(value, ast.Name):
                yield value
        case ast.Call(func=ast.Name(id="partial") | ast.Attribute(attr="partial")):
            yield from work.args[1:]
            yield from work.keywords
        case ast.Name() | ast.Lambda():
            return
        case _:
            yield work
