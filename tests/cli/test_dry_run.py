"""`run --dry-run`: what a workflow would do, without doing it."""

from textwrap import dedent
from typing import Any

import pytest

from tests.cli.conftest import Cli

HEAD = """
from typing import Annotated, Literal
from msgspec import Meta, Struct
from holdfast import Run, workflow

class Review(Struct):
    approved: bool
    comments: list[str] = []

"""
LOOP = '''
@workflow
async def mend(run: Run, goal: str, tries: Annotated[int, Meta(ge=2)]) -> str:
    """Mend until somebody likes it."""
    async for _ in run.loop("round", max=4):
        await run.agent("code", goal, role="coder")
        review = await run.model("review", "?", model="openai/gpt-5-mini", output=Review)
        if review.approved:
            break
    await run.approve("deploy", {"goal": goal}, by=["ann", "bo"], count=2)
    return (await run.shell("deploy", "make deploy", effect=True)).stdout
'''
MANY = """
@workflow
async def many(run: Run) -> list[str]:
    async def work(item: str) -> str:
        async with run.workspace("work") as ws:
            said = await run.agent("do", item, agent="codex")
            await ws.merge()
        return said

    items = await run.model("split", "?", model="m", output=list[str])
    await run.map(work, [*items, "b", "c"], limit=2)
    return await run.parallel(
        run.child("kid.py:kid", name="kid"), run.race(run.wait("go"), run.sleep("3d"))
    )
"""
KID = (
    HEAD
    + """
@workflow
async def kid(run: Run) -> dict[str, int]:
    return await run.ask("how many", "How many?", output=dict[str, int])
"""
)


@pytest.fixture
def w(cli: Cli) -> Cli:
    """A project whose workflows are in `d.py`; `kid.py` has a child."""
    (cli.folder / "kid.py").write_text(KID)
    return cli


def write(cli: Cli, body: str, name: str = "d.py") -> None:
    (cli.folder / name).write_text(HEAD + dedent(body))


