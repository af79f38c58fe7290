"""How a workflow calls its run: the arguments, the names, and what has to stand around a call.

The signatures are those of `Run` itself, so that what is told here cannot be another version's.
"""

import ast
import difflib
import inspect
from collections.abc import Collection, Iterator

import msgspec

from .body import STEPS, Body
from .errors import BadName
from .impure import Rule
from .instead import shortened
from .lookup import AnyDef, function_named, is_run_name
from .run import Run
from .tasks import check_name

NAMED = STEPS - {"wait", "sleep", "sleep_until", "child"} | {"loop", "workspace"}
PLAIN = {"now", "random", "uuid"}
AWAITED_BY_PEOPLE = {"wait", "approve", "ask"}

ARGUMENT = Rule("argument", "is no argument that it takes", "")
MISSING = Rule("argument", "lacks", "")
NO_SUCH_CALL = Rule("no-such-call", "is nothing that a run can do", "")
BAD_NAME = Rule("name", "cannot name a step", "")
TWICE = Rule("name", "is the name of another one here: it becomes", "", note=True)
PLAIN_CALL = Rule("await", "is no durable call: there is nothing to await", "")
CALLED_EARLY = Rule("called-early", "is called outside of the step", "")
SPREAD = Rule("argument", "is one list, not several calls", "")
LOOP = Rule("loop", "is iterated without `async`", "")
ENTERED = Rule("workspace", "is entered without `async`", "")
UNBOUNDED = Rule("unbounded", "has no ceiling", "")
ENDLESS = Rule("unbounded", "never ends", "")
NO_AGENT = Rule("unknown-agent", "is no agent here", "")
NO_ROLE = Rule("unknown-role", "is no role of holdfast.toml", "")
NO_WORKFLOW = Rule("unknown-workflow", "is no workflow here", "")


class Known(msgspec.Struct, frozen=True):
    """The names that a project has; None where they are not known."""

    agents: Collection[str] | None = None
    roles: Collection[str] | None = None
    workflows: Collection[str] | None = None


class Miscall(msgspec.Struct, frozen=True):
    """A rule that a call breaks, the words for what was found, and what to write instead."""

    node: ast.expr | ast.stmt | ast.keyword
    rule: Rule
    what: str
    instead: str


def miscalls(body: Body, known: Known) -> Iterator[Miscall]:
    """Yield what is wrong with the calls of a body's run, in no particular order."""
    for node in body.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if is_run_name(
                value, body.scope
            ):
                yield from _call(body, node, method, known)
            case ast.Await(value=ast.Call(func=ast.Attribute(value=value, attr=method) as call)):
                if method in PLAIN and is_run_name(value, body.scope):
                    plain = ast.unparse(node.value)
                    yield Miscall(node, PLAIN_CALL, f"`{ast.unparse(call)}()`", plain)
            case ast.For(iter=ast.Call() as call) if body.is_durable(call, "loop"):
                head = f"async for {ast.unparse(node.target)} in {ast.unparse(call)}:"
                yield Miscall(call, LOOP, "`run.loop(...)`", head)
            case ast.With(items=items):
                yield from _entered(body, items)
            case ast.While():
                yield from _unbounded(body, node)
            case _:
                pass
    yield from _twice(body)


def _call(body: Body, call: ast.Call, method: str, known: Known) -> Iterator[Miscall]:
    function = getattr(Run, method, None)
    if method.startswith("_") or not callable(function):
        real = [name for name in dir(Run) if not name.startswith("_")]
        near = difflib.get_close_matches(method, real, n=1) or ["step"]
        yield Miscall(call, NO_SUCH_CALL, f"`run.{method}(...)`", f"run.{near[0]}(...)")
        return
    yield from _arguments(call, method, inspect.signature(function))
    yield from _name(call, method)
    yield from _names(call, method, known)
    if method == "step":
        yield from _called_early(body, call)
    if method in ("parallel", "race"):
        yield from _spread(call, method)


# --- arguments ------------------------------------------------------------------------------------


