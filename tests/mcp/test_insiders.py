"""Whoever works inside a run decides nothing that it, or what belongs to it, waits for."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import insiders
from holdfast.cli.app import invoke
from holdfast.eventlog import Log
from holdfast.insiders import log_id
from holdfast.plugins.marks import MARK, NESTING, can_see_marks
from tests.mcp.conftest import ROOT, as_process, in_memory

APPROVE = {"decision": "approve", "by": "ann", "resume": False}


@pytest.fixture
def log(folder: Path) -> Path:
    """Runs that wait: `r` and its fork `f`, `other`, and `parent` for its child `parent/kid`."""
    for name, run in (("greet", "r"), ("greet", "other"), ("family", "parent")):
        given = ["-i", "name=Bo"] if name == "greet" else []
        invoke(["run", f"w.py:{name}", "--id", run, *given, "--json"])
    invoke(["fork", "r", "--at", "2", "--id", "f"])
    return folder / ".holdfast" / "log"


def mark(folder: Path, run: str) -> str:
    with Log.open(folder) as log:
        return f"{log_id(log)}/{log.branch_of(run)}/3/1"


@pytest.mark.parametrize(
    ("inside", "refused"),
    [
        ("r", {"r", "f"}),
        ("f", {"r", "f"}),
        ("parent", {"parent/kid"}),
        ("parent/kid", {"parent/kid"}),
    ],
)
async def test_an_insider_decides_nothing_of_its_relatives(
    log: Path, inside: str, refused: set[str]
) -> None:
    async with in_memory({"HOLDFAST_STEP": f"0123456789ab/1/1/1|{mark(log, inside)}"}) as tools:
        for run in ("r", "other", "parent/kid"):
            if run in refused:
                error = await tools.refused("decide", run=run, **APPROVE)
                assert error["code"] == "inside_run"
                assert f"inside run {inside!r}" in error["message"]
                assert error["next"]["tool"] == "inbox"
            else:
                assert (await tools("decide", run=run, **APPROVE))["missing"] == 0


async def test_neither_does_it_wave_through_the_effects_of_a_fork(log: Path) -> None:
    async with in_memory({"HOLDFAST_STEP": mark(log, "r")}) as tools:
        assert (await tools.refused("fork", run="r", at=1, allow_effects=True))[
            "code"
        ] == "inside_run"
        assert (await tools("fork", run="r", at=1, id="g"))["run"] == "g"
        assert (await tools("fork", run="other", at=1, allow_effects=True))["parent"] == "other"


@pytest.mark.parametrize("foreign", ["", "0123456789ab/1/3/1", "rubbish", "//|x/y/z"])
async def test_a_mark_of_another_log_forbids_nothing(log: Path, foreign: str) -> None:
    async with in_memory({"HOLDFAST_STEP": foreign}) as tools:
        assert (await tools("decide", run="r", **APPROVE))["gate"] == "send it"


async def test_a_mark_of_a_branch_that_is_gone_forbids_nothing(log: Path) -> None:
    own = mark(log, "r").partition("/")[0]
    async with in_memory({"HOLDFAST_STEP": f"{own}/999/3/1"}) as tools:
        assert (await tools("decide", run="r", **APPROVE))["gate"] == "send it"


async def test_a_server_within_a_step_knows_by_its_environment(log: Path, folder: Path) -> None:
    async with as_process(folder, {"HOLDFAST_STEP": mark(log, "r")}) as tools:
        assert (await tools.refused("decide", run="r", **APPROVE))["code"] == "inside_run"


@pytest.mark.skipif(not can_see_marks(), reason="this system does not show environments")
def test_a_program_that_takes_the_mark_off_what_it_starts_hides_nothing() -> None:
    inner = f"{sys.executable} -c 'from holdfast.insiders import surroundings as s; print(s()[\"{MARK}\"])'"
    script = (
        f"env -u {MARK} sh -c {shlex.quote(inner + '; true')}; true"  # `true`: sh stays above it
    )

    found = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, MARK: "a/1/2/3|b/1/2/3", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip().endswith("a/1/2/3|b/1/2/3")


def test_the_mark_is_the_one_that_steps_bear() -> None:
    assert insiders._MARK == MARK
    assert insiders._NESTING == NESTING


@pytest.mark.parametrize("verb", [("approve",), ("deny",), ("answer", "--input", "1")])
def test_the_command_line_keeps_to_the_same_rule(
    log: Path,
    verb: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOLDFAST_STEP", mark(log, "f"))

    assert invoke([verb[0], "r", *verb[1:]]) == 2
    assert "error[inside_run]" in capsys.readouterr().err


SHIP = """
from holdfast import Run, workflow


