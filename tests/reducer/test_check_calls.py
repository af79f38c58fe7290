"""What `check` says of calls of the run and of a workflow's shape, and what to write instead."""

from textwrap import dedent, indent

import pytest

from holdfast.reducer.calls import Known
from holdfast.reducer.check import Finding, check

HEAD = """\
import asyncio, subprocess, time
from pydantic import BaseModel
from msgspec import Struct
from holdfast import Run, workflow

def fetch(url: str) -> str: ...
async def load(url): ...
def made(url):
    return lambda: url
"""
KNOWN = Known({"codex", "claude-code"}, {"coder"}, {"implement"})


def body(source: str) -> list[Finding]:
    head = f"{HEAD}\n@workflow\nasync def work(run: Run, goal: str) -> None:\n"
    return check(head + indent(dedent(source), "    "), "work.py", KNOWN)


@pytest.mark.parametrize(
    ("line", "code", "instead"),
    [
        ("run.agent('a', goal)", "not-awaited", "await run.agent('a', goal)"),
        ("run.note(goal)", "not-awaited", "await run.note(goal)"),
        ("await run.agent('a', promt=goal)", "argument", "prompt=goal"),
        ("await run.agent('a')", "argument", "run.agent('a', prompt=...)"),
        ("await run.shell('a', 'b', 'c')", "argument", "run.shell(name, command, NAME=...)"),
        ("await run.sleep()", "argument", "run.sleep(duration=...)"),
        ("async for _ in run.loop('a'): pass", "argument", "run.loop('a', max=...)"),
        ("await run.aprove('a')", "no-such-call", "run.approve(...)"),
        ("await run.parallel([run.sleep(1)])", "argument", "run.parallel(*[run.sleep(1)])"),
        ("await run.shell('a/b', 'x')", "name", "'a b'"),
        ("await run.step('a', fetch(goal))", "called-early", "run.step('a', fetch, goal)"),
        ("await run.now()", "await", "run.now()"),
        ("for i in run.loop('a', max=3): pass", "loop", "async for i in run.loop('a', max=3):"),
        ("with run.workspace('a') as w: pass", "workspace", "async with run.workspace('a') as w:"),
        ("while True: await run.shell('a', 'b')", "unbounded", 'async for _ in run.loop("try"'),
        ("while True: pass", "unbounded", "break"),
        ("await run.agent('a', 'b', agent='codx')", "unknown-agent", "agent='codex'"),
        ("await run.agent('a', 'b', role='boss')", "unknown-role", "[roles.boss]"),
        ("await run.child('implment')", "unknown-workflow", "'implement'"),
        ("time.sleep(3)", "sleep", "await run.sleep(3)"),
        ("await asyncio.gather(load(1))", "task", "await run.parallel(load(1))"),
        ("subprocess.run(['git', 'log'])", "process", "await run.shell(\"git\", ['git', 'log'])"),
        ("open('x')", "file", "Path('x').read_text"),
    ],
)
def test_a_wrong_call_is_found_with_what_to_write_instead(
    line: str, code: str, instead: str
) -> None:
    [finding] = body(line)

    assert (finding.code, finding.line) == (code, len(HEAD.splitlines()) + 4)
    assert instead in finding.instead
    assert not finding.note


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("await run.shell('a', 'b')\nawait run.shell('a', 'c')", "name"),
        ("while goal: await run.shell('a', 'b')", "unbounded"),
        ("while True: await run.shell('a', str(await run.wait('go')))", "unbounded"),
    ],
)
def test_what_is_only_doubtful_is_a_note(lines: str, code: str) -> None:
    assert [(finding.code, finding.note) for finding in body(lines)] == [(code, True)]


@pytest.mark.parametrize(
    "lines",
    [
        "await run.step('a', fetch, goal, anything=1)",
        "await run.step('a', made(goal))",
        "await run.agent('a', *[goal])",
        "await run.agent('a', **{'prompt': goal})",
        "await run.parallel(one=run.sleep(1), two=run.sleep(1))",
        "await run.note(goal, cost=1)",
        "await run.agent('a', 'b', agent=goal, role='boss')",
        "await run.agent('a', 'b', agent='')",
        "await run.child('kid.py:kid')",
        "await run.shell('a', 'b') if goal else await run.shell('a', 'c')",
        "if goal:\n    await run.shell('a', 'b')\nelse:\n    await run.shell('a', 'c')",
        "if goal:\n    return await run.shell('a', 'b')\nawait run.shell('a', 'c')",
        "while True:\n    await run.wait('go')\n    raise run.continue_as_new(goal=goal)",
        "while True:\n    break",
        "left = [1]\nwhile left: left.pop()",
        "async with run.workspace('a') as ws: await ws.merge()",
        "await run.map(lambda x: run.shell('a', x), goal, key=str)",
    ],
)
def test_calls_that_are_right_are_left_alone(lines: str) -> None:
    assert body(lines) == []


@pytest.mark.parametrize(
    ("source", "code", "instead"),
    [
        ("@workflow\ndef w(run: Run): pass", "not-async", "async def w(run: Run, ...)"),
        ("@workflow\nasync def w(): pass", "no-run", "async def w(run: Run, ...)"),
        ("@workflow\nasync def w(run: Run, goal): pass", "input-type", "goal: str"),
        ("@workflow\nasync def w(run: Run, *goals: str): pass", "input-type", "by its name"),
        ("async def w(run: Run) -> None: pass", "no-workflow", "@workflow above it"),
        ("class A: x: int\n@workflow\nasync def w(run: Run) -> A: ...", "type", "class A(Struct)"),
        (
            "class A(BaseModel): x: int\n@workflow\nasync def w(run: Run):"
            + " await run.agent('a', 'b', output=list[A])",
            "type",
            "class A(Struct)",
        ),
    ],
)
def test_what_keeps_a_function_from_being_a_workflow_is_found(
    source: str, code: str, instead: str
) -> None:
    [finding] = check(HEAD + source, "w.py")

    assert finding.code == code
    assert instead in finding.instead


def test_helpers_of_other_files_need_no_workflow() -> None:
    source = "from holdfast import Run\nasync def f(run: Run): ...\nasync def g(run: Run): await f(run)\n"

    assert all(finding.note for finding in check(source.replace("g(run: Run)", "g(r)"), "w.py"))
    assert check("from msgspec import Struct\nclass A(Struct): pass\n", "types.py") == []
