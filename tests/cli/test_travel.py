"""fork, rewind, retry, plan and resume --accept from the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

STEPS = """
from pathlib import Path

from holdfast import Run, workflow


def shout(text: str) -> str:
    return text.upper()


def check(text: str) -> str:
    if not Path("mended").exists():
        raise OSError("not mended")
    return text + "!"


@workflow
async def steps(run: Run, text: str = "hello") -> str:
    loud = await run.step("shout", shout, text, pure=True)
    await run.note("shouted")
    return await run.step("check", check, loud)


@workflow
async def asks(run: Run) -> str:
    said = await run.agent("say", "hi", agent="command", options={"command": ["cat"]}, retries=0)
    await run.approve("go", subject="always the same")
    return said
"""


@pytest.fixture
def done(cli: Cli, folder: Path) -> Cli:
    """A run `r` that has succeeded."""
    (folder / "s.py").write_text(STEPS)
    (folder / "mended").touch()
    cli("run", "s.py:steps", "--id", "r")
    return cli


@pytest.fixture
def failed(cli: Cli, folder: Path) -> Cli:
    """A run `r` that has failed at `check`."""
    (folder / "s.py").write_text(STEPS)
    cli("run", "s.py:steps", "--id", "r", status=1)
    return cli


def size(cli: Cli) -> int:
    return sum(row["offset"] for row in cli.json("ps", "--all"))


# --- what works ------------------------------------------------------------------------------------


def test_fork_prints_the_new_run_and_where_it_left(done: Cli) -> None:
    assert done.json("fork", "r", "--at", "check") == {"run": "r.2", "parent": "r", "offset": 5}
    assert done("fork", "r", "--at", "3", "--id", "mine").out == "mine\n"


def test_fork_with_a_given_result_goes_on_from_there(done: Cli) -> None:
    printed = done.json("fork", "r", "--set", 'shout="quiet"', "--run")

    assert (printed["run"], printed["status"], printed["output"]) == ("r.2", "succeeded", "quiet!")
    assert done.json("show", "r")["output"] == "HELLO!"


def test_fork_with_another_input_keeps_the_other_fields(done: Cli) -> None:
    printed = done.json("fork", "r", "--input", '{"text": "bye"}', "--run")

    assert printed["output"] == "BYE!"


def test_a_rewound_runs_old_way_is_still_there(done: Cli) -> None:
    printed = done.json("rewind", "r", "--to", "check")
    assert printed == {"run": "r", "parent": "r@1", "offset": 5}

    assert done.json("resume", "r")["status"] == "succeeded"
    assert done.json("show", "r@1")["output"] == "HELLO!"


def test_retry_goes_on_after_the_cause_was_mended(failed: Cli, folder: Path) -> None:
    (folder / "mended").touch()

    retried = failed("retry", "r", "--json", "-v")

    printed = json.loads(retried.out)
    assert "check  done" in retried.err
    assert (printed["run"], printed["status"], printed["output"]) == ("r", "succeeded", "HELLO!")
    assert failed.json("show", "r@1")["status"] == "failed"


def test_retry_may_only_prepare(failed: Cli, folder: Path) -> None:
    (folder / "mended").touch()

    assert failed.json("retry", "r", "check", "--no-run")["parent"] == "r@1"
    assert failed.json("resume", "r")["output"] == "HELLO!"


def test_edited_code_goes_on_when_it_is_accepted(cli: Cli, folder: Path) -> None:
    (folder / "s.py").write_text(STEPS)
    prompt = 'await run.approve("go"'
    cli("run", "s.py:asks", "--id", "r", status=3)
    (folder / "s.py").write_text(STEPS.replace(prompt, f'await run.note("new")\n    {prompt}'))

    cli("resume", "r", status=1)
    plan = cli.json("plan", "resume", "r")
    printed = cli.json("resume", "r", "--accept", status=3)

    assert "go" in plan["difference"]
    assert [i["key"] for i in plan["items"] if i["action"] == "kept"] == ["say"]
    assert printed["waiting"] == ["go"]
    assert cli.json("resume", "r", "--accept", status=3)["offset"] > printed["offset"]


def test_options_that_exclude_each_other_are_refused_before_edited_code_is_accepted(
    cli: Cli, folder: Path
) -> None:
    (folder / "s.py").write_text(STEPS)
    cli("run", "s.py:asks", "--id", "r", status=3)
    (folder / "s.py").write_text(STEPS.replace('"go"', '"gone"'))
    before = cli.lines("log", "r")

    said = cli("resume", "r", "--accept", "--detach", "--keep-edits", status=2).err

    assert "leave out --detach" in said
    assert cli.lines("log", "r") == before


def test_plan_tells_all_and_writes_nothing(done: Cli) -> None:
    before = size(done)

    plan = done.json("plan", "fork", "r", "--set", 'shout="quiet"')
    text = done("plan", "fork", "r", "--set", 'shout="quiet"').out

    fields = {"run", "reason", "offset", "at", "difference", "ends", "items", "roles", "totals"}
    assert plan.keys() == fields
    assert [(i["key"], i["action"]) for i in plan["items"]] == [
        ("shout", "reused"),
        ("check", "runs"),
    ]
    assert plan["items"][0].keys() >= {"because", "certain", "repeats_effect", "lapses", "cost_usd"}
    assert plan["totals"]["runs"]["count"] == 1
    assert "check" in text
    assert size(done) == before


@pytest.mark.parametrize("verb", [["rewind", "--to", "check"], ["fork", "--at", "check"]])
def test_every_way_has_its_plan(done: Cli, verb: list[str]) -> None:
    plan = done.json("plan", verb[0], "r", *verb[1:])

    assert (plan["reason"], plan["offset"], plan["at"]) == (verb[0], 5, 5)
    assert {i["key"]: i["action"] for i in plan["items"]} == {"shout": "kept", "check": "runs"}


def test_a_retry_has_its_plan(failed: Cli) -> None:
    plan = failed.json("plan", "retry", "r")

    assert {i["key"]: i["action"] for i in plan["items"]} == {"shout": "kept", "check": "runs"}


# --- what is refused -------------------------------------------------------------------------------

SECRET = "sk-" + "a1B2" * 12


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["fork", "r", "--at", "99"], "no frame 99"),
        (["fork", "r", "--at", "chek"], "no step 'chek'. Did you mean: 'check'"),
        (["fork", "r", "--at", "check", "--set", "shout=1"], "before frame"),
        (["fork", "r", "--set", "shout=1"], "does not fit what the step returns"),
        (["fork", "r", "--set", "shout=no json"], "is no JSON"),
        (["fork", "r", "--set", "shout"], "names no step. Write: --set STEP="),
        (["fork", "r", "--model", "=gpt"], "names no step. Write: --model STEP="),
        (["fork", "r", "--prompt", "say=@none"], "cannot be read"),
        (["fork", "r", "--set", f'shout="{SECRET}"'], "secret"),
        (["fork", "r", "--input", f'{{"text": "{SECRET}"}}'], "secret"),
        (["fork", "r", "--input", '{"text": 1}'], "text"),
        (["fork", "r", "--input", '{"other": 1}'], "other"),
        (["fork", "r", "--input", "[]"], "not an object"),
        (["fork", "r", "--fresh", "--reuse"], "exclude one another"),
        (["fork", "r", "--workflow", "none.py"], "none.py"),
        (["fork", "r", "--at", "3", "--id", "r"], "'r'"),
        (["fork", "none", "--at", "3"], "none"),
        (["rewind", "r", "--to", "0"], "no frame 0"),
        (["retry", "r"], "has succeeded, so it cannot be retried"),
        (["resume", "r", "--accept"], "has succeeded"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    done: Cli, args: list[str], words: str
) -> None:
    before = size(done)

    said = done(*args, status=2).err

    assert words in said
    assert size(done) == before
    if "--id" not in args and "--accept" not in args:
        assert words in done("plan", *args, status=2).err


def test_a_run_that_waits_has_nothing_to_retry(cli: Cli) -> None:
    cli("run", "w.py:wait", "--id", "w", status=3)

    assert "nothing to retry" in cli("retry", "w", status=2).err
    assert "no failed step 'x'" in cli("retry", "w", "x", status=2).err


def test_errors_are_told_as_json_too(done: Cli) -> None:
    said = json.loads(done("fork", "r", "--at", "99", "--json", status=2).out)

    assert said["error"]["code"] == "no_such_frame"
