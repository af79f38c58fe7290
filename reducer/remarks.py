"""What in a function's body a replay could not repeat: the judgement behind `check`."""

import ast
from collections.abc import Iterator

import msgspec

from .body import Body
from .impure import FILE, PATH_METHODS, Rule, is_function, rule_for
from .instead import instead_of, shortened
from .kinds import is_mutable_global

GROWING = {"append", "appendleft", "extend", "insert", "add", "update", "setdefault"}
SHRINKING = {"pop", "popleft", "popitem", "remove", "discard", "clear"}
MUTATORS = GROWING | SHRINKING | {"sort", "reverse"}
# Builtins that do not care in which order they are given things, and those that keep the order.
ORDER_FREE = {"sorted", "sum", "min", "max", "any", "all", "len", "set", "frozenset"}
ORDER_KEEPING = {"list", "tuple", "enumerate", "iter", "zip", "map", "filter", "reversed"}
# What neither awaits an awaitable that stands directly in it nor hands it on.
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
    """A rule that a node breaks, the words for what was found, and better ones than the rule's for
    what to write instead."""

    node: ast.expr | ast.stmt
    rule: Rule
    what: str
    instead: str = ""


def remarks(body: Body) -> Iterator[Remark]:
    """Yield what a replay could not repeat, in no particular order."""
    for node in body.nodes:
        match node:
            case ast.Call():
                yield from _call(body, node)
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                yield from _reference(body, node)
            case ast.For(iter=iterable):
                yield from _iteration(body, iterable)
            case ast.Starred(value=iterable) if not isinstance(body.parent(node), ast.Set):
                yield from _iteration(body, iterable)
            case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
                yield from _comprehension(body, node)
            case ast.Global(names=names):
                yield Remark(node, SHARED, f"`global {', '.join(names)}`")
            case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
                yield from _mutation(body, node, value)
            case _:
                pass


def _call(body: Body, call: ast.Call) -> Iterator[Remark]:
    name = body.name(call.func)
    rule = rule_for(name)
    if rule and not rule.reads and not _is_pure(call, rule):
        yield Remark(call, rule, f"`{_short(name)}()`", instead_of(name, call))
    if isinstance(call.func, ast.Attribute):
        yield from _method(body, call, call.func)
    yield from _ordered_by_call(body, call)
    if body.is_awaitable(call) and _is_lost(body, call):
        instead = f"await {shortened(call)}" if body.is_durable(call) else ""
        yield Remark(call, NOT_AWAITED, f"`{ast.unparse(call.func)}(...)`", instead)


def _is_pure(call: ast.Call, rule: Rule) -> bool:
    return 0 < rule.pure_from <= len(call.args) + len(call.keywords)


def _method(body: Body, call: ast.Call, method: ast.Attribute) -> Iterator[Remark]:
    kind = body.kind(method.value)
    if kind == "path" and method.attr in PATH_METHODS:
        yield Remark(call, FILE, f"`Path.{method.attr}()`")
    if kind == "set" and method.attr == "pop":
        yield Remark(call, ORDER, "`set.pop()`")
    if method.attr in MUTATORS:
        yield from _mutation(body, call, method.value)


def _reference(body: Body, node: ast.Name | ast.Attribute) -> Iterator[Remark]:
    """Judge a name that is not called here: a value like `os.environ`, or a callback."""
    name = body.name(node)
    rule = rule_for(name)
    if rule is None:
        return
    parent = body.parent(node)
    called = isinstance(parent, ast.Call) and node is parent.func
    passed = isinstance(parent, ast.Call | ast.keyword) and not called
    if rule.reads or (passed and is_function(name)):
        yield Remark(node, rule, f"`{_short(name)}`")


def _mutation(body: Body, node: ast.expr, target: ast.expr) -> Iterator[Remark]:
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    if isinstance(target, ast.Name) and is_mutable_global(target.id, body.scope):
        yield Remark(node, SHARED, f"a change of the module's `{target.id}`")


# --- order ----------------------------------------------------------------------------------------


def _iteration(body: Body, iterable: ast.expr) -> Iterator[Remark]:
    if body.kind(iterable) == "set":
        yield Remark(iterable, ORDER, f"the set `{ast.unparse(iterable)}`")


def _comprehension(
    body: Body, node: ast.ListComp | ast.DictComp | ast.GeneratorExp
) -> Iterator[Remark]:
    if not _order_is_lost_around(body, node):
        for generator in node.generators:
            yield from _iteration(body, generator.iter)


def _ordered_by_call(body: Body, call: ast.Call) -> Iterator[Remark]:
    joins = isinstance(call.func, ast.Attribute) and call.func.attr == "join"
    keeps = joins or _builtin(body, call) in ORDER_KEEPING or body.is_durable(call, "map")
    if keeps and not _order_is_lost_around(body, call):
        for argument in call.args:
            yield from _iteration(body, argument)


def _order_is_lost_around(body: Body, node: ast.expr) -> bool:
    parent = body.parent(node)
    return isinstance(parent, ast.Call) and _builtin(body, parent) in ORDER_FREE


def _builtin(body: Body, call: ast.Call) -> str:
    module, _, name = body.name(call.func).rpartition(".")
    return name if module == "builtins" else ""


# --- awaiting -------------------------------------------------------------------------------------


def _is_lost(body: Body, node: ast.expr) -> bool:
    parent = body.parent(node)
    match parent:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return all(isinstance(body.parent(use), LOST_IN) for use in body.uses(name))
        case ast.Subscript(slice=index):
            return node is not index
        case _:
            return isinstance(parent, LOST_IN)


def _short(name: str) -> str:
    return name.removeprefix("builtins.")