@workflow
async def ship(run: Run) -> None:
    await run.shell("publish", "echo published >> out", effect=True)
    await run.approve("after")


@workflow
async def fleet(run: Run) -> None:
    await run.child("s.py:ship", {}, name="kid")
"""


@pytest.fixture
def shipped(folder: Path) -> Path:
    """Runs whose effect has happened once, and been denied since: `f`, of `e`, and `g/kid`, of `g`."""
    (folder / "s.py").write_text(SHIP)
    for run, origin, name in (("f", "e", "ship"), ("g", "d", "fleet")):
        at, waiting = ("publish", run) if name == "ship" else ("kid", f"{run}/kid")
        invoke(["run", f"s.py:{name}", "--id", origin])
        invoke(["fork", origin, "--at", at, "--id", run, "--run"])
        invoke(["deny", waiting, "publish"])
        assert invoke(["resume", run]) == 1
    return folder / ".holdfast" / "log"


async def test_nobody_decides_a_gate_by_giving_it_a_result(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with in_memory() as tools:
        error = await tools.refused("fork", run="r", results={"send it": {"approved": True}})
    for run, key in (("r", "send it"), ("parent", "kid/send it")):
        assert invoke(["fork", run, "--set", f'{key}={{"approved": true}}']) == 2
        assert invoke(["plan", "fork", run, "--set", f'{key}={{"approved": true}}']) == 2

    assert error["code"] == "result_invalid"
    assert "'send it'" in error["message"]
    assert "people decide it, so a fork asks them" in capsys.readouterr().err


PAST_A_GATE = [
    (["fork", "e", "--at", "publish", "--allow-effects", "--run"], "effects of run 'e'"),
    (["rewind", "e", "--to", "publish", "--allow-effects"], "effects of run 'e'"),
    (["retry", "f"], "asked about in run 'f'"),
    (["retry", "g"], "asked about in run 'g'"),
    (["resume", "e", "--accept"], "changed code for run 'e'"),
    (["resume", "e", "--changed-code", "rerun"], "changed code for run 'e'"),
]


async def test_from_inside_no_way_leads_past_a_gate(
    shipped: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = runs(shipped)
    monkeypatch.setenv("HOLDFAST_STEP", f"{mark(shipped, 'd')}|{mark(shipped, 'e')}")
    capsys.readouterr()

    for words, told in PAST_A_GATE:
        assert invoke(words) == 2, words
        said = capsys.readouterr().err
        assert "error[inside_run]" in said
        assert told in said
    async with in_memory(dict(os.environ)) as tools:
        for tool, given in (
            ("fork", {"run": "e", "at": "publish", "allow_effects": True}),
            ("rewind", {"run": "e", "at": "publish", "allow_effects": True}),
            ("retry", {"run": "f"}),
            ("retry", {"run": "g"}),
        ):
            assert (await tools.refused(tool, **given))["code"] == "inside_run"

    assert runs(shipped) == before
    assert invoke(["fork", "e", "--at", "publish"]) == 0  # in which it asks, as in every fork
    monkeypatch.setenv("HOLDFAST_STEP", mark(shipped, "e"))
    assert invoke(["retry", "g", "--no-run"]) == 0  # which is of another family


def runs(folder: Path) -> list[tuple[str, int]]:
    with Log.open(folder) as log:
        return [(row.run, row.head) for row in log.runs()]
