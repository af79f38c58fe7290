"""What the commands print: JSON that scripts rely on, and text for people."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
CORE = {"run", "status", "output", "error", "offset", "waiting"}


def waiting_run(cli: Cli) -> None:
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)


def test_run_prints_one_object(cli: Cli) -> None:
    printed = cli.json("run", "w.py:greet", "--input", '{"name": "Bo"}', "--id", "r", status=3)

    assert printed.keys() >= CORE
    assert printed["run"] == "r"
    assert printed["status"] == "waiting"
    assert printed["waiting"] == ["send it"]
    assert printed["output"] is None
    assert printed["offset"] == 6


def test_resume_prints_the_output(cli: Cli) -> None:
    waiting_run(cli)
    cli("approve", "r")

    printed = cli.json("resume", "r")

    assert printed.keys() >= CORE
    assert (printed["status"], printed["output"]) == ("succeeded", "hello Bo")


def test_a_failed_run_prints_its_error(cli: Cli) -> None:
    printed = cli.json("run", "w.py:fail", status=1)

    assert printed["status"] == "failed"
    assert printed["error"]["code"] == "step_failed"
    assert "no good" in printed["error"]["message"]


def test_show_tells_all_of_a_run(cli: Cli) -> None:
    waiting_run(cli)

    shown = cli.json("show", "r")

    assert shown.keys() >= CORE | {"steps", "gates", "timers", "usage", "input", "owner_alive"}
    assert shown["input"] == {"name": "Bo", "times": 1}
    [step] = shown["steps"]
    assert (step["key"], step["kind"], step["status"], step["attempts"]) == (
        "say", "shell", "succeeded", 1,
    )  # fmt: skip
    assert step["result"]["stdout"] == "hello Bo "
    [gate] = shown["gates"]
    assert (gate["key"], gate["open"], gate["subject"]) == ("send it", True, "hello Bo ")


def test_show_tells_how_a_run_was_at_a_frame(cli: Cli) -> None:
    waiting_run(cli)

    shown = cli.json("show", "r", "--at", "3")

    assert (shown["offset"], shown["status"]) == (3, "running")
    assert [step["status"] for step in shown["steps"]] == ["running"]
    assert shown["gates"] == []
    assert cli.json("show", "r", "--at", "0")["run"] == "r"
    assert "after 3 of 6 events" in cli("show", "r", "--at", "3").out


def test_a_step_at_a_frame_has_the_age_that_it_had_then(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting_run(cli)
    monkeypatch.setattr("time.time_ns", lambda: 2_000_000_000_000_000_000)

    assert "running  1      0.0 s" in cli("show", "r", "--at", "3").out


def test_ps_says_that_no_run_has_the_wanted_status(cli: Cli) -> None:
    waiting_run(cli)

    told = cli("ps", "--status", "failed", "--status", "cancelled")

    assert told.err == "no run is failed or cancelled. List all with: holdfast ps\n"


def test_what_a_defective_workflow_records_bears_the_time(cli: Cli) -> None:
    cli("run", "w.py:impure", "--id", "r", status=1)

    assert all(event["time"] for event in cli.lines("log", "r"))
    [row] = cli.json("ps")
    assert row["updated"] > row["started"]


def test_the_end_of_a_child_is_told_once(cli: Cli) -> None:
    cli("run", "w.py:family", "--id", "r", status=3)
    cli("approve", "r/kid")

    assert cli("resume", "r").err.count("kid  succeeded") == 1


def test_ps_prints_rows_newest_first(cli: Cli) -> None:
    waiting_run(cli)
    cli("run", "w.py:fail", "--id", "second", status=1)

    rows = cli.json("ps")

    assert [row["run"] for row in rows] == ["second", "r"]
    assert all(row.keys() >= CORE for row in rows)
    assert [row["run"] for row in cli.json("ps", "--status", "waiting")] == ["r"]
    assert [row["run"] for row in cli.json("ps", "--limit", "1")] == ["second"]


def test_ps_knows_the_output_of_what_succeeded(cli: Cli) -> None:
    waiting_run(cli)
    cli("approve", "r")
    cli("resume", "r")

    [row] = cli.json("ps")

    assert (row["status"], row["output"], row["error"]) == ("succeeded", "hello Bo", None)


def test_ps_shows_what_is_waited_for(cli: Cli) -> None:
    waiting_run(cli)

    assert re.search(r"r +greet +waiting .* waits for send it", cli("ps").out)


def test_log_prints_a_line_for_each_event(cli: Cli) -> None:
    waiting_run(cli)

    lines = cli.lines("log", "r")

    assert [line["offset"] for line in lines] == list(range(6))
    assert all(TIME.fullmatch(line["time"]) for line in lines)
    assert all(line.keys() >= {"seq", "actor", "type"} for line in lines)
    assert [line["type"] for line in lines[:4]] == [
        "run.started", "run.claimed", "step.started", "step.succeeded",
    ]  # fmt: skip
    assert lines[0]["actor"] == "cli:ann"
    assert lines[0]["input"] == {"name": "Bo", "times": 1}
    assert re.fullmatch("[0-9a-f]{32}", lines[2]["fingerprint"])
    assert lines[3]["result"]["stdout"] == "hello Bo "
    assert "step.succeeded" in cli("log", "r").out


def test_log_names_large_values_by_their_digest(cli: Cli) -> None:
    cli("run", "w.py:huge", "--id", "r")

    result = next(line for line in cli.lines("log", "r") if line["type"] == "step.succeeded")

    assert re.fullmatch("[0-9a-f]{64}", result["result"]["blob"])
    assert result["result"]["size"] > 100_000


def test_approve_records_who_and_why(cli: Cli) -> None:
    waiting_run(cli)

    printed = cli.json("approve", "r", "send it", "--by", "bea", "--note", "fine")

    assert printed == {
        "run": "r", "gate": "send it", "approved": True, "by": "bea", "offset": 7,
        "owner_alive": False,
    }  # fmt: skip
    last = cli.lines("log", "r")[-1]
    assert (last["by"], last["note"], last["actor"]) == ("bea", "fine", "cli:ann")


def test_what_an_agent_says_is_shown(cli: Cli) -> None:
    said = cli("run", "w.py:ask_somebody")

    assert "code | one" in said.err
    assert said.out == "one\ntwo\n"


def test_progress_with_json_is_shown_only_when_asked_for(cli: Cli) -> None:
    assert cli("run", "w.py:ask_somebody", "--json").err == ""

    loud = cli("run", "w.py:ask_somebody", "--json", "-v")

    assert "code | one" in loud.err
    assert json.loads(loud.out)["output"] == "one\ntwo"


def test_check_names_place_reason_and_remedy(cli: Cli) -> None:
    found = cli("check", "w.py", status=1).out

    assert re.search(r"^w\.py:\d+:\d+ sleep .* -> await run\.sleep", found)
    [finding] = [one for one in cli.json("check", "w.py", status=1) if one["code"] == "sleep"]
    assert finding.keys() >= {"file", "line", "column", "code", "found", "instead"}


def test_check_is_content_with_a_clean_file(cli: Cli) -> None:
    (cli.folder / "clean.py").write_text("x = 1\n")

    assert cli("check", "clean.py").out == ""
    assert cli.json("check", "clean.py") == []


def test_workflows_tells_what_each_one_takes(cli: Cli) -> None:
    own = cli.folder / ".holdfast/workflows"
    own.mkdir()
    (own / "mine.py").write_text(
        "from holdfast import Run, workflow\n\n"
        "@workflow\nasync def mine(run: Run, goal: str, n: int = 3) -> None:\n"
        '    """Do mine."""\n'
    )

    rows = {row["name"]: row for row in cli.json("workflows")}

    assert rows["mine"]["description"] == "Do mine."
    assert rows["mine"]["inputs"] == [
        {"name": "goal", "type": "str", "required": True, "default": None, "description": ""},
        {"name": "n", "type": "int", "required": False, "default": 3, "description": ""},
    ]
    goal = rows["implement"]["inputs"][0]
    assert (goal["name"], goal["type"]) == ("goal", "str")
    assert goal["description"]
    assert rows["mine"]["budget"] is None
    assert rows["implement"]["budget"] == {"usd": 10, "tokens": 0}
    assert "goal: str" in cli("workflows").out
    assert "it asks before it uses more than $10.00" in cli("workflows").out
    assert cli.json("run", "mine", "-i", "goal=x", "-i", "n=4")["status"] == "succeeded"
    (cli.folder / "holdfast.toml").write_text("[limits]\nbudget_usd = 2\nbudget_tokens = 9000\n")
    (mine,) = [row for row in cli.json("workflows") if row["name"] == "mine"]
    assert mine["budget"] == {"usd": 2.0, "tokens": 9000}
    assert "more than $2.00 or 9,000 tokens" in cli("workflows").out


def test_plugins_lists_the_bundled_ones(cli: Cli) -> None:
    rows = {row["plugin"]: row for row in cli.json("plugins")}

    assert "agent claude-code" in rows["bundled"]["offers"]
    assert "sandbox bubblewrap" in rows["bundled"]["offers"]
    assert "claude-code" in cli("plugins").out


def test_audit_verify_prints_the_root(cli: Cli) -> None:
    waiting_run(cli)

    verdict = cli.json("audit", "verify")

    assert (verdict["ok"], verdict["records"], verdict["fault"]) == (True, 6, None)
    assert cli("audit", "verify").out == f"ok: 6 records, root {verdict['root']}\n"


def test_doctor_names_keys_and_never_shows_them(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    found = {row["what"]: row for row in cli.json("doctor")}

    assert found["OPENAI_API_KEY"]["status"] == "ok"
    assert found["log"]["status"] == "missing"
    assert found["sandbox bubblewrap"]["detail"]
    assert "sk-secret" not in cli("doctor").out


def test_home_says_where_the_project_is(cli: Cli, tmp_path: Path) -> None:
    home = str(tmp_path / "elsewhere")

    waiting = cli("--home", home, "run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)

    assert f"holdfast --home {home} approve r" in waiting.out
    assert [row["run"] for row in cli.json("--home", home, "ps")] == ["r"]


def test_an_input_may_come_from_a_file_and_single_fields_replace_its_own(cli: Cli) -> None:
    (cli.folder / "input.json").write_text('{"name": "Bo"}')

    cli("run", "w.py:greet", "--input", "@input.json", "-i", "name=12", "-i", "times=2",
        "--id", "r", status=3)  # fmt: skip

    assert cli.json("show", "r")["input"] == {"name": "12", "times": 2}


def test_a_run_without_an_id_is_named_after_its_workflow(cli: Cli) -> None:
    assert re.fullmatch("fail-[a-z2-7]{6}", cli.json("run", "w.py:fail", status=1)["run"])


def test_cancelling_twice_is_refused(cli: Cli) -> None:
    waiting_run(cli)
    cli("cancel", "r")

    assert cli.json("cancel", "r", status=2)["error"]["code"] == "run_ended"
