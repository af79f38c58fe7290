"""Reads a workflow file, without running it, and finds what would not work or a replay could not repeat.

Workflow functions await durable steps and do nothing else impure; what must touch the world belongs
into a step. Only what certainly is a clock, a file and so on is reported: a method of an unknown
object never is.
"""

import ast
import re
from collections.abc import Iterator

import msgspec

from .body import Body, Reached
from .calls import Known, Miscall, miscalls
from .lookup import AnyDef, Scope, is_holdfast, is_run, scope_of_function, scope_of_module
from .remarks import Remark, remarks
from .scopes import parameters
from .shape import misshapen

ALLOW = re.compile(r"#\s*holdfast:\s*allow\b")
NOTHING_KNOWN = Known()
LINE_END = re.compile("\r\n|\r|\n")  # as Python counts lines; str.splitlines knows more ends


class Finding(msgspec.Struct, frozen=True, order=True):
    """One place in a workflow file that is wrong, and what to write instead.

    `line` and `column` count from 1. A note points at something that is only untidy.
    """

    line: int
    column: int
    code: str
    found: str
    instead: str
    file: str = ""
    note: bool = False

    def __str__(self) -> str:
        note = "note: " if self.note else ""
        return (
            f"{self.file}:{self.line}:{self.column}: {note}{self.found} [{self.code}]. "
            f"Write instead: {self.instead}"
        )


def check(source: str, filename: str, known: Known = NOTHING_KNOWN) -> list[Finding]:
    """Return what is wrong in a file's workflows, in the order of its lines.

    Names of agents, roles and workflows that are written out are held against those that are `known`.

    A line, or the last line of an expression, that ends in `# holdfast: allow` is left alone.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [_unreadable(error, filename)]
    allowed = _allowed_lines(source)
    findings = {
        _finding(remark, filename)
        for remark in _remarks(module, known)
        if allowed.isdisjoint({remark.node.lineno, remark.node.end_lineno})
    }
    return sorted(findings)


def _remarks(module: ast.Module, known: Known) -> Iterator[Remark | Miscall]:
    top = scope_of_module(module)
    yield from misshapen(module, top, list(_workflows(module, top)))
    for body in _bodies(module):
        yield from remarks(body)
        yield from miscalls(body, known)


def _finding(remark: Remark | Miscall, filename: str) -> Finding:
    return Finding(
        line=remark.node.lineno,
        column=remark.node.col_offset + 1,
        code=remark.rule.code,
        found=f"{remark.what} {remark.rule.does}".rstrip(),
        instead=remark.instead or remark.rule.instead,
        file=filename,
        note=remark.rule.note,
    )


def _unreadable(error: Exception, filename: str) -> Finding:
    line, column = 1, 1
    if isinstance(error, SyntaxError):
        line, column = error.lineno or 1, error.offset or 1
    reason = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
    return Finding(line, column, "syntax", f"not Python: {reason}", "valid Python", filename)


def _allowed_lines(source: str) -> set[int]:
    lines = LINE_END.split(source)
    return {number for number, line in enumerate(lines, start=1) if ALLOW.search(line)}


def _bodies(module: ast.Module) -> Iterator[Body]:
    """Yield each workflow of the file, then every function that one of them runs, once each."""
    top = scope_of_module(module)
    run_methods = _run_methods(module, top)
    todo: list[Reached] = [(workflow, top) for workflow in _workflows(module, top)]
    seen: set[AnyDef] = set()
    while todo:
        function, outer = todo.pop()
        if function in seen:
            continue
        seen.add(function)
        scope = scope_of_function(function, outer)
        if _is_workflow(function, top):
            scope.runs |= {parameter.arg for parameter in parameters(function)[:1]}
        body = Body(function.body, scope, run_methods)
        todo.extend(body.reached())
        yield body


def _workflows(module: ast.Module, scope: Scope) -> Iterator[AnyDef]:
    for node in ast.walk(module):
        if isinstance(node, AnyDef) and _is_workflow(node, scope):
            yield node


def _is_workflow(function: AnyDef, scope: Scope) -> bool:
    plain = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return any(is_holdfast(decorator, scope, "workflow") for decorator in plain)


def _run_methods(module: ast.Module, scope: Scope) -> dict[str, Reached]:
    return {
        method.name: (method, scope)
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, AnyDef) and any(is_run(p, scope) for p in parameters(method))
    }
