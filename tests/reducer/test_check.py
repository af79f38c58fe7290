"""What `check` finds in workflow bodies, and above all what it leaves alone."""

from textwrap import dedent, indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.reducer.check import Finding, check

HEADER = """\
import asyncio, datetime, os, pathlib, random, shutil, subprocess, time, uuid
import httpx, requests, trio
import holdfast, urllib.parse, urllib.request
import time as t
import functools
from datetime import date, datetime as dt
from os import environ
from pathlib import Path
from typing import Annotated
from holdfast import Run, workflow
from .near import time as near
"""


GLOBALS = "CACHE = {}; CONSTANT = {}\nCOUNTS: dict[str, int] = {}\n"


def body(source: str, *, before: str = "") -> list[Finding]:
    """Check these lines as the body of a workflow."""
    head = f"{HEADER}{dedent(before)}\n@workflow\nasync def work(run: Run, goal: str) -> str:\n"
    return check(head + indent(dedent(source), "    "), "work.py")


def codes(source: str, *, before: str = "") -> list[str]:
    return [finding.code for finding in body(source, before=before)]


@pytest.mark.parametrize(
    ("line", "code", "instead"),
    [
        ("time.time()", "clock", "run.now()"),
        ("t.monotonic()", "clock", "run.now()"),
        ("dt.now()", "clock", "run.now()"),
        ("datetime.datetime.utcnow()", "clock", "run.now()"),
        ("date.today()", "clock", "run.now()"),
        ("time.strftime('%Y')", "clock", "run.now()"),
        ("dict(default_factory=time.time)", "clock", "run.now()"),
        ("random.choice([1, 2])", "random", "run.random()"),
        ("random.Random()", "random", "run.random()"),
        ("os.urandom(8)", "random", "run.random()"),
        ("uuid.uuid4()", "random", "run.uuid()"),
        ("time.sleep(1)", "sleep", "run.sleep"),
        ("await trio.sleep(1)", "sleep", "run.sleep"),
        ("await asyncio.sleep(1)", "sleep", "run.sleep"),
        ("open('a').read()", "file", "run.step"),
        ("with open('a') as f: pass", "file", "run.step"),
        ("Path('a').read_text()", "file", "run.step"),
        ("(Path('a') / goal).parent.mkdir()", "file", "run.step"),
        ("p = pathlib.Path(goal)\np.write_text('')", "file", "run.step"),
        ("Path.cwd()", "file", "run.step"),
        ("os.listdir()", "file", "run.step"),
        ("os.path.exists('a')", "file", "run.step"),
        ("shutil.rmtree('a')", "file", "run.step"),
        ("list(map(os.remove, [goal]))", "file", "run.step"),
        ("requests.get(goal)", "network", "run.step"),
        ("urllib.request.urlopen(goal)", "network", "run.step"),
        ("async with httpx.AsyncClient() as client: pass", "network", "run.step"),
        ("import litellm\nlitellm.completion()", "network", "run.model"),
        ("subprocess.run(['ls'])", "process", "run.shell"),
        ("os.system('ls')", "process", "run.shell"),
        ("os.environ['HOME']", "environment", "an input"),
        ("environ.get('HOME')", "environment", "an input"),
        ("os.getenv('HOME')", "environment", "an input"),
        ("async with trio.open_nursery() as nursery: pass", "task", "run.parallel"),
        ("await asyncio.gather()", "task", "run.parallel"),
        ("asyncio.create_task(goal)", "task", "run.parallel"),
        ("with trio.fail_after(3): pass", "task", "timeout="),
        ("input('sure?')", "input", "run.ask"),
        ("print(goal)", "print", "run.note"),
        ("hash(goal)", "identity", "data"),
        ("sorted([goal], key=lambda x: id(x))", "identity", "data"),
        ("for x in {1, 2}: pass", "order", "sorted"),
        ("for x in set(goal) | {1}: pass", "order", "sorted"),
        ("s = {x for x in goal}\nlist(s)", "order", "sorted"),
        ("[x for x in frozenset(goal)]", "order", "sorted"),
        ("', '.join({goal})", "order", "sorted"),
        ("run.parallel(*{goal}); x = 1", "order", "sorted"),
        ("global N\nN = 1", "global", "local variable"),
        ("CACHE[goal] = 1", "global", "local variable"),
        ("CACHE.setdefault(goal, 1)", "global", "local variable"),
        ("COUNTS[goal] += 1", "global", "local variable"),
        ("paths: set[str] = goal\nfor x in paths: pass", "order", "sorted"),
        ("def later(when=time.time()): pass", "clock", "run.now()"),
        ("await run.step('a', print, time.time())", "clock", "run.now()"),
        ("await run.step('a', open(goal).read)", "file", "run.step"),
        ("await run.step('a', functools.partial(print, dt.now()))", "clock", "run.now()"),
    ],
)
def test_what_a_replay_cannot_repeat_is_found(line: str, code: str, instead: str) -> None:
    findings = [x for x in body(line, before=GLOBALS) if x.code != "not-awaited"]

    assert [finding.code for finding in findings] == [code]
    assert instead in findings[0].instead