def _arguments(call: ast.Call, method: str, signature: inspect.Signature) -> Iterator[Miscall]:
    parameters = [*signature.parameters.values()][1:]
    kinds = {parameter.kind for parameter in parameters}
    keywords = {keyword.arg for keyword in call.keywords}
    spread = None in keywords or any(isinstance(one, ast.Starred) for one in call.args)
    names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for keyword in call.keywords:
            if keyword.arg is not None and keyword.arg not in names:
                yield _unknown(keyword, method, names)
    places = [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        for extra in call.args[len(places) :]:
            if not isinstance(extra, ast.Starred):
                shape = f"run.{method}({', '.join(places)}, NAME=...)"
                yield Miscall(extra, ARGUMENT, f"`{shortened(extra)}`", shape)
    known = inspect.Parameter.VAR_KEYWORD in kinds or keywords <= {*names, None}
    if spread or not known:  # what is misspelled is not told again as missing
        return
    given = {*places[: len(call.args)], *keywords}
    lacking = [p.name for p in parameters if _is_needed(p) and p.name not in given]
    if lacking:
        shape = ", ".join([*map(shortened, call.args), *(f"{name}=..." for name in lacking)])
        rule = msgspec.structs.replace(MISSING, does=f"lacks {' and '.join(lacking)}")
        yield Miscall(call, rule, f"`run.{method}(...)`", f"run.{method}({shape})")


def _unknown(keyword: ast.keyword, method: str, names: list[str]) -> Miscall:
    assert keyword.arg is not None, "a name was given"
    near = difflib.get_close_matches(keyword.arg, names, n=1)
    instead = f"{near[0]}={shortened(keyword.value)}" if near else f"one of: {', '.join(names)}"
    return Miscall(keyword, ARGUMENT, f"`{keyword.arg}=` of `run.{method}(...)`", instead)


def _is_needed(parameter: inspect.Parameter) -> bool:
    starred = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    return not starred and parameter.default is parameter.empty


def _called_early(body: Body, call: ast.Call) -> Iterator[Miscall]:
    """Find `run.step("a", fetch(url))`, where the function was to be called by the step."""
    match call.args:
        case [name, ast.Call(func=ast.Name(id=called)) as work, *_]:
            found = function_named(called, body.scope)
            if found is not None and not _makes_functions(found[0]):
                given = [name, ast.Name(called), *work.args]
                told = ", ".join(map(shortened, given))
                yield Miscall(work, CALLED_EARLY, f"`{called}(...)`", f"run.step({told})")
        case _:
            pass


def _makes_functions(function: AnyDef) -> bool:
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    nested = any(isinstance(node, inner) for one in function.body for node in ast.walk(one))
    return nested or (isinstance(function, ast.FunctionDef) and function.returns is None)


def _spread(call: ast.Call, method: str) -> Iterator[Miscall]:
    match call.args:
        case [ast.List() | ast.ListComp() | ast.GeneratorExp() as calls]:
            instead = f"run.{method}(*{shortened(calls)})"
            yield Miscall(calls, SPREAD, f"`{shortened(calls)}`", instead)
        case _:
            pass


# --- names ----------------------------------------------------------------------------------------


def _name(call: ast.Call, method: str) -> Iterator[Miscall]:
    name = _literal(call, method)
    if name is None:
        return
    try:
        check_name(name)
    except BadName:
        plain = "".join(c if c.isprintable() and c not in "/[]#" else " " for c in name)
        instead = repr(" ".join(plain.split())[:60] or method)
        yield Miscall(call, BAD_NAME, f"`{name[:60]!r}`", instead)


def _literal(call: ast.Call, method: str) -> str | None:
    """Return the name that a call gives its step, where it is written out."""
    if method not in NAMED:
        return None
    given = call.args[0] if call.args else _keyword(call, "name")
    match given:
        case ast.Constant(value=str(name)):
            return name
        case _:
            return None


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _names(call: ast.Call, method: str, known: Known) -> Iterator[Miscall]:
    """Find literal names of agents, roles and workflows that nobody has."""
    agent, role = (_keyword(call, name) for name in ("agent", "role"))
    if method == "agent" and known.agents is not None:
        yield from _absent(agent, NO_AGENT, known.agents, "agent=")
    is_named = agent is not None or _keyword(call, "model") is not None
    if method in ("agent", "model") and known.roles is not None and not is_named:
        yield from _absent(
            role, NO_ROLE, known.roles, "role=", "a table [roles.{}] there, or agent="
        )
    if method == "child" and known.workflows is not None and call.args:
        yield from _absent(call.args[0], NO_WORKFLOW, known.workflows, "", "a file: 'name.py:name'")


def _absent(
    given: ast.expr | None, rule: Rule, there: Collection[str], keyword: str, other: str = ""
) -> Iterator[Miscall]:
    match given:
        case ast.Constant(value=str(name)) if name and ".py" not in name and ":" not in name:
            if name in there:
                return
            near = difflib.get_close_matches(name, there, n=1)
            some = f"one of: {', '.join(sorted(there)) or 'none are there'}"
            instead = f"{keyword}{near[0]!r}" if near else other.format(name) or some
            yield Miscall(given, rule, f"`{name!r}`", instead)
        case _:
            pass


def _twice(body: Body) -> Iterator[Miscall]:
    """Note names that come twice among the statements of one block, where both always happen."""
    seen: dict[object, int] = {}
    calls = [node for node in body.nodes if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        if not body.is_durable(call, *NAMED) or not isinstance(call.func, ast.Attribute):
            continue
        name = _literal(call, call.func.attr)
        block = _block(body, call)
        if name is None or block is None:
            continue
        count = seen[block, name] = seen.get((block, name), 0) + 1
        if count > 1:
            what, instead = f"`{name!r}`", f"a name of its own, as in {f'{name} again'!r}"
            rule = msgspec.structs.replace(TWICE, does=f"{TWICE.does} `{name}#{count}`")
            yield Miscall(call, rule, what, instead)


def _block(body: Body, node: ast.AST) -> tuple[ast.AST | None, str] | None:
    """Return which list of statements a call stands in; None where it may not happen with the others."""
    child = node
    while (parent := body.parent(child)) is not None and not isinstance(child, ast.stmt):
        if isinstance(parent, ast.Lambda | ast.IfExp | ast.BoolOp):
            return None
        child = parent
    if parent is None:
        return None, ""
    fields = ast.iter_fields(parent)
    return parent, next((n for n, v in fields if isinstance(v, list) and child in v), "")


# --- what stands around ---------------------------------------------------------------------------


def _entered(body: Body, items: list[ast.withitem]) -> Iterator[Miscall]:
    for item in items:
        call = item.context_expr
        if isinstance(call, ast.Call) and body.is_durable(call, "workspace"):
            alias = f" as {ast.unparse(item.optional_vars)}" if item.optional_vars else ""
            head = f"async with {ast.unparse(call)}{alias}:"
            yield Miscall(call, ENTERED, "`run.workspace(...)`", head)


def _unbounded(body: Body, loop: ast.While) -> Iterator[Miscall]:
    inside = [node for one in loop.body for node in ast.walk(one)]
    methods = {
        node.func.attr
        for node in inside
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and is_run_name(node.func.value, body.scope)
    }
    always = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
    ends = (ast.Break, ast.Return, ast.Raise, ast.Await, ast.Yield)
    if always and not any(isinstance(node, ends) for node in inside):
        yield Miscall(loop, ENDLESS, "`while True:`", "a condition, or break")
    if not methods & STEPS or "continue_as_new" in methods:
        return
    rule = UNBOUNDED
    if not always or methods & AWAITED_BY_PEOPLE:
        rule = msgspec.structs.replace(UNBOUNDED, note=True)
    what = f"`while {shortened(loop.test)}:` around steps"
    yield Miscall(loop, rule, what, 'async for _ in run.loop("try", max=10):  # break ends it')
