"""`holdfast replay`: proves, steps, debugs, and tries changed code on every recorded run."""

import io
import itertools
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cli.replays import with_progress
from holdfast.replaying import Verdict
from tests.cli.conftest import ROOT, Cli
from tests.cli.travel import TRAVEL

Step = Callable[..., str]


@pytest.fixture
def runs(cli: Cli) -> Cli:
    """Runs `m` (waits), `b` (failed), `i` (stopped) and `f` (waits, two tasks) of `t.py`."""
    (cli.folder / "t.py").write_text(TRAVEL)
    cli("run", "t.py:mend", "-i", "goal=x", "--id", "m", status=3)
    cli("run", "t.py:broken", "--id", "b", status=1)
    cli("run", "t.py:impure", "--id", "i", status=1)
    cli("run", "t.py:fan", "--id", "f", status=3)
    return cli


def changed(cli: Cli, before: str, after: str, name: str = "new.py") -> str:
    assert before in TRAVEL
    (cli.folder / name).write_text(TRAVEL.replace(before, after))
    return name


# --- proving -----------------------------------------------------------------------------------


def test_unchanged_code_fits_its_record(runs: Cli) -> None:
    told = runs("replay", "m").out

    assert "replayed m: 14 events, 4 steps in 0." in told
    assert "and all of it fits" in told
    assert "it asks for: send it, news" in told


def test_replaying_writes_nothing(runs: Cli) -> None:
    before = runs("audit", "verify", "--json").out

    runs("replay", "m")
    runs("replay", "m", "--at", "7")
    runs("bisect", "m", "--check", "len(state.steps) < 3")

    assert runs("audit", "verify", "--json").out == before


def test_every_frame_fits(runs: Cli) -> None:
    for frame in range(15):
        found = runs.json("replay", "m", "--at", str(frame))
        assert (found["ok"], found["events"]) == (True, frame)


def test_the_proof_as_data(runs: Cli) -> None:
    found = runs.json("replay", "m", "--at", "4")

    assert {name: found[name] for name in found if name != "seconds"} == {
        "run": "m", "workflow": "mend", "ok": True, "events": 4, "steps": 1, "status": "running",
        "asks": ["try[2]/test"], "unrecorded": ["try[2]/test"], "stopped": None, "divergence": None,
    }  # fmt: skip
    assert "of these, not recorded yet: try[2]/test" in runs("replay", "m", "--at", "4").out


def test_a_finished_run_must_end_with_the_same_output(runs: Cli) -> None:
    runs("approve", "m")
    runs("signal", "m", "news")
    runs("resume", "m")
    assert "all of it fits" in runs("replay", "m").out

    other = changed(runs, "{goal}: {feedback}", "{goal} - {feedback}")
    told = runs("replay", "m", "--workflow", other, status=1)

    assert "the run as a whole: its output was 'x: code 1' and is 'x - code 1' now" in told.out
    assert "The workflow function is not the one that was recorded" in told.out


def test_a_failed_run_must_fail_with_the_same_error(runs: Cli) -> None:
    runs("replay", "b")

    other = changed(runs, 'value["missing"]', 'value["elsewhere"]')
    told = runs("replay", "b", "--workflow", f"{other}:broken", status=1)

    assert "KeyError: 'missing'" in told.out
    assert "KeyError: 'elsewhere'" in told.out


def test_a_run_that_stopped_stops_again(runs: Cli) -> None:
    assert "it stops as it did: the workflow awaited trio.sleep" in runs("replay", "i").out
    assert runs.json("replay", "i")["ok"] is True


def test_a_divergence_is_told_with_step_difference_event_and_what_to_do(runs: Cli) -> None:
    other = changed(runs, "check, n)", "check, n + 1)")

    told = runs("replay", "m", "--workflow", other, status=1)

    assert "m diverges at frame 3, step 'try[1]/test': args changed:" in told.out
    assert "    -[1]\n    +[2]" in told.out
    assert "step.started  try[1]/test" in told.out
    assert "a function that it calls was changed, or it reads something" in told.out
    assert f"holdfast replay m --pdb --at 2 --workflow {other}" in told.err
    found = runs.json("replay", "m", "--workflow", other, status=1)["divergence"]
    assert (found["frame"], found["key"], found["edited"]) == (3, "try[1]/test", False)
    assert found["event"]["type"] == "step.started"