@pytest.mark.parametrize(
    "line",
    [
        "run.agent('a', goal)",
        "x = run.agent('a', goal)",
        "x = run.shell('a', goal)\nprint_ = x.stdout",
        "x = run.shell('a', goal).stdout",
        "return f\"{run.model('a', goal)}\"",
        "if run.approve('a') == 1: pass",
        "if not run.ask('a', goal): pass",
        "run.parallel(run.agent('a', goal))",
        "async def one(): await run.sleep(1)\none()",
        "helper(run)",
    ],
)
def test_a_durable_call_that_nobody_awaits_is_found(line: str) -> None:
    helper = "async def helper(run: Run) -> None:\n    await run.sleep(1)\n"

    assert codes(line, before=helper) == ["not-awaited"]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("await run.agent('a', goal)", id="awaited"),
        pytest.param("x = run.agent('a', goal)\nreturn await x", id="awaited later"),
        pytest.param("x = run.agent('a', goal)\nawait run.parallel(x)", id="handed to parallel"),
        pytest.param("await run.race(run.sleep(1), run.wait('go'))", id="race"),
        pytest.param("xs = [run.agent(x, x) for x in goal]\nawait run.parallel(*xs)", id="list"),
        pytest.param("x = run.sleep(1)\nasync def f(): await x\nawait f()", id="awaited inside"),
        pytest.param("await run.map(lambda x: run.agent(x, x), goal)", id="lambda"),
        pytest.param("return (await run.shell('a', goal)).stdout", id="attribute of the result"),
        pytest.param("await run.step('a', time.time)", id="function given to a step"),
        pytest.param("await run.step('a', lambda: time.time())", id="lambda given to a step"),
        pytest.param("await run.step('a', Path(goal).read_text)", id="method given to a step"),
        pytest.param("await run.step('a', functools.partial(open, goal))", id="partial to a step"),
        pytest.param("def f(): return time.time()\nawait run.step('a', f)", id="inner step"),
        pytest.param(
            "async for i in run.loop('a', max=3):\n  await run.agent(f'{i}', '')", id="loop"
        ),
        pytest.param(
            "await run.note(goal); run.now(); run.random(); run.uuid()", id="from the log"
        ),
        pytest.param("goal.time(); goal.read_text(); goal.open()", id="unknown objects"),
        pytest.param("time = goal\ntime.time()", id="shadowed module"),
        pytest.param("sorted(goal, key=lambda time: time.time())", id="shadowed by a lambda"),
        pytest.param("[os.getenv() for os in goal]", id="shadowed by a comprehension"),
        pytest.param("open = goal\nopen('a')", id="shadowed builtin"),
        pytest.param("near.time()", id="a module of one's own"),
        pytest.param("os.path.join('a', goal) + os.sep", id="pure parts of os"),
        pytest.param("urllib.parse.quote(goal)", id="pure part of urllib"),
        pytest.param("(Path('a') / goal).with_suffix('.b').name", id="path arithmetic"),
        pytest.param("p = Path(goal) if goal else goal\np.open()", id="perhaps a path"),
        pytest.param("datetime.datetime(2020, 1, 1)", id="a date of its own"),
        pytest.param("time.strftime('%Y', time.gmtime(0))", id="formatted time"),
        pytest.param("random.Random(7)", id="seeded"),
        pytest.param("try: pass\nexcept requests.Timeout: pass", id="exception classes"),
        pytest.param("raise asyncio.CancelledError()", id="raising"),
        pytest.param("x: dt = run.now()", id="annotation"),
        pytest.param("for x in sorted({1, 2}): pass", id="sorted set"),
        pytest.param("sum(x for x in {1, 2}); len({1}); 1 in {1}", id="order-free use of a set"),
        pytest.param("{x for x in {1, 2}}; {*{1}}", id="set to set"),
        pytest.param("s = set(goal)\ns = list(goal)\nfor x in s: pass", id="perhaps a set"),
        pytest.param("CACHE = {}\nCACHE[goal] = 1\nCACHE.clear()", id="a local of the same name"),
        pytest.param("CONSTANT[goal]", id="reading a global"),
        pytest.param("x = time.time()  # holdfast: allow, shown only", id="allowed"),
        pytest.param("print(\n  goal,\n)  # holdfast: allow", id="allowed at the end"),
    ],
)
def test_what_replays_well_is_left_alone(lines: str) -> None:
    assert body(lines, before=GLOBALS) == []


DESIGN_EXAMPLE = '''
from holdfast import Run, workflow
from msgspec import Struct

class Review(Struct):
    approved: bool
    comments: list[str] = []

@workflow
async def migrate(run: Run, goal: str) -> str:
    """Plan a migration, ask, then implement until tests and reviewer agree."""
    plan = await run.agent("plan", f"Plan, change nothing: {goal}", model="anthropic/claude-opus-4-5")
    await run.approve("touch the database", subject=plan)

    feedback = ""
    async for _ in run.loop("implement", max=5):
        await run.agent("code", f"{plan}\\n\\nMend: {feedback}", agent="codex")
        tests = await run.shell("test", "pytest -q", check=False)
        review = await run.model("review", tests.stdout, model="openai/gpt-5-mini", output=Review)
        if tests.ok and review.approved:
            break
        feedback = "\\n".join([tests.stdout, *review.comments])
    return (await run.shell("report", "git log -3 --oneline")).stdout
'''


