"""Whatever is typed wrong is told in one line, with a code, and nothing is half written."""

import os
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

RUN = ("run", "w.py:greet")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ((*RUN, "--input", "{name:"), "bad_input", "--input is no JSON"),
        ((*RUN, "--input", "[1]"), "bad_input", "--input is list, not an object"),
        ((*RUN, "--input", "@missing.json"), "bad_input", "No such file"),
        ((*RUN, "--input", "@\0"), "bad_input", "cannot be read"),
        ((*RUN, "-i", "name"), "bad_input", "-i name=VALUE"),
        ((*RUN, "--input", "{}"), "input_invalid", "`name`"),
        ((*RUN, "-i", "name=a", "-i", "nmae=b"), "input_invalid", "`nmae`"),
        ((*RUN, "-i", "name=a", "-i", "times=many"), "input_invalid", "`$.times`"),
        (("run", "missing.py"), "not_a_workflow", "No such file"),
        (("run", "broken.py"), "not_a_workflow", "broken.py:1"),
        (("run", "exits.py"), "not_a_workflow", "SystemExit"),
        (("run", "empty.py"), "not_a_workflow", "has no workflow"),
        (("run", "w.py"), "not_a_workflow", "several workflows"),
        (("run", "w.py:nobody"), "not_a_workflow", "has no workflow 'nobody'"),
        (("run", "nothing"), "not_a_workflow", "there are: audit, "),
        (("run",), "usage", "Missing argument"),
        (("run", "w.py:greet", "--idd", "x"), "usage", "No such option"),
        (("rum", "w.py"), "usage", "Did you mean: holdfast run"),
        (("xyzzy",), "usage", "holdfast --help"),
        (("ps", "--status", "odd"), "usage", "odd"),
        (("check", "missing.py"), "bad_input", "missing.py"),
        ((*RUN, "--input", "@empty.py"), "bad_input", "--input @empty.py is no JSON"),
        (("run", "w.py", "--jsno"), "usage", "Did you mean '--json'? See: holdfast run --help"),
        (("run", "sync.py"), "not_a_workflow", "'plain' is no async function"),
        (("run", "sync.py"), "not_a_workflow", "sync.py:2)"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_written(
    cli: Cli, args: tuple[str, ...], code: str, words: str
) -> None:
    (cli.folder / "broken.py").write_text("def (:\n")
    (cli.folder / "exits.py").write_text("import sys; sys.exit(0)")
    (cli.folder / "empty.py").write_text("")
    (cli.folder / "sync.py").write_text(
        "from holdfast import workflow\n@workflow\ndef plain(run): pass\n"
    )

    told = cli(*args, status=2)

    assert told.out == ""
    assert told.err.startswith(f"error[{code}]: ")
    assert words in told.err
    assert cli.json(*args, status=2)["error"]["code"] == code
    assert not (cli.folder / ".holdfast/log").exists()


@pytest.mark.parametrize(
    "name", ["../x", "a\nb", "x" * 101, "", "a b", ".hidden", "-x", "a/b", "é", "a\x1b[2J"]
)
def test_a_hostile_run_id_is_refused(cli: Cli, name: str) -> None:
    told = cli(*RUN, "-i", "name=Bo", f"--id={name}", status=2)

    assert told.err.startswith("error[bad_run_id]")
    assert not (cli.folder / ".holdfast/log").exists()


@pytest.mark.parametrize(
    "command", ["show", "log", "tree", "approve", "deny", "resume", "cancel", "watch"]
)
def test_an_unknown_run_is_named(cli: Cli, command: str) -> None:
    cli("run", "w.py:fail", status=1)

    for name in ["x", "../x", "a\nb", "x" * 300, "x" * 600, "", "\x1b[2J", "\udcff"]:
        told = cli(command, "--", name, status=2)

        assert told.err.startswith("error[no_such_run]"), name
        assert "holdfast ps" in told.err


@pytest.mark.parametrize("command", ["ps", "show", "log", "approve", "resume", "cancel"])
def test_without_a_project_every_command_says_how_to_make_one(cli: Cli, command: str) -> None:
    args = [] if command == "ps" else ["r"]

    told = cli(command, *args, status=2)

    assert told.err.startswith("error[project]")
    assert "holdfast run FILE" in told.err


def test_a_run_id_is_used_once(cli: Cli) -> None:
    cli(*RUN, "-i", "name=Bo", "--id", "r", status=3)

    assert "error[run_exists]" in cli(*RUN, "-i", "name=Bo", "--id", "r", status=2).err


def test_an_unknown_gate_is_named_with_those_that_are_open(cli: Cli) -> None:
    cli(*RUN, "-i", "name=Bo", "--id", "r", status=3)

    told = cli("approve", "r", "snd it", status=2)

    assert "error[no_such_gate]" in told.err
    assert "Open are: 'send it'" in told.err


def test_a_frame_that_is_not_there_is_refused(cli: Cli) -> None:
    cli(*RUN, "-i", "name=Bo", "--id", "r", status=3)

    assert "Choose --at from 0 to 6" in cli("show", "r", "--at", "7", status=2).err


def test_a_signal_s_payload_must_be_json(cli: Cli) -> None:
    cli("run", "w.py:wait", "--id", "r", status=3)

    told = cli("signal", "r", "news", "{", status=2)

    assert "error[bad_input]" in told.err
    assert """holdfast signal r news '{"answer": 42}'""" in told.err


def test_an_ended_run_cannot_be_resumed_or_decided(cli: Cli) -> None:
    cli("run", "w.py:fail", "--id", "r", status=1)

    for command in ("resume", "approve", "deny", "cancel"):
        assert "error[run_ended]" in cli(command, "r", status=2).err


def test_a_workflow_that_awaits_what_is_not_durable_is_told_what_to_write(cli: Cli) -> None:
    told = cli("run", "w.py:impure", status=1)

    assert "error[not_durable]" in told.err
    assert "run.sleep()" in told.err
    assert "go on with: holdfast resume impure-" in told.err
    stopped = cli.json("run", "w.py:impure", status=1)
    assert (stopped["status"], stopped["error"]["code"]) == ("running", "not_durable")


def test_an_unknown_agent_fails_the_run_and_names_the_known_ones(cli: Cli) -> None:
    told = cli("run", "w.py:ask_nobody", status=1)

    assert "'nobody'" in told.err
    assert "claude-code" in told.err


def test_a_home_that_cannot_be_made_is_told(cli: Cli) -> None:
    (cli.folder / "file").write_text("")

    told = cli("--home", "file/below", *RUN, "-i", "name=Bo", status=2)

    assert "error[project]" in told.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_home_is_told(cli: Cli, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)

    told = cli("--home", str(locked / "home"), *RUN, "-i", "name=Bo", status=2)

    assert "error[project]" in told.err


@pytest.mark.parametrize("args", [(), ("audit",)])
def test_without_a_command_the_help_is_shown_whole(cli: Cli, args: tuple[str, ...]) -> None:
    told = cli(*args, status=2)

    assert told.err.strip() == cli(*args, "--help").out.strip()


def test_the_commands_that_an_error_names_work_on_the_same_home(cli: Cli) -> None:
    home = "--home", "other place"
    cli(*home, "run", "w.py:fail", "--id", "r", status=1)

    assert "holdfast --home 'other place' ps" in cli(*home, "show", "x", status=2).err
    assert (
        "holdfast --home 'other place' show r"
        in cli.json(*home, "resume", "r", status=2)["error"]["message"]
    )


def test_a_home_without_runs_is_named_itself(cli: Cli) -> None:
    told = cli("--home", "nowhere", "ps", status=2)

    assert str(cli.folder / "nowhere") in told.err
    assert "or above" not in told.err


def test_a_program_outside_of_the_path_is_called_by_its_own(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/holdfast", "show", "x"])
    monkeypatch.setenv("PATH", str(cli.folder))
    cli("run", "w.py:wait", "--id", "r", status=3)

    assert ".venv/bin/holdfast ps" in cli("show", "x", status=2).err
    assert ".venv/bin/holdfast signal r news" in cli("show", "r").out


def test_one_who_approved_cannot_deny_as_well(cli: Cli) -> None:
    cli("run", "w.py:two_people", "--id", "r", status=3)
    once = cli("approve", "r", "--by", "ann")
    again = cli("approve", "r", "--by", "ann")
    other = cli("deny", "r", "--by", "ann", status=2)
    last = cli("approve", "r", "--by", "ben")

    assert "1 more must approve it" in once.out
    assert "holdfast resume" not in once.out
    assert again.out == once.out
    assert "error[already_decided]: 'ann' has approved 'both' before" in other.err
    assert "holdfast resume r" in last.out


def test_a_defect_is_told_in_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("no way")

    monkeypatch.setattr("holdfast.cli.place.Place.project", broken)

    told = cli("ps", status=1)

    assert told.err.startswith("error[internal]: TypeError: no way.")
    assert "report" in told.err
    assert "Traceback" not in told.err


def test_a_defect_shows_its_traceback_when_asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("no way")

    monkeypatch.setattr("holdfast.cli.place.Place.project", broken)
    monkeypatch.setenv("HOLDFAST_DEBUG", "1")

    assert "Traceback" in cli("ps", status=1).err


def test_ctrl_c_before_anything_runs_is_quiet(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.cli.place.Place.project", interrupted)

    assert "interrupted" in cli("ps", status=130).err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[workspace\n", "cannot be read: "),
        ("[workplace]\n", "unknown field `workplace`"),
        ("[workspace]\nset_up = 'make'\n", "unknown field `set_up` - at `$.workspace`"),
        ("[telemetry]\nopentelemetry = 'yes'\n", "Expected `bool | null`, got `str`"),
        ("[workspace]\nsetup = 1\n", "Expected `str`, got `int` - at `$.workspace.setup`"),
        ("[sandbox]\nnetwork = 'all'\n", "Invalid enum value 'all' - at `$.sandbox.network`"),
        ("[sandbox]\nread = ['data']\n", "'data' must begin with '/' or '~/' - at `$.sandbox`"),
        ("[sandbox]\nprocesses = 2\n", "2 processes are too few"),
        ("[serve]\nhttp = 1.5\n", "got `float` - at `$.serve.http`"),
        ("[[notify]]\n", "say one of desktop = true, command and webhook - at `$.notify[0]`"),
        ("[[notify]]\ndesktop = true\ncommand = 'beep'\n", "say one of desktop = true"),
        ("[[notify]]\non = ['soon']\ndesktop = true\n", "Invalid enum value 'soon'"),
        ("[[notify]]\non = []\ndesktop = true\n", "on = [] asks for nothing"),
        ("[[notify]]\nwebhook = 'example.org'\n", "must begin with https:// or http://"),
        ("[[notify]]\ncommand = 'x'\nsecret_env = 'S'\n", "secret_env is for a webhook"),
    ],
)
def test_wrong_settings_are_told_with_their_place(cli: Cli, text: str, words: str) -> None:
    (cli.folder / "holdfast.toml").write_text(text)

    told = cli(*RUN, "-i", "name=a", status=2)

    assert told.err.startswith("error[config_invalid]: ")
    assert "holdfast.toml" in told.err
    assert words in told.err
    assert not (cli.folder / ".holdfast/log").exists()