def test_a_difference_cannot_steer_the_terminal(runs: Cli) -> None:
    other = changed(runs, '{goal}: {feedback}"', '\\x1b[2J"')
    runs("approve", "m")
    runs("signal", "m", "news")
    runs("resume", "m")

    assert "\x1b[2J" not in runs("replay", "m", "--workflow", other, status=1).out


def test_unchanged_code_that_does_otherwise_is_called_impure(runs: Cli) -> None:
    path = runs.folder / "moody.py"
    path.write_text(
        "from pathlib import Path\nfrom holdfast import Run, workflow\n\n\n@workflow\n"
        "async def moody(run: Run) -> None:\n"
        "    await run.step('say', len, Path('mood').read_text())\n"
    )
    (runs.folder / "mood").write_text("good")
    runs("run", "moody.py", "--id", "o")
    (runs.folder / "mood").write_text("bad")

    told = runs("replay", "o", status=1)

    assert "or it reads something that is not recorded" in told.out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "which run?"),
        (("m", "--all"), "takes nothing else"),
        (("--all",), "belong together"),
        (("--against", "t.py:mend"), "belong together"),
        (("m", "--limit", "3"), "--limit belongs to --all"),
        (("m", "--step", "--json"), "exclude each other"),
        (("nobody",), "no run is called 'nobody'"),
        (("m", "--at", "99"), "Choose --at from 0 to 14"),
        (("m", "--workflow", "nope.py"), "'nope.py' cannot be read"),
        (("m", "--workflow", "w.py"), "'w.py' has several workflows"),
    ],
)
def test_wrong_usage_is_refused(runs: Cli, args: tuple[str, ...], message: str) -> None:
    told = runs("replay", *args, status=2)

    assert message in told.out + told.err


def test_a_workflow_that_is_gone_is_asked_for(runs: Cli) -> None:
    (runs.folder / "t.py").rename(runs.folder / "moved.py")

    told = runs("replay", "m", status=2).err

    assert "say where it is now with --workflow FILE" in told
    runs("replay", "m", "--workflow", "moved.py")


# --- changed code against all runs ---------------------------------------------------------------


def test_comments_and_other_names_for_variables_change_nothing(runs: Cli) -> None:
    runs("run", "t.py:mend", "-i", "goal=y", "--id", "m2", status=3)
    other = changed(runs, "feedback", "remark")
    path = runs.folder / other
    path.write_text("# another file\n" + path.read_text().replace("Test a few times", "Try"))

    told = runs("replay", "--all", "--against", f"{other}:mend").out

    assert told == (
        "ok        m2  (waiting, 14 events)\nok        m  (waiting, 14 events)\n"
        "2 of 2 runs of 'mend' stay the same\n"
    )


def test_one_change_that_matters_is_found_among_all_runs(runs: Cli) -> None:
    runs("run", "t.py:mend", "-i", "goal=y", "-i", "times=1", "--id", "m2", status=3)
    other = changed(runs, "check, n)", "check, max(n, 2 * (n - 1)))")

    told = runs("replay", "--all", "--against", f"{other}:mend", status=1).out

    assert "diverged  m at frame 7, step 'try[3]/test', because args changed" in told
    assert "ok        m2" in told
    found = runs.json("replay", "--all", "--against", f"{other}:mend", status=1)
    assert (found["workflow"], found["ok"], found["diverged"]) == ("mend", False, 1)
    assert [(each["run"], each["ok"], each["frame"]) for each in found["runs"]] == [
        ("m2", True, None), ("m", False, 7),
    ]  # fmt: skip
    runs("replay", "--all", "--against", f"{other}:mend", "--limit", "1")


def test_failed_and_stopped_runs_are_tried_as_well(runs: Cli) -> None:
    other = changed(runs, "check, 1)", "check, 2)")

    for name in ("broken", "impure"):
        assert (
            "args changed" in runs("replay", "--all", "--against", f"{other}:{name}", status=1).out
        )


def test_forks_are_tried_as_well(runs: Cli) -> None:
    from holdfast.eventlog import Log, RunForked

    with Log.open(runs.folder / ".holdfast" / "log") as log:
        parent = log.branch_of("m")
        fork = RunForked("m-fork", "fork", "m", parent, 8, 15)
        log.create_run("m-fork", [fork], actor="t", time=1, parent=parent, offset=8, reason="fork")

    told = runs("replay", "--all", "--against", "t.py:mend").out

    assert "ok        m-fork  (running, 9 events)" in told
    assert runs.json("replay", "m-fork")["asks"] == ["try[4]/test"]


