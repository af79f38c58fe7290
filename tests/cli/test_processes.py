"""The command line as real processes: exit statuses, signals, and runs that outlive them."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, popen


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_run_waits_is_approved_and_goes_on_to_its_end(holdfast: Cli) -> None:
    waiting = holdfast("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)
    assert "holdfast approve r 'send it'" in waiting.out
    assert "hello Bo" in waiting.out

    approved = holdfast("approve", "r")
    assert "go on with: holdfast resume r" in approved.out

    assert holdfast("resume", "r").out == "hello Bo\n"
    assert "succeeded" in holdfast("show", "r").out


def test_a_denied_run_fails(holdfast: Cli) -> None:
    holdfast("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)
    holdfast("deny", "r", "send it", "--by", "eve", "--note", "too loud")

    failed = holdfast("resume", "r", status=1)

    assert "error[approval_denied]" in failed.err
    assert "too loud" in failed.err


def test_a_failed_run_exits_with_1_and_an_exhausted_loop_with_4(holdfast: Cli) -> None:
    assert "no good" in holdfast("run", "w.py:fail", status=1).err
    assert "ceiling of 2" in holdfast("run", "w.py:exhaust", status=4).err


def test_a_signal_is_what_a_run_waits_for(holdfast: Cli) -> None:
    waiting = holdfast("run", "w.py:wait", "--id", "r", status=3)
    assert "holdfast signal r news" in waiting.out

    holdfast("signal", "r", "news", '{"a": 1}')

    assert holdfast.json("resume", "r")["output"] == {"a": 1}


def test_cancelling_a_waiting_run_does_its_clean_up(holdfast: Cli) -> None:
    holdfast("run", "w.py:clean_up", "--id", "r", status=3)

    cancelled = holdfast.json("cancel", "r", "--reason", "enough")

    assert cancelled["status"] == "cancelled"
    assert (holdfast.folder / "tidied").read_text() == "tidy\n"


def test_cancelling_a_run_at_work_ends_its_process(holdfast: Cli) -> None:
    with popen(holdfast.folder, "run", "w.py:slow", "--id", "r") as process:
        eventually((holdfast.folder / "begun").exists)

        assert holdfast.json("cancel", "r")["owner_alive"] is True
        _, err = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "was cancelled" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_steps_and_can_be_resumed(
    holdfast: Cli, number: signal.Signals
) -> None:
    with popen(holdfast.folder, "run", "w.py:slow", "--id", "r") as process:
        eventually((holdfast.folder / "begun").exists)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "holdfast resume r" in err
    assert "Traceback" not in err
    shown = holdfast.json("show", "r")
    assert (shown["status"], shown["owner_alive"]) == ("running", False)
    assert "interrupted" in holdfast("ps").out


def test_a_detached_run_goes_on_by_itself_and_can_be_watched(holdfast: Cli) -> None:
    started = holdfast("run", "w.py:greet", "-i", "name=Bo", "--id", "r", "--detach")
    assert started.out == "r\n"
    assert "holdfast watch r" in started.err

    watched = holdfast("watch", "r", status=3)
    again = holdfast.json("resume", "r", "--detach")

    assert "say" in watched.err
    assert "waits for approval 'send it'" in watched.out
    assert again.keys() >= {"run", "status", "output", "error", "offset", "log_file"}
    assert "run r" in (holdfast.folder / ".holdfast/logs/r.log").read_text()


def test_a_reader_who_leaves_early_hears_no_complaint(holdfast: Cli) -> None:
    holdfast("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)

    with popen(holdfast.folder, "log", "r") as process:
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (0, "")


def test_a_killed_process_s_run_is_shown_as_interrupted_and_resumed(holdfast: Cli) -> None:
    with popen(holdfast.folder, "run", "w.py:slow", "--id", "r") as process:
        eventually((holdfast.folder / "begun").exists)
        process.kill()
    assert "holdfast resume r" in holdfast("ps").err

    with popen(holdfast.folder, "resume", "r") as process:
        begun = holdfast.folder / "begun"
        eventually(lambda: begun.read_text() == "begun\nbegun\n")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert process.returncode == 130
    assert not sleepers(holdfast.folder)


def test_a_second_interrupt_kills_what_does_not_want_to_end(holdfast: Cli) -> None:
    with popen(holdfast.folder, "run", "w.py:stubborn", "--id", "r") as process:
        eventually((holdfast.folder / "begun").exists)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "Once more kills" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=3)

    assert process.returncode == 130
    eventually(lambda: not sleepers(holdfast.folder))


def test_a_run_is_executed_by_one_process_unless_it_is_taken_over(holdfast: Cli) -> None:
    with popen(holdfast.folder, "run", "w.py:slow", "--id", "r") as first:
        eventually((holdfast.folder / "begun").exists)

        busy = holdfast.json("resume", "r", status=1)
        with popen(holdfast.folder, "resume", "r", "--takeover") as second:
            _, err = first.communicate(timeout=20)
            second.send_signal(signal.SIGTERM)
            second.communicate(timeout=20)

    assert busy["error"]["code"] == "run_busy"
    assert "error[run_replaced]" in err
    assert (first.returncode, second.returncode) == (1, 130)


def test_a_detached_run_that_cannot_begin_says_why(holdfast: Cli) -> None:
    holdfast("run", "w.py:wait", "--id", "r", status=3)
    source = holdfast.folder / "w.py"
    source.write_text("raise ValueError('not today')")

    failed = holdfast("resume", "r", "--detach", status=1)

    assert "error[not_started]" in failed.err
    assert "not today" in failed.err


def test_a_child_run_s_gate_is_shown_with_its_parent(holdfast: Cli) -> None:
    waiting = holdfast("run", "w.py:family", "--id", "r", status=3)
    assert "holdfast approve r/kid 'send it'" in waiting.out

    approved = holdfast("approve", "r/kid")

    assert "go on with: holdfast resume r\n" in approved.out
    assert holdfast.json("resume", "r")["output"] == "hello Al"


def sleepers(folder: Path) -> list[str]:
    """Return the processes that a step left behind in a folder."""
    listed = subprocess.run(["pgrep", "-x", "sleep"], capture_output=True, text=True, check=False)
    return [pid for pid in listed.stdout.split() if _works_in(pid, folder)]


def _works_in(pid: str, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False


def test_a_watched_run_takes_up_a_saved_edit_for_the_steps_to_come(holdfast: Cli) -> None:
    path = holdfast.folder / "edited.py"
    source = (
        "from holdfast import Run, workflow\n"
        "@workflow\n"
        "async def edited(run: Run) -> str:\n"
        "    await run.shell('a', 'until test -e go; do sleep 0.01; done')\n"
        "    return (await run.shell('b', 'echo old')).stdout\n"
    )
    path.write_text(source)
    process = popen(holdfast.folder, "run", "edited.py", "--watch")
    assert process.stderr is not None
    while "a  started" not in process.stderr.readline():
        pass
    path.write_text(source.replace("echo old", "echo renewed"))
    assert "is in use" in process.stderr.readline()
    (holdfast.folder / "go").touch()

    assert process.communicate()[0].strip() == "renewed"
