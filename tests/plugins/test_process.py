"""Real programs: what they say is heard, and nothing that they start outlives the step."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from holdfast.plugins import (
    MARK,
    BadOptions,
    CommandTooLong,
    MissingBinary,
    MissingFolder,
    StillRunning,
    marks,
    nested,
    process,
)
from holdfast.plugins.process import Lines, run_process, sweep

linux = pytest.mark.skipif(not marks.can_see_marks(), reason="needs /proc")

# Each prints "ready" when it has set up what it is about.
IGNORES_SIGTERM = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0 and os.fork() == 0:
    print("ready", flush=True)
time.sleep(600)
"""
IGNORES_SIGTERM_ALONE = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
LEAVES_THE_GROUP = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("ready", flush=True)
    os.close(1); os.close(2)
    time.sleep(600)
"""
WAITS = "time.sleep(600)"
SAYS_GOODBYE = """
import signal, sys, time
def goodbye(*_):
    sys.stdout.write("x" * 300_000 + "goodbye"); sys.stdout.flush(); sys.exit(3)
signal.signal(signal.SIGTERM, goodbye)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def env() -> Iterator[dict[str, str]]:
    mark = f"test-{uuid.uuid4()}"
    yield {**os.environ, MARK: mark}
    for pid in marks.find(mark=mark) if marks.can_see_marks() else ():  # only when a test failed
        os.kill(pid, signal.SIGKILL)


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


