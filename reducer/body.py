"""Reads one function of a workflow file and tells what in it a replay could not repeat."""

import ast
from collections.abc import Iterable, Iterator

import msgspec

from .impure import FILE, PATH_METHODS, Rule, is_function, rule_for
from .lookup import (
    AnyDef,
    Scope,
    dotted,
    function_named,
    is_mutable_global,
    is_run,
    is_run_name,
    kind_of,
)
from .scopes import children_in_scope, parameters

DURABLE = {"agent", "model", "shell", "step", "approve", "ask", "wait", "sleep", "sleep_until"} | {
    "parallel",
    "map",
    "race",
    "child",
}
MUTATORS = {"append", "appendleft", "extend", "insert", "add", "update", "setdefault", "sort"} | {
    "pop",
    "popleft",
    "popitem",
    "remove",
    "discard",
    "clear",
    "reverse",
}
# Builtins that do not care in which order they are given things, and those that keep the order.
ORDER_FREE = {"sorted", "sum", "min", "max", "any", "all", "len", "set", "frozenset"}
ORDER_KEEPING = {"list", "tuple", "enumerate", "iter", "zip", "map", "filter", "reversed"}
# Where an awaitable is neither awaited nor handed on; the value is the field that it stands in.
LOST_IN = (
    ast.Expr
    | ast.Attribute
    | ast.Subscript
    | ast.FormattedValue
    | ast.Compare
    | ast.BinOp
    | ast.UnaryOp
    | ast.If
    | ast.While
    | ast.Assert
)

ORDER = Rule("order", "has no fixed order", "sorted(...)")
SHARED = Rule(
    "global", "outlives the run, and no event records it", "a local variable, or a step's result"
)
NOT_AWAITED = Rule(
    "not-awaited", "is never awaited, so it does not happen", "await ..., or run.parallel(...)"
)


class Remark(msgspec.Struct, frozen=True):
    """A rule that a node breaks, and the words for what was found there."""

    node: ast.expr | ast.stmt
    rule: Rule
    what: str


Reached = tuple[AnyDef, Scope]


