"""`why`: one reason for every state that a run can be in, and a command that really works."""

import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast import Run, workflow
from holdfast.cli.app import invoke
from holdfast.cli.place import Place
from holdfast.cli.reasons import reasons
from holdfast.eventlog import Log, RunRow
from holdfast.plugins import AgentResult, AgentTask, Emit, RateLimited, Readiness, hookimpl
from holdfast.runs import read_state, request_cancel
from tests.cli.conftest import Cli, popen
from tests.cli.test_processes import eventually
from tests.support.lab import Lab, virtual_now

MORE = """
from holdfast import Run, workflow


@workflow
async def nap(run: Run) -> None:
    await run.sleep("2d")


@workflow
async def again(run: Run) -> None:
    await run.shell("try", "exit 1", retries=1, backoff="2h")


@workflow
async def publish(run: Run) -> None:
    await run.shell("publish", "true", effect=True)
    await run.approve("end")


@workflow
async def broken(run: Run) -> None:
    await run.step("fine", str)
    raise ValueError("no good")


@workflow
async def failing_child(run: Run) -> None:
    await run.child("w.py:fail", {}, name="kid")


@workflow
async def once(run: Run) -> None:
    await run.shell("nap", "test -e begun && exit 0; echo > begun; exec sleep 60")


@workflow
async def onwards(run: Run, n: int = 0) -> int:
    if n == 0:
        raise run.continue_as_new(n=1)
    return n


@workflow
async def two_children(run: Run) -> None:
    await run.child("w.py:greet", {"name": "Al"}, name="kid")
    await run.approve("end")
"""
WORKS = {
    0,
    1,
    3,
}  # a run may fail or wait; wrong usage is 2, and a defect is told on standard error


@pytest.fixture(autouse=True)
def more(folder: Path) -> None:
    (folder / "more.py").write_text(MORE)


def why(cli: Cli, run: str = "r") -> dict[str, Any]:
    """Ask why, as data and as three lines that say the same."""
    found: dict[str, Any] = cli.json("why", run)
    first, since, command = cli("why", run).out.splitlines()
    assert first == f"{run} {found['reason']}"
    assert since.startswith("since 20")
    assert command == found["command"]
    return found