@contextmanager
def started(argv: list[str], env: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def cancelled_when_ready(script: str, env: dict[str, str], folder: Path) -> bytes:
    """Start the script, cancel it once it has said "ready", and return all that it said."""
    heard = bytearray()
    ready = trio.Event()

    def hear(data: bytes) -> None:
        heard.extend(data)
        if b"ready" in heard:
            ready.set()

    async def run() -> None:
        await run_process(python(script), folder=folder, env=env, on_stdout=hear, grace_s=0.3)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await ready.wait()
            nursery.cancel_scope.cancel()
    return bytes(heard)


async def test_a_program_gets_its_input_and_its_output_and_exit_code_come_back(
    env: dict[str, str], tmp_path: Path
) -> None:
    out, err = bytearray(), bytearray()
    script = (
        "import sys; d = sys.stdin.read(); print(d[::-1]); print('no', file=sys.stderr); exit(7)"
    )

    code = await run_process(
        python(script),
        folder=tmp_path,
        env=env,
        stdin=b"abc",
        on_stdout=out.extend,
        on_stderr=err.extend,
    )

    assert (code, bytes(out), bytes(err)) == (7, b"cba\n", b"no\n")


async def test_a_text_is_a_shell_command_run_in_the_folder(
    env: dict[str, str], tmp_path: Path
) -> None:
    code = await run_process("echo $((1 + 1)) > sum && false", folder=tmp_path, env=env)

    assert code == 1
    assert (tmp_path / "sum").read_text() == "2\n"


async def test_a_program_ended_by_a_signal_has_its_negative_number_as_code(
    env: dict[str, str], tmp_path: Path
) -> None:
    assert await run_process("kill -9 $$", folder=tmp_path, env=env) == -9


async def test_large_output_without_a_last_line_end_arrives_whole(
    env: dict[str, str], tmp_path: Path
) -> None:
    out = bytearray()
    script = "import sys; sys.stdout.write('x' * 5_000_000 + 'end')"

    await run_process(python(script), folder=tmp_path, env=env, on_stdout=out.extend)

    assert len(out) == 5_000_003
    assert out.endswith(b"end")


async def test_input_that_the_program_does_not_read_is_no_error(
    env: dict[str, str], tmp_path: Path
) -> None:
    assert await run_process("exit 0", folder=tmp_path, env=env, stdin=b"x" * 5_000_000) == 0


@linux
@pytest.mark.parametrize("script", [IGNORES_SIGTERM, LEAVES_THE_GROUP + WAITS])
async def test_cancelling_leaves_no_process(
    script: str, env: dict[str, str], tmp_path: Path
) -> None:
    await cancelled_when_ready(script, env, tmp_path)

    assert marks.find(mark=env[MARK]) == set()


@linux
async def test_what_the_program_leaves_behind_is_ended_after_it(
    env: dict[str, str], tmp_path: Path
) -> None:
    code = await run_process(python(LEAVES_THE_GROUP), folder=tmp_path, env=env)

    assert code == 0
    assert marks.find(mark=env[MARK]) == set()


@linux
async def test_a_child_without_the_mark_is_found_through_its_parent(
    env: dict[str, str], tmp_path: Path
) -> None:
    sleeper = f"import os; os.setsid(); print('ready', flush=True); import time; {WAITS}"
    script = f"import subprocess; subprocess.run({['env', '-i', *python(sleeper)]!r})"

    await cancelled_when_ready(script, env, tmp_path)

    assert not [p for p in marks.living() if p.parent == os.getpid()]


async def test_a_background_process_that_keeps_the_output_open_does_not_hang_the_step(
    env: dict[str, str], tmp_path: Path
) -> None:
    out = bytearray()

    with trio.fail_after(20):
        code = await run_process(
            "echo first; sleep 600 & echo last",
            folder=tmp_path,
            env=env,
            on_stdout=out.extend,
            drain_s=0.05,
        )

    assert (code, bytes(out)) == (0, b"first\nlast\n")


async def test_last_words_after_sigterm_are_heard(env: dict[str, str], tmp_path: Path) -> None:
    heard = await cancelled_when_ready(SAYS_GOODBYE, env, tmp_path)

    assert heard.endswith(b"xgoodbye")


async def test_a_listener_that_raises_ends_the_program_and_is_heard(
    env: dict[str, str], tmp_path: Path
) -> None:
    def refuse(data: bytes) -> None:
        raise ValueError(data.decode())

    with trio.fail_after(20), pytest.raises(ValueError, match="ready"):
        await run_process("echo ready; sleep 600", folder=tmp_path, env=env, on_stdout=refuse)


async def test_without_proc_the_process_group_is_ended(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "can_see_marks", lambda: False)

    await cancelled_when_ready(IGNORES_SIGTERM_ALONE, env, tmp_path)

    monkeypatch.undo()
    assert not marks.can_see_marks() or marks.find(mark=env[MARK]) == set()
    assert await sweep("no such mark") == 0


async def test_a_missing_program_is_named_with_the_way_to_install_it(
    env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(MissingBinary, match=r"'no-such-program'.*npm install it"):
        await run_process(["no-such-program"], folder=tmp_path, env=env, install="npm install it")


async def test_a_file_that_is_no_program_is_told_from_a_crash(
    env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("not a program")

    with pytest.raises(MissingBinary, match=r"Permission denied.*chmod \+x ./notes.txt"):
        await run_process(["./notes.txt"], folder=tmp_path, env=env)


async def test_a_missing_script_is_told_with_the_folder_where_it_was_looked_for(
    env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(MissingBinary, match=re.escape(f"looked for from {str(tmp_path)!r}")):
        await run_process(["./agent.sh"], folder=tmp_path, env=env)


async def test_a_missing_folder_is_not_taken_for_a_missing_program(
    env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(MissingFolder, match="no-such-folder"):
        await run_process("true", folder=tmp_path / "no-such-folder", env=env)


async def test_an_argument_above_the_limit_says_to_use_standard_input(
    env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(CommandTooLong, match=r"3000000 bytes.*standard input"):
        await run_process(["echo", "x" * 3_000_000], folder=tmp_path, env=env)


async def test_a_command_with_a_null_byte_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadOptions, match="null byte"):
        await run_process("echo \0", folder=tmp_path, env=env)


@linux
def test_sweeping_ends_what_a_dead_engine_left(env: dict[str, str]) -> None:
    with started(python(IGNORES_SIGTERM), env) as orphan:
        assert orphan.stdout is not None
        assert orphan.stdout.readline() == b"ready\n"

        swept = trio.run(partial(sweep, env[MARK], grace_s=0.1))

        assert swept == 3
        assert orphan.wait() == -signal.SIGKILL
        assert trio.run(sweep, env[MARK]) == 0


@linux
def test_sweeping_a_step_ends_the_steps_inside_it_and_no_others(env: dict[str, str]) -> None:
    inner = env | {MARK: nested("inner", env)}
    other = env | {MARK: env[MARK] + "0"}

    with (
        started(["sleep", "600"], inner) as inside,
        started(["sleep", "600"], other) as beside,
    ):
        assert trio.run(sweep, env[MARK]) == 1
        assert inside.wait() == -signal.SIGTERM
        assert beside.poll() is None


@linux
def test_sweeping_a_run_ends_all_its_steps_however_nested_and_no_other_runs(
    env: dict[str, str],
) -> None:
    run = f"{env[MARK]}-run/1/"
    own, deep, other = (
        env | {MARK: mark} for mark in (f"{run}a/1", f"x|{run}b/2", f"{run[:-1]}0/a/1")
    )

    with (
        subprocess.Popen(["sleep", "600"], env=own) as one,
        subprocess.Popen(["sleep", "600"], env=deep) as two,
        subprocess.Popen(["sleep", "600"], env=other) as beside,
    ):
        assert trio.run(sweep, run) == 2
        assert (one.wait(), two.wait()) == (-signal.SIGTERM, -signal.SIGTERM)
        assert beside.poll() is None
        beside.kill()


async def test_what_survives_sigkill_is_named(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    immortal = 2**30  # above any real process id
    monkeypatch.setattr(marks, "can_see_marks", lambda: True)
    monkeypatch.setattr(marks, "find", lambda **_: {immortal})

    with pytest.raises(StillRunning, match=str(immortal)):
        await sweep("x")


def lines_of(pieces: list[bytes], limit_bytes: int = 1000) -> list[str]:
    found: list[str] = []
    lines = Lines(found.append, limit_bytes=limit_bytes)
    for piece in pieces:
        lines(piece)
    lines.close()
    return found


@given(st.lists(st.text("ab\né", max_size=5)), st.data())
def test_lines_do_not_depend_on_how_the_output_was_cut(
    texts: list[str], data: st.DataObject
) -> None:
    whole = "".join(texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    expected = whole.decode().split("\n")
    assert lines_of(pieces) == (expected if expected[-1] else expected[:-1])


def test_a_line_above_the_limit_comes_in_pieces_and_loses_nothing() -> None:
    assert lines_of([b"aaabb", b"bcc\nd"], limit_bytes=3) == ["aaa", "bbb", "cc", "d"]


def test_windows_line_ends_are_taken_off() -> None:
    assert lines_of([b"a\r\nb\r", b"\n"]) == ["a", "b"]


def test_the_mark_of_an_engine_inside_a_step_has_the_outer_mark_first() -> None:
    assert nested("b", {}) == "b"
    assert nested("b", {MARK: "a"}) == "a|b"


# --- talks -----------------------------------------------------------------------------------------

ECHO = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"


async def test_a_talk_hears_the_program_and_its_end_closes_the_input(
    env: dict[str, str], tmp_path: Path
) -> None:
    heard = bytearray()
    answered = trio.Event()

    def hear(data: bytes) -> None:
        heard.extend(data)
        answered.set()

    async def talk(stream: trio.abc.SendStream) -> None:
        await stream.send_all(b"hello\n")
        await answered.wait()

    code = await run_process(python(ECHO), folder=tmp_path, env=env, stdin=talk, on_stdout=hear)

    assert (code, bytes(heard)) == (0, b"olleh\n")


async def test_a_talk_is_over_when_the_program_has_ended(
    env: dict[str, str], tmp_path: Path
) -> None:
    async def talk(stream: trio.abc.SendStream) -> None:
        await trio.sleep_forever()

    assert await run_process(python("exit(4)"), folder=tmp_path, env=env, stdin=talk) == 4


async def test_a_talk_is_over_when_the_program_can_say_nothing_more(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LEAVE_S", 0.05)
    silent = "import os, time; os.close(1); time.sleep(600)"

    async def talk(stream: trio.abc.SendStream) -> None:
        await trio.sleep_forever()

    code = await run_process(python(silent), folder=tmp_path, env=env, stdin=talk)

    assert code == -signal.SIGTERM


async def test_a_talk_that_fails_ends_the_program(env: dict[str, str], tmp_path: Path) -> None:
    async def talk(stream: trio.abc.SendStream) -> None:
        raise OSError("no more to say")

    with pytest.raises(OSError, match="no more to say"):
        await run_process(
            python("import time; time.sleep(600)"), folder=tmp_path, env=env, stdin=talk
        )
    assert marks.find(mark=env[MARK]) == set()