class Body:
    """One function's body: `remarks()` is what is wrong in it, `reached()` what else it runs."""

    def __init__(self, body: Iterable[ast.AST], scope: Scope, run_methods: dict[str, Reached]):
        self._body, self._scope, self._run_methods = list(body), scope, run_methods
        self._parents: dict[ast.AST, ast.AST] = {}
        self._nodes = list(self._walk())

    def _walk(self) -> Iterator[ast.AST]:
        todo = list(self._body)
        while todo:
            node = todo.pop()
            yield node
            children = list(self._children(node))
            self._parents.update((child, node) for child in children)
            todo.extend(children)

    def _children(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what the workflow itself evaluates: no annotations, no function given to a step."""
        if isinstance(node, ast.Lambda):
            yield node.body
        if isinstance(node, ast.Attribute) and dotted(node, self._scope) is not None:
            return  # the whole chain is looked at as one name
        given = _work_of_step(node)
        for child in children_in_scope(node):
            if child is given:
                yield from _evaluated_in(child)
            elif not (isinstance(node, ast.AnnAssign) and child is node.annotation):
                yield child

    # --- what else it runs ------------------------------------------------------------------------

    def reached(self) -> Iterator[Reached]:
        """Yield the functions of the same file that run as part of this one."""
        for node in self._nodes:
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    found = function_named(name, self._scope)
                    if found and (_takes_run(*found) or self._is_run_by(node)):
                        yield found
                case ast.Call(func=ast.Attribute(attr=name), args=args):
                    if name in self._run_methods and self._any_run(args):
                        yield self._run_methods[name]
                case _:
                    pass

    def _is_run_by(self, name: ast.Name) -> bool:
        parent = self._parents.get(name)
        if not isinstance(parent, ast.Call):
            return False
        return name is parent.func or (self._is_durable(parent, "map") and name in parent.args[:1])

    def _any_run(self, args: Iterable[ast.expr]) -> bool:
        return any(is_run_name(argument, self._scope) for argument in args)

    # --- what is wrong ----------------------------------------------------------------------------

    def remarks(self) -> Iterator[Remark]:
        """Yield what a replay could not repeat, in no particular order."""
        for node in self._nodes:
            match node:
                case ast.Call():
                    yield from self._call(node)
                case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                    yield from self._reference(node)
                case ast.For(iter=iterable):
                    yield from self._iteration(iterable)
                case ast.Starred(value=iterable):
                    if not isinstance(self._parents.get(node), ast.Set):
                        yield from self._iteration(iterable)
                case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
                    yield from self._comprehension(node)
                case ast.Global(names=names):
                    yield Remark(node, SHARED, f"`global {', '.join(names)}`")
                case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
                    yield from self._mutation(node, value)
                case _:
                    pass

    def _call(self, call: ast.Call) -> Iterator[Remark]:
        name = dotted(call.func, self._scope)
        rule = rule_for(name) if name else None
        if name and rule and not rule.reads and not _is_pure(call, rule):
            yield Remark(call, rule, f"`{_short(name)}()`")
        yield from self._method(call)
        yield from self._ordered_by_call(call, name or "")
        if self._is_awaitable(call) and self._is_lost(call):
            yield Remark(call, NOT_AWAITED, f"`{ast.unparse(call.func)}(...)`")

    def _method(self, call: ast.Call) -> Iterator[Remark]:
        match call.func:
            case ast.Attribute(value=value, attr=attr):
                kind = kind_of(value, self._scope)
                if kind == "path" and attr in PATH_METHODS:
                    yield Remark(call, FILE, f"`Path.{attr}()`")
                if kind == "set" and attr == "pop":
                    yield Remark(call, ORDER, "`set.pop()`")
                if attr in MUTATORS:
                    yield from self._mutation(call, value)
            case _:
                pass

    def _reference(self, node: ast.Name | ast.Attribute) -> Iterator[Remark]:
        """Judge a name that is not called here: a value like `os.environ`, or a callback."""
        name = dotted(node, self._scope)
        rule = rule_for(name) if name else None
        if not name or rule is None:
            return
        parent = self._parents.get(node)
        passed = isinstance(parent, ast.keyword) or (
            isinstance(parent, ast.Call) and node is not parent.func
        )
        if rule.reads or (passed and is_function(name) and not rule.note):
            yield Remark(node, rule, f"`{_short(name)}`")

    def _mutation(self, node: ast.expr, target: ast.expr) -> Iterator[Remark]:
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
        if isinstance(target, ast.Name) and is_mutable_global(target.id, self._scope):
            yield Remark(node, SHARED, f"a change of the module's `{target.id}`")

    # --- order ------------------------------------------------------------------------------------

    def _iteration(self, iterable: ast.expr) -> Iterator[Remark]:
        if kind_of(iterable, self._scope) == "set":
            yield Remark(iterable, ORDER, f"a set, `{ast.unparse(iterable)}`,")

    def _comprehension(
        self, node: ast.ListComp | ast.DictComp | ast.GeneratorExp
    ) -> Iterator[Remark]:
        parent = self._parents.get(node)
        if isinstance(parent, ast.Call) and self._builtin(parent) in ORDER_FREE:
            return
        for generator in node.generators:
            yield from self._iteration(generator.iter)

    def _ordered_by_call(self, call: ast.Call, name: str) -> Iterator[Remark]:
        joins = isinstance(call.func, ast.Attribute) and call.func.attr == "join"
        parent = self._parents.get(call)
        if isinstance(parent, ast.Call) and self._builtin(parent) in ORDER_FREE:
            return
        if (
            joins
            or name.removeprefix("builtins.") in ORDER_KEEPING
            or self._is_durable(call, "map")
        ):
            for argument in call.args:
                yield from self._iteration(argument)

    def _builtin(self, call: ast.Call) -> str:
        name = dotted(call.func, self._scope) or ""
        return name.removeprefix("builtins.") if name.startswith("builtins.") else ""

    # --- awaiting ---------------------------------------------------------------------------------

    def _is_durable(self, call: ast.Call, *names: str) -> bool:
        match call.func:
            case ast.Attribute(value=value, attr=attr):
                return attr in (names or DURABLE) and is_run_name(value, self._scope)
            case _:
                return False

    def _is_awaitable(self, call: ast.Call) -> bool:
        if self._is_durable(call):
            return True
        if not isinstance(call.func, ast.Name):
            return False
        found = function_named(call.func.id, self._scope)
        return found is not None and isinstance(found[0], ast.AsyncFunctionDef)

    def _is_lost(self, node: ast.expr) -> bool:
        parent = self._parents.get(node)
        match parent:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                return not any(self._is_handed_on(use) for use in self._uses(name))
            case ast.Subscript(slice=index):
                return node is not index
            case _:
                return isinstance(parent, LOST_IN)

    def _is_handed_on(self, use: ast.Name) -> bool:
        return not isinstance(self._parents.get(use), LOST_IN)

    def _uses(self, name: str) -> Iterator[ast.Name]:
        """Yield the places that read a variable, those in nested functions included."""
        for node in (part for statement in self._body for part in ast.walk(statement)):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                yield node


def _is_pure(call: ast.Call, rule: Rule) -> bool:
    return 0 < rule.pure_from <= len(call.args) + len(call.keywords)


def _takes_run(function: AnyDef, scope: Scope) -> bool:
    return any(is_run(parameter, scope) for parameter in parameters(function))


def _work_of_step(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="step"), args=[_, work, *_]):
            return work
        case _:
            return None


def _evaluated_in(work: ast.AST) -> Iterator[ast.AST]:
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


def _short(name: str) -> str:
    return name.removeprefix("builtins.")