def do(cli: Cli, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *args = shlex.split(command)
    assert program == "holdfast"
    if args[0] == "answer":
        args += ["--input", '{"place": "here"}']  # a form needs a terminal
    status = invoke(args)
    _, err = capsys.readouterr()
    assert status in WORKS, err
    assert "error[internal]" not in err


def started(reference: str, *given: str, status: int = 3) -> Callable[[Cli], object]:
    return lambda cli: cli("run", reference, *given, "--id", "r", status=status)


def then(*steps: Callable[[Cli], object]) -> Callable[[Cli], None]:
    def all_of_it(cli: Cli) -> None:
        for step in steps:
            step(cli)

    return all_of_it


def said(*words: str, status: int = 0) -> Callable[[Cli], object]:
    return lambda cli: cli(*words, status=status)


def cancelling(cli: Cli) -> None:
    with Log.open(cli.folder / ".holdfast/log") as log:
        request_cancel(log, "r", "cli:ann", "enough")


def diverging(cli: Cli) -> None:
    path = cli.folder / "w.py"
    path.write_text(path.read_text().replace("hello", "good morning"))
    cli("resume", "r", status=1)


GREET = started("w.py:greet", "-i", "name=Bo")
SITUATIONS: list[tuple[str, Callable[[Cli], object], str, str]] = [
    ("approval", GREET, "waits for approval 'send it' of anybody", "approve r 'send it'"),
    ("approval", started("w.py:two_people"), "(0 of 2 so far)", "approve r both"),
    ("question", started("w.py:question"), "waits for an answer 'where'", "answer r where"),
    ("signal", started("w.py:paid"), "with key 'order 7'", "signal r paid --key 'order 7'"),
    ("timer", started("more.py:nap"), "waits until 20", "resume r"),
    ("retrying", started("more.py:again"), "'try' failed, and is tried again at 20", "resume r"),
    ("approval", started("w.py:family"), "its child r/kid waits for", "approve r/kid 'send it'"),
    ("ready", then(GREET, said("approve", "r")), "it can go on", "resume r"),
    (
        "ready",
        then(started("more.py:two_children"), said("approve", "r/kid")),
        "its child r/kid waits for nothing any more",
        "resume r",
    ),
    ("paused", then(GREET, said("pause", "r", "--reason", "lunch")), "paused: lunch", "unpause r"),
    (
        "paused",
        then(started("w.py:family"), said("pause", "r")),
        "is paused",
        "unpause r",
    ),
    ("cancelling", then(GREET, cancelling), "is being cancelled: enough", "resume r"),
    ("cancelled", then(GREET, said("cancel", "r", "--reason", "no")), "cancelled: no", "fork r"),
    ("succeeded", started("more.py:onwards", status=0), "succeeded", "show r"),
    ("step_failed", started("w.py:fail", status=1), "step 'break' failed", "retry r break"),
    ("workflow_error", started("more.py:broken", status=1), "ValueError: no good", "retry r"),
    ("child_failed", started("more.py:failing_child", status=1), "'r/kid'", "why r/kid"),
    ("loop_exhausted", started("w.py:exhaust", status=4), "ceiling of 2", "rewind r --to try"),
    (
        "approval_denied",
        then(GREET, said("deny", "r", "--note", "no"), said("resume", "r", status=1)),
        "ann denied 'send it': no",
        "rewind r --to 'send it'",
    ),
    (
        "workflow_diverged",
        then(GREET, diverging),
        "cannot go on at step 'say'",
        "resume r --accept",
    ),
    ("not_durable", started("w.py:impure", status=1), "When that is mended, go on", "resume r"),
    (
        "effect",
        then(
            started("more.py:publish"),
            said("rewind", "r", "--to", "publish"),
            said("resume", "r", status=3),
        ),
        "this effect is held",
        "approve r publish",
    ),
]


@pytest.mark.parametrize(
    ("kind", "make", "words", "command"), SITUATIONS, ids=[f"{s[0]}-{s[3]}" for s in SITUATIONS]
)
def test_why_says_what_it_is_and_its_command_works(
    kind: str,
    make: Callable[[Cli], object],
    words: str,
    command: str,
    cli: Cli,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(cli)

    found = why(cli)

    assert (found["kind"], found["command"]) == (kind, f"holdfast {command}")
    assert words in found["reason"]
    do(cli, found["command"], capsys)


def test_an_old_history_says_where_the_run_goes_on(cli: Cli) -> None:
    cli("run", "more.py:onwards", "--id", "r")

    found = why(cli, "r@1")

    assert (found["kind"], found["command"]) == ("continued", "holdfast show r")
    assert "continues" in cli("show", "r").out
    assert "goes on   as r, with the input" in cli("show", "r@1").out
    assert "continues r@1" in cli("tree", "r").out
    assert [row["run"] for row in cli.json("ps")] == ["r"]


def test_a_gate_whose_time_ran_out_is_for_the_engine_not_for_people(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("run", "w.py:hurry", "-i", "seconds=3600", "--id", "r", status=3)
    later = time.time_ns() + 2 * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)

    found = why(cli)

    assert "its time ran out" in found["reason"]
    assert found["command"] == "holdfast resume r"


def test_what_waits_for_one_thing_is_told_no_other_reason(cli: Cli) -> None:
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)

    assert cli.json("why", "r")["also"] == []
    assert "more" not in cli("why", "r").out


def test_several_reasons_are_told_of_with_the_first(cli: Cli) -> None:
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)
    cli("pause", "r")

    found = cli.json("why", "r")

    assert [found["kind"], *(item["kind"] for item in found["also"])] == ["paused", "approval"]
    assert "more: holdfast why r --json" in cli("why", "r").out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_whose_process_is_gone_is_resumed(holdfast: Cli, number: signal.Signals) -> None:
    with popen(holdfast.folder, "run", "more.py:once", "--id", "r") as process:
        eventually((holdfast.folder / "begun").exists)
        working = holdfast.json("why", "r")
        process.send_signal(number)
        process.communicate(timeout=30)

    found = holdfast.json("why", "r")

    assert (working["kind"], working["command"]) == ("at_work", "holdfast watch r")
    assert "is at work on 'nap' (shell)" in working["reason"]
    dead = number == signal.SIGKILL
    assert found["kind"] == ("owner_dead" if dead else "interrupted")
    assert (f"process {process.pid} on" in found["reason"]) == dead
    holdfast(*shlex.split(found["command"])[1:])


class Busy:
    """An agent whose server asks for patience once."""

    def __init__(self) -> None:
        self.asked = 0

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.asked += 1
        if self.asked == 1:
            raise RateLimited("too many", until=virtual_now() + 7200 * 10**9)
        return AgentResult(text="done")

    def readiness(self) -> Readiness:
        return Readiness(ready=True, detail="always")

    @hookimpl
    def holdfast_agents(self) -> dict[str, "Busy"]:
        return {"busy": self}


async def test_a_rate_limit_says_until_when(tmp_path: Path, autojump_clock: object) -> None:
    @workflow
    async def asks(run: Run) -> str:
        return str(await run.agent("code", "do it", agent="busy"))

    lab = Lab(tmp_path, Busy())
    waiting = await lab.run(asks)
    row: RunRow = lab.log.run("r")
    found = reasons(Place(), lab.log, row, read_state(lab.log, row.branch), virtual_now())
    lab.log.close()

    assert waiting.status == "waiting"
    assert (found[0].kind, found[0].command) == ("rate_limit", "holdfast resume r")
    assert "the server of 'code' asked to wait until 20" in found[0].text