def nodes(tree: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Return all nodes by their path of names."""
    found: dict[str, dict[str, Any]] = {}
    for node in tree["children"]:
        where = f"{path}/{node['name'] or node['kind']}"
        found |= {where[1:]: node, **nodes(node, where)}
    return found


def test_steps_gates_and_loops_are_shown_and_nothing_is_written(w: Cli) -> None:
    write(w, LOOP)
    (w.folder / "holdfast.toml").write_text('[roles.coder]\nagent = "codex"\nmodel = "gpt-5"\n')

    told = w("run", "d.py", "--dry-run", "-i", "tries=3").out
    found = w.json("run", "d.py", "--dry-run", "-i", "tries=3")

    assert "goal = <goal>  (a sample: give one with -i)" in told
    assert "├─ round  loop, up to 4 times; 1 here\n" in told
    assert "│  ├─ code  agent codex:gpt-5, role coder  <goal>  -> <code>" in told
    assert '{"approved": true, "comments": []}' in told
    assert "deploy  approval, 2 of ann or bo  {'goal': '<goal>'}  -> approved" in told
    assert "deploy#2  shell, EFFECT outside the workspace  make deploy  -> ok" in told
    assert (found["ok"], found["status"], found["sampled"]) == (True, "succeeded", ["goal"])
    assert found["output"] == "<deploy#2>"
    assert nodes(found["tree"])["round"]["max"] == 4
    assert not (w.folder / ".holdfast" / "log").exists()


def test_branches_workspaces_children_and_races_are_nested(w: Cli) -> None:
    write(w, MANY)

    found = w.json("run", "d.py", "--dry-run")
    told = w("run", "d.py", "--dry-run").out

    tree = nodes(found["tree"])
    assert tree["parallel/<split>/work/do"]["by"] == "codex"
    assert found["tree"]["children"][1]["notes"] == ["2 at a time"]
    assert tree["parallel/kid/how many"]["sample"] == {"<key>": 1}
    assert tree["parallel/race/race/sleep"]["status"] == "not needed"
    assert "<split>  (and 2 more like it)" in told
    assert found["output"] == [{"<key>": 1}, None]


@pytest.mark.parametrize(
    ("output", "until", "samples"),
    [
        ("Review", "out.approved", "booleans are True"),
        ("Bad", "not out.bugs", "booleans are False"),
        ("Done", "out.done", "booleans are True, defaults too"),
        ("list[str]", "not out", "lists are empty"),
        ("int", "out > 9", "numbers are high"),
        ("Literal['again', 'stop']", "out == 'stop'", "of several words the last"),
    ],
)
def test_samples_are_chosen_so_that_loops_end(
    w: Cli, output: str, until: str, samples: str
) -> None:
    write(
        w,
        f"""
        class Bad(Struct):
            bugs: bool

        class Done(Struct):
            done: bool = False

        @workflow
        async def end(run: Run) -> None:
            async for _ in run.loop("try", max=9):
                out = await run.agent("ask", "?", output={output})
                if {until}:
                    break
        """,
    )

    found = w.json("run", "d.py", "--dry-run")

    assert found["status"] == "succeeded"
    assert samples in found["samples"]
    assert len(nodes(found["tree"])["try"]["children"]) == 1


@pytest.mark.parametrize(
    ("code", "samples"),
    [
        ("if (await run.agent('a', '?')).isalpha(): break", "texts are single words"),
        ("if not (await run.shell('a', 'b', check=False)).ok: break", "commands that may fail do"),
        ("if not (await run.shell('a', 'b')).stdout: break", "commands print nothing"),
    ],
)
def test_other_texts_and_commands_are_tried_as_well(w: Cli, code: str, samples: str) -> None:
    loop = f"async for _ in run.loop('try', max=3):\n        {code}"
    write(w, f"@workflow\nasync def end(run: Run) -> None:\n    {loop}\n")

    found = w.json("run", "d.py", "--dry-run")

    assert found["status"] == "succeeded"
    assert samples in found["samples"]


def test_given_samples_lead_another_way(w: Cli) -> None:
    write(w, LOOP.replace(', role="coder"', ""))
    no, yes = '{"approved": false}', '{"approved": true}'
    samples = ["--sample", f"round[1]/review={no}", "--sample", f"round[2]/rev*={yes}"]
    deny = ["--sample", "deploy=false", "--sample", "nobody=1"]

    shown = w("run", "d.py", *samples).out
    denied = w("run", "d.py", *deny, status=1)

    assert "loop, up to 4 times; 2 here" in shown
    assert "[1]  (and 1 more like it)" in shown
    assert "fails: ann denied 'deploy'" in denied.out
    assert "note: no step is called 'nobody'" in denied.err


def test_what_the_samples_break_is_told_with_its_line(w: Cli) -> None:
    write(
        w,
        """
        @workflow
        async def number(run: Run) -> int:
            said = await run.agent("count", "How many?")
            return int(said)
        """,
    )

    found = w.json("run", "d.py", "--dry-run", status=1)
    told = w("run", "d.py", "--dry-run", status=1)
    good = w.json("run", "d.py", "--sample", 'count="7"')

    line = len((HEAD + "\n@workflow\nasync def\nsaid\nreturn").splitlines())
    assert found["error"]["message"].startswith("ValueError: invalid literal")
    assert found["where"].endswith(f"d.py:{line}")
    assert "--sample 'STEP=JSON'" in told.err
    assert list(nodes(found["tree"])) == ["count"]
    assert good["output"] == 7


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("while True: await run.sleep(60)", "cut", None),
        ("while True: pass", "failed", "without awaiting anything"),
        ("await run.child('kid.py:nobody')", "failed", "has no workflow 'nobody'"),
        ("import trio; await trio.sleep(1)", "failed", "Await only calls of the run"),
        ("await run.approve('a', by=['ann'], count=2)", "failed", "more people than may decide"),
        ("await run.agent('a', 'x', output=Annotated[str, Meta(pattern='^a$')])", "failed", "'a="),
        ("raise run.continue_as_new()", "continued", None),
        ("await run.agent('a', 'x', agent='nobody')", "succeeded", None),
    ],
)
def test_what_has_no_end_or_cannot_go_on_is_said(
    w: Cli, body: str, status: str, said: str | None
) -> None:
    write(w, f"@workflow\nasync def odd(run: Run) -> None:\n    {body}\n")

    fails = status == "failed" or "nobody" in body
    found = w.json("run", "d.py", "--dry-run", status=int(fails))

    assert found["status"] == status
    assert said is None or said in found["error"]["message"]
    if "nobody" in body and status == "succeeded":
        assert found["problems"][0]["code"] == "no_such_agent"
        assert not found["ok"]


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ("agent='goose'", "goose cannot be held to permissions='read': it knows 'full'"),
        ("agent='acp:gemini', fallback=['kimi']", "'edit', 'full'; kimi cannot be held to"),
        ("agent='opencode', options={'agent': 'own'}", "opencode cannot be held to"),
        ("agent='goose', fallback=['codex']", None),  # which goes on then
        ("agent='acp:gemini', options={'mode': 'plan'}", None),
        ("agent='command'", None),
    ],
)
def test_who_cannot_be_held_to_a_steps_permissions_is_told_before_anything_is_paid(
    w: Cli, asked: str, refused: str | None
) -> None:
    call = f"await run.agent('look', 'x', permissions='read', {asked})"
    write(w, f"@workflow\nasync def odd(run: Run) -> None:\n    {call}\n")

    found = w.json("run", "d.py", "--dry-run", status=int(refused is not None))

    assert [problem["code"] for problem in found["problems"]] == ["bad_options"] * bool(refused)
    assert refused is None or refused in found["problems"][0]["message"]


def test_the_shipped_workflow_with_an_agent_that_cannot_only_read_is_no_good(w: Cli) -> None:
    (w.folder / "holdfast.toml").write_text('[roles.default]\nagent = "goose"\n')

    said = w("run", "implement", "-i", "goal=tidy", "--dry-run", status=1)

    assert "goose cannot be held to permissions='read'" in said.out + said.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--sample", "review"], "is no pair"),
        (["--sample", "review={"], "is no JSON"),
        (["-i", "tries=1"], "tries"),
        (["--detach", "--id", "x"], "--id and --detach cannot go with it"),
    ],
)
def test_bad_samples_and_inputs_are_refused(w: Cli, given: list[str], said: str) -> None:
    write(w, LOOP)

    assert said in w("run", "d.py", "--dry-run", *given, status=2).err


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ("review={}", "the sample for 'round[1]/review' does not fit it"),
        ("deploy=3", "Give true, false or"),
        ("deploy#2=[1]", "A command has a text, an exit status, or"),
        ('deploy#2={"code":3,"stdout":"no"}', "exit status 3"),
    ],
)
def test_a_sample_that_does_not_fit_is_told_with_the_step(w: Cli, sample: str, said: str) -> None:
    write(w, LOOP)

    assert said in w("run", "d.py", "--sample", sample, status=1).out


def test_an_input_without_a_sample_is_asked_for(w: Cli) -> None:
    typed = "Annotated[str, Meta(pattern='^v[0-9]$')]"
    write(w, f"@workflow\nasync def tag(run: Run, version: {typed}) -> str:\n    return version\n")

    told = w("run", "d.py", "--dry-run", status=2).err

    assert "error[cannot_sample]" in told
    assert "Give one with -i version=VALUE" in told
    assert w.json("run", "d.py", "--dry-run", "-i", "version=v1")["output"] == "v1"


def test_what_a_race_left_out_is_not_needed(w: Cli) -> None:
    write(
        w,
        """
        @workflow
        async def first(run: Run) -> str:
            async def slow() -> str:
                await run.sleep("1h")
                return await run.agent("late", "?")

            async def none() -> str:
                return "none"

            await run.race(slow(), run.agent("quick", "?", agent="codex"))
            return await run.race(none(), slow())
        """,
    )

    found = w.json("run", "d.py", "--dry-run")

    tree = nodes(found["tree"])
    assert {name: node["status"] for name, node in tree.items() if node["key"]} == {
        "race/slow": "done", "race/slow/sleep": "not needed", "race/quick": "done",
        "race/slow#2": "done", "race/none": "done",
    }  # fmt: skip
    assert found["output"] == "none"


@pytest.mark.parametrize("name", ["implement", "kanban"])
def test_shipped_workflows_play_to_their_end(w: Cli, name: str) -> None:
    found = w.json("run", name, "--dry-run")

    assert (found["status"], found["problems"]) == ("succeeded", [])