def test_a_run_whose_name_was_taken_over_is_replayed_by_its_branch(runs: Cli) -> None:
    from holdfast.eventlog import Log, RunForked

    with Log.open(runs.folder / ".holdfast" / "log") as log:
        old = log.branch_of("m")
        back = RunForked("m", "rewind", f"m@{old}", old, 8, 14)
        log.create_run(
            "m", [back], actor="t", time=1, parent=old, offset=8, reason="rewind", replaces=True
        )

    assert runs.json("replay", "m")["events"] == 9
    assert runs.json("replay", f"m@{old}")["events"] == 14
    assert runs.json("bisect", f"m@{old}", "--check", "not state.gates")["frame"] == 12
    assert f"replayed m@{old}: 14 events" in runs("replay", f"m@{old}").out


def test_many_runs_are_counted_while_they_are_tried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0, 1.5)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    verdicts = [Verdict(f"r{number}", "succeeded", 3) for number in range(4)]

    assert list(with_progress(verdicts, 4)) == verdicts

    assert capsys.readouterr().err == "2 of 4 runs in 3.0 s\n4 of 4 runs in 6.0 s\n"


def test_a_workflow_without_runs_is_told(runs: Cli) -> None:
    assert "no run of workflow 'wait' is recorded" in runs(
        "replay", "--all", "--against", "w.py:wait"
    ).err  # fmt: skip


def test_a_run_that_cannot_be_read_does_not_keep_the_others_from_being_tried(runs: Cli) -> None:
    from holdfast.eventlog import Log, UnknownEvent

    runs("run", "t.py:mend", "-i", "goal=y", "--id", "m2", status=3)
    with Log.open(runs.folder / ".holdfast" / "log") as log:
        import msgspec

        branch = log.branch_of("m2")
        future = UnknownEvent("future", msgspec.Raw(msgspec.msgpack.encode({"type": "future"})), 9)
        log.append(branch, [future], expected=log.head(branch), actor="t", time=1)

    told = runs("replay", "--all", "--against", "t.py:mend", status=1).out

    assert "diverged  m2, because run 'm2' has 1 events of a newer Holdfast" in told
    assert "ok        m " in told


# --- stepping ------------------------------------------------------------------------------------


@pytest.fixture
def step(runs: Cli, monkeypatch: pytest.MonkeyPatch) -> Step:
    def step(run: str, *lines: str, args: tuple[str, ...] = ()) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return runs("replay", run, "--step", *args).out

    return step


def frames(told: str) -> list[str]:
    return re.findall(r"\bframe (\d+) of ", told)


def test_frames_go_forwards_backwards_and_anywhere(step: Step) -> None:
    told = step("m", "n", "next", "", "p", "prev", "g 14", "n", "g 0", "p", "g", "q", "n")

    assert frames(told) == ["1", "2", "3", "4", "3", "2", "14", "0"]
    assert "there is no frame 15: they go from 0 to 14" in told
    assert "there is no frame -1" in told
    assert "which frame? g 1 to g 14" in told


def test_a_frame_tells_its_event_and_what_that_changed(step: Step) -> None:
    told = step("m", args=("--at", "4"))

    assert "step.succeeded  try[1]/test" in told
    assert "  step try[1]/test: running -> succeeded" in told
    assert "run: (none) -> running" in step("m")


def test_a_key_is_searched_for(step: Step) -> None:
    told = step("m", "/ try[3]", "/", "/", "/ send", "/ nobody")

    assert frames(told) == ["1", "7", "8", "12"]
    assert "no frame after 8 is about 'try[3]'" in told
    assert "no frame after 12 is about 'nobody'" in told


def test_the_state_in_short(step: Step) -> None:
    told = step("m", "g 14", "s")

    assert "m  mend  waiting\n  steps: 4 succeeded\n  gates: send it\n  signals: news" in told


def test_where_shows_the_lines_that_wait(step: Step) -> None:
    told = step("m", "w", "g 5", "w", args=("--at", "0"))

    assert "the workflow has not begun" in told
    assert "try[2]/test\n" in told
    assert 't.py:11 in tested\n    found = await run.step("test", check, n)' in told


def test_where_tells_each_task(step: Step) -> None:
    told = step("f", "w", args=("--at", "4"))

    assert told.count("t.py:44 in one\n    return local + await run.wait(item)") == 2


def test_where_tells_that_the_workflow_has_ended(step: Step) -> None:
    assert "the workflow has ended (failed)" in step("b", "g 5", "w")