def test_the_example_of_the_design_is_clean() -> None:
    assert check(DESIGN_EXAMPLE, "migrate.py") == []


# --- which functions are workflow code ------------------------------------------------------------


@pytest.mark.parametrize(
    ("imports", "decorator"),
    [
        ("from holdfast import workflow", "workflow"),
        ("from holdfast import workflow as durable", "durable"),
        ("from holdfast import *", "workflow"),
        ("from holdfast import workflow", "workflow(name='w')"),
        ("import holdfast", "holdfast.workflow"),
        ("import holdfast as h", "h.workflow"),
    ],
)
def test_a_workflow_is_known_by_its_decorator(imports: str, decorator: str) -> None:
    source = (
        f"import time\n{imports}\n@{decorator}\nasync def w(r): r.agent('a', ''); time.time()\n"
    )

    assert [x.code for x in check(source, "w.py")] == ["not-awaited", "clock"]


def test_functions_outside_of_workflows_may_do_anything() -> None:
    source = (
        "import time\nfrom other import workflow\ndef f(): time.time()\n@workflow\ndef g(): f()\n"
    )

    assert check(source, "w.py") == []


@pytest.mark.parametrize(
    ("helper", "call"),
    [
        ("async def helper(run: Run): time.time()", "await helper(run)"),
        ("async def helper(r: 'Run | None'): time.time()", "await run.parallel(helper(run))"),
        ("async def helper(r: Annotated[holdfast.Run, 1]): time.time()", "x = [helper]; x[0](run)"),
        ("async def helper(r: Run, x: int): time.time()", "await functools.partial(helper, run)()"),
        ("def helper(): time.time()", "helper()"),
        ("async def helper(item): time.time()", "await run.map(helper, goal)"),
        ("class A:\n async def helper(self, run: Run): time.time()", "await A().helper(run)"),
        (
            "async def deep(run): time.time()\nasync def helper(run): await deep(run)",
            "await helper(run)",
        ),
        ("async def helper(run): time.time(); await helper(run)", "await helper(run)"),
    ],
)
def test_helpers_that_a_workflow_runs_are_read_as_well(helper: str, call: str) -> None:
    assert codes(call, before=helper) == ["clock"]


def test_helpers_inside_of_a_workflow_know_its_run() -> None:
    assert codes("async def one(x):\n run.agent(x, x)\nawait run.map(one, goal)") == ["not-awaited"]


def test_going_on_in_a_fresh_history_is_raised_or_awaited() -> None:
    assert codes("run.continue_as_new(goal=goal)") == ["not-awaited"]
    assert codes("raise run.continue_as_new(goal=goal)") == []
    assert codes("await run.continue_as_new(goal=goal)") == []


def test_a_helper_that_is_only_given_to_steps_is_left_alone() -> None:
    helper = "def fetch(run_id: str): return requests.get(run_id)\n"

    assert codes("await run.step('a', fetch, goal)", before=helper) == []


# --- what a finding says --------------------------------------------------------------------------


def test_a_finding_names_place_cause_and_remedy() -> None:
    source = "import time as t\nfrom holdfast import workflow\n@workflow\nasync def w(run):\n    x = t.time()\n"

    assert [str(finding) for finding in check(source, "flows/w.py")] == [
        "flows/w.py:5:9: `time.time()` reads the clock [clock]. Write instead: run.now()"
    ]


def test_a_note_says_that_it_is_one() -> None:
    [finding] = body("print(goal)")

    assert finding.note
    assert ": note: `print()` prints again on every replay [print]" in str(finding)


def test_findings_come_in_the_order_of_lines_and_once_each() -> None:
    helper = "async def helper(run: Run): time.time()\n"

    found = body("await helper(run)\nopen(goal)\nawait helper(run)\nhash(goal)", before=helper)

    assert [x.code for x in found] == ["clock", "file", "identity"]
    assert found == sorted(found)


def test_a_syntax_error_is_one_finding_with_its_line() -> None:
    [finding] = check("x = 1\ndef (:\n", "w.py")

    assert (finding.code, finding.line) == ("syntax", 2)


@pytest.mark.parametrize("source", ["x = '\0'", "(" * 500, "-" * 100_000 + "1", ""])
def test_strange_sources_never_raise(source: str) -> None:
    assert len(check(source, "w.py")) == bool(source)


def test_names_defined_by_each_other_end() -> None:
    assert body("a = b = 1\na = b\nb = a\nfor x in a: pass") == []


@given(st.text(max_size=60) | st.text("\\\n\t\r\f'\"#(:x ", max_size=20))
def test_any_text_gets_an_answer(text: str) -> None:
    sources = [text, f"{text}  # holdfast: allow", f"def f(x: {text!r}): x = {text!r}"]
    for finding in [finding for source in sources for finding in check(source, "w.py")]:
        assert finding.line >= 1
