"""Roles, fallbacks and budgets at the command line."""

import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.agents import probe
from holdfast.plugins import Readiness
from tests.cli.conftest import ROOT, Cli

CREW = """
from holdfast import Run, workflow


@workflow
async def thrice(run: Run) -> list[str]:
    return [await run.agent("ask", "hello", role="echo") for _ in range(3)]


@workflow
async def waits(run: Run) -> str:
    await run.approve("go on")
    return await run.agent("ask", "hello", role="echo")


@workflow
async def falls(run: Run) -> str:
    return await run.agent("ask", "hello", agent="codex", fallback=["echo"])
"""

ECHO = """
[roles.echo]
agent = "command"
options = { command = ["cat"] }
"""


@pytest.fixture
def crew(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A project with a role; no agent but `command` is installed."""
    (cli.folder / "crew.py").write_text(CREW)
    (cli.folder / "holdfast.toml").write_text(ECHO)
    monkeypatch.setenv("CODEX_EXECUTABLE", "no-such-program")
    return cli


def set_up(cli: Cli, *more: str) -> None:
    (cli.folder / "holdfast.toml").write_text("\n".join([ECHO, *more]))


def test_a_run_at_its_budget_says_how_to_go_on(crew: Cli) -> None:
    set_up(crew, "[limits]", "reserve_usd = 0.4")

    told = crew("run", "crew.py:thrice", "--id", "r", "--budget", "1", status=3)

    assert "waits for a decision '[budget]': the budget is reached" in told.out
    assert "  | budget: $1\n  | step: ask#3\n  | used: $0.8\n  | wanted: $0.4" in told.out
    assert "holdfast approve r budget\n  holdfast deny r budget" in told.out
    assert "waits for [budget], ask#3" in crew("ps").out
    assert "$0.80 of $1.00" in crew("show", "r").out
    assert "command" in crew("show", "r").out
    assert crew.json("show", "r")["budget"] == {
        "usd": 1.0,
        "tokens": None,
        "used_usd": 0.8,
        "used_tokens": 0,
        "reserved_usd": 0.0,
        "reserved_tokens": 0,
    }


def test_an_approved_budget_goes_on_and_ends_well(crew: Cli) -> None:
    set_up(crew, "[limits]", "reserve_usd = 0.4", "budget_usd = 1")
    crew("run", "crew.py:thrice", "--id", "r", status=3)

    crew("approve", "r", "budget", "--add", "0.5")

    assert crew("resume", "r").out.count("hello") == 3


def test_a_denied_budget_ends_the_run_with_the_status_of_its_own(crew: Cli) -> None:
    set_up(crew, "[limits]", "reserve_tokens = 400")
    crew("run", "crew.py:thrice", "--id", "r", "--budget-tokens", "1000", status=3)

    crew("deny", "r", "budget", "--note", "that is enough")
    told = crew("resume", "r", status=4)

    assert "the budget is reached, and ann decided: that is enough" in told.err


def test_more_money_is_only_for_a_budget(crew: Cli) -> None:
    crew("run", "crew.py:waits", "--id", "r", status=3)

    told = crew("approve", "r", "go on", "--add", "5", status=2)

    assert "error[no_such_gate]" in told.err


@pytest.mark.parametrize("amount", ["0", "-1", "nan", "inf", "much"])
def test_no_budget_is_made_of_odd_words(crew: Cli, amount: str) -> None:
    told = crew("run", "crew.py:thrice", f"--budget={amount}", status=2)

    assert "is no amount of dollars" in told.err
    assert not (crew.folder / ".holdfast/log").exists()


def test_a_fallback_is_told(crew: Cli) -> None:
    told = crew("run", "crew.py:falls", "--id", "r")

    assert "goes on with command, left by codex (missing_binary)" in told.err
    assert "ask: left by codex (missing_binary)" in crew("show", "r").out
    step = crew.json("show", "r")["steps"][0]
    assert (step["by"], step["left"]) == (
        "command",
        [{"by": "codex", "reason": "missing_binary", "until": None}],
    )
    assert "step.fell_back" in [line["type"] for line in crew.lines("log", "r")]
    crew("replay", "r")


def test_a_role_that_is_not_there_is_named_with_the_file_and_those_that_are(crew: Cli) -> None:
    (crew.folder / "holdfast.toml").write_text('[roles.echoes]\nagent = "command"\n')

    told = crew("run", "crew.py:thrice", "--id", "r", status=1)

    assert "error[unknown_role]" in told.err
    assert "there is no role 'echo' in holdfast.toml" in told.err
    assert "Roles there: 'echoes'" in told.err
    set_up(crew)
    assert crew("resume", "r").out.count("hello") == 3


def test_a_changed_role_is_told_on_resume_and_by_plan(crew: Cli) -> None:
    crew("run", "crew.py:waits", "--id", "r", status=3)
    crew("approve", "r")
    set_up(crew, 'model = "small"')

    planned = crew("plan", "resume", "r")
    resumed = crew("resume", "r")

    change = "role echo: command (options) -> command:small (options)"
    assert change in planned.out
    assert f"{change}, for steps that have not begun" in resumed.err
    assert crew.json("show", "r")["steps"][0]["by"] == "command:small"


def test_agents_are_listed_with_their_roles(crew: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(crew, 'fallback = ["codex:gpt-5"]')
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv("CLAUDE_CODE_EXECUTABLE", "true")

    rows = {row["agent"]: row for row in crew.json("agents")}
    told = crew("agents").out

    assert (rows["command"]["installed"], rows["command"]["roles"]) == (True, ["echo"])
    assert (rows["codex"]["installed"], rows["codex"]["roles"]) == (False, ["echo (fallback)"])
    assert "CODEX_EXECUTABLE" in rows["codex"]["detail"]
    assert (rows["claude-code"]["login"], rows["claude-code"]["roles"]) == (
        "ANTHROPIC_API_KEY",
        ["default"],
    )
    assert rows["command"]["login"] is None
    assert "unknown" in next(line for line in told.splitlines() if line.startswith("command"))


def test_the_settings_in_the_readme_are_understood(crew: Cli) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    [text] = [block for block in blocks if "[roles.reviewer]" in block]
    (crew.folder / "holdfast.toml").write_text(text)

    rows = {row["agent"]: row["roles"] for row in crew.json("agents")}

    assert rows["codex"] == ["reviewer", "default (fallback)"]


def test_an_agent_that_does_not_answer_or_raises_is_told_as_such() -> None:
    class Broken:
        async def run(self, task: Any, emit: Any) -> Any: ...

        def readiness(self) -> Readiness:
            raise OSError("no luck")

    class Late(Broken):
        def readiness(self) -> Readiness:
            import threading

            threading.Event().wait(5)
            return Readiness(True, "")

    found = probe({"broken": Broken(), "late": Late()}, timeout_s=0.05)

    assert "OSError: no luck" in found["broken"].detail
    assert "no answer within 0.05 s" in found["late"].detail


def test_the_doctor_finds_a_broken_file_and_agents_that_are_not_there(crew: Cli) -> None:
    set_up(crew, 'fallback = ["codx:gpt-5"]')
    unknown = {row["what"]: row for row in crew.json("doctor", status=1)}
    (crew.folder / "holdfast.toml").write_text("[limits]\nshell = 0\n")
    broken = {row["what"]: row for row in crew.json("doctor", status=1)}

    assert "[roles.echo] names the agent 'codx'" in unknown["holdfast.toml"]["detail"]
    assert broken["holdfast.toml"]["status"] == "broken"
    assert "`$.limits.shell`" in broken["holdfast.toml"]["detail"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[roles.x]\nagnet = 'a'", "[roles.x]: Object contains unknown field `agnet`"),
        ("[roles.x]\npermissions = 'all'", "[roles.x]: Invalid enum value 'all'"),
        ("[roles.x]\nfallback = 'codex'", "[roles.x]: Expected `array`"),
        ("roles = 3", "`$.roles`"),
        ("[limits]\nagents = { codex = 0 }", "`$.limits.agents[...]`"),
        ("[limits]\nbudget_usd = -1", "`$.limits.budget_usd`"),
        ("[limits]\nbudget_usd = nan", "`$.limits.budget_usd`"),
        ("[limits]\nrun = 'many'", "`$.limits.run`"),
    ],
)
def test_settings_that_do_not_fit_are_named(crew: Cli, text: str, words: str) -> None:
    (crew.folder / "holdfast.toml").write_text(text)

    told = crew("run", "crew.py:thrice", status=2)

    assert told.err.startswith("error[config_invalid]")
    assert words in told.err
    assert str(Path("holdfast.toml")) in told.err