def test_where_without_the_code_says_so_and_goes_on(step: Step, runs: Cli) -> None:
    (runs.folder / "t.py").unlink()

    told = step("m", "w", "n")

    assert "cannot be read" in told
    assert frames(told) == ["1", "2"]


def test_an_unknown_command_shows_the_known_ones(step: Step) -> None:
    assert "'dance' is no command\nn  next frame" in step("m", "dance")


def test_keys_at_a_terminal_need_no_return(runs: Cli) -> None:
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "replay", "m", "--step"],
        cwd=runs.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        assert process.stdout is not None
        told = ""

        def type_after(seen: str, keys: bytes) -> None:
            nonlocal told
            assert process.stdout is not None
            while seen not in told:
                told += process.stdout.read1().decode()  # type: ignore[attr-defined]
            os.write(keyboard, keys)

        type_after("run: (none) -> running", b"n")
        type_after("frame 2 of 14", b"\x1b[C\x1b[D")
        type_after("frame 3 of 14", b"g")
        type_after("frame: ", b"9\n")
        type_after("frame 9 of 14", b"q")
        told += process.stdout.read().decode()
    os.close(keyboard)
    os.close(terminal)

    assert "n  next frame" in told
    assert frames(told) == ["1", "2", "3", "2", "9"]
    assert process.returncode == 0


# --- debugging -----------------------------------------------------------------------------------


def debug(folder: Path, run: str, *lines: str, args: tuple[str, ...] = ()) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "holdfast", "replay", run, "--pdb", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_the_debugger_opens_where_the_run_stands_with_its_variables(runs: Cli) -> None:
    status, out, err = debug(
        runs.folder, "m", "p feedback", "tasks", "task 1", "task 9", "n", "p goal", "q"
    )

    assert status == 0
    assert "t.py(22)mend()\n-> await run.parallel(" in out
    assert "'code 1'" in out
    assert "-> task 2: news" in out
    assert "*** which one? task 1 to task 2" in out
    assert "nothing goes on here. Leave with q" in out
    assert "'x'" in out
    assert "frame 14 of 14" in err


def test_up_leads_from_the_innermost_line_to_the_workflow(runs: Cli) -> None:
    _, out, err = debug(runs.folder, "m", "p n", "up", "p feedback", "up", "q", args=("--at", "5"))

    assert "t.py(11)tested()" in out
    assert "(Pdb) 2\n" in out
    assert "'code 0'" in out
    assert "*** Oldest frame" in out
    assert "at: try[2]/test" in err


def test_the_task_that_the_frame_is_about_is_looked_at(runs: Cli) -> None:
    _, out, err = debug(runs.folder, "f", "p local", "up", "task 2", "p local", args=("--at", "3"))

    assert "-> task 1: x/x\n   task 2: y/y" in err
    assert "(Pdb) 'xx'\n" in out
    assert "fan()" in out
    assert "(Pdb) 'yy'\n" in out


def test_a_failed_workflow_is_opened_where_it_raised(runs: Cli) -> None:
    _, out, err = debug(runs.folder, "b", "p value", "q")

    assert 't.py(30)broken()\n-> value["missing"]' in out
    assert "{'a': 1}" in out
    assert "at: raised KeyError: 'missing'" in err


def test_a_workflow_that_cannot_go_on_is_opened_at_its_own_line(runs: Cli) -> None:
    _, out, _ = debug(runs.folder, "i", "p here", "q")

    assert "impure()\n-> await trio.sleep(0)" in out
    assert "'before'" in out


def test_code_that_diverges_is_opened_before_that(runs: Cli) -> None:
    other = changed(runs, "check, n)", "check, max(n, 2 * (n - 1)))")

    _, out, err = debug(runs.folder, "m", "p n", "q", args=("--workflow", other))

    assert "the code parts from the record: args changed" in err
    assert "frame 6 of 14" in err
    assert "(Pdb) 3\n" in out


def test_a_run_that_ended_well_is_opened_where_it_stood_last(runs: Cli) -> None:
    runs("approve", "m")
    runs("signal", "m", "news")
    runs("resume", "m")

    status, out, _ = debug(runs.folder, "m", "p feedback", "q")
    assert (status, "'code 1'" in out) == (0, True)

    status, _, err = debug(runs.folder, "m", args=("--at", "18"))
    assert status == 2
    assert "has ended at frame 18, so there is no line to look at" in err
    status, _, err = debug(runs.folder, "m", args=("--at", "0"))
    assert "does not wait for anything at frame 0" in err
