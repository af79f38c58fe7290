"""What a log promises to many processes: turns, no lost acknowledgement, no harm from a kill."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.eventlog import Batch, BranchMoved, Log, LogForked, Noted, verify

Start = Callable[..., "subprocess.Popen[str]"]

CONTEND = """
    import sys
    from holdfast.eventlog import BranchMoved, Log, Noted
    path, branch, name, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    moved = 0
    with Log.open(path) as log:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(count):
            expected = log.head(branch)
            while True:
                try:
                    log.append(branch, [Noted(name, str(number))], expected=expected, actor=name, time=1)
                    break
                except BranchMoved as error:
                    expected, moved = error.actual, moved + 1
    print(moved)
"""

ACKNOWLEDGE = """
    import sys
    from holdfast.eventlog import Log, Noted
    with Log.open(sys.argv[1]) as log:
        branch = log.branch_of("fix")
        head = log.head(branch)
        while True:
            events = [Noted("n", str(head + n)) for n in range(3)]
            head = log.append(branch, events, expected=head, actor="engine", time=1)
            print(head, flush=True)
"""


def test_two_processes_take_turns_on_one_branch_and_lose_nothing(
    tmp_path: Path, start: Start
) -> None:
    with Log.open(tmp_path) as log:
        branch = log.create_run("fix", [], actor="e", time=1)
        processes = [start(CONTEND, tmp_path, branch, name, 60) for name in "ab"]
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"

        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait() for process in processes] == [0, 0]

        records = [*log.records(branch)]
        assert [record.offset for record in records] == [*range(120)]
        for name in "ab":
            mine = [r.event.text for r in records if r.actor == name and isinstance(r.event, Noted)]
            assert mine == [str(n) for n in range(60)]
        assert verify(log).ok


def test_the_writer_that_was_overtaken_hears_of_it_and_goes_on(
    tmp_path: Path, start: Start
) -> None:
    with Log.open(tmp_path) as log:
        branch = log.create_run("fix", [], actor="e", time=1)
        process = start(CONTEND, tmp_path, branch, "other", 1)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        log.append(branch, [Noted("n", "first")], expected=0, actor="e", time=1)
        process.communicate("go\n")

        with pytest.raises(BranchMoved):
            log.append(branch, [Noted("n", "late")], expected=1, actor="e", time=1)

        assert log.append(branch, [Noted("n", "then")], expected=2, actor="e", time=1) == 3
        assert verify(log).ok


def test_a_writer_killed_at_any_moment_leaves_every_acknowledged_append_whole(
    tmp_path: Path, start: Start
) -> None:
    with Log.open(tmp_path) as log:
        branch = log.create_run("fix", [], actor="e", time=1)
    for kill in range(10):
        process = start(ACKNOWLEDGE, tmp_path)
        assert process.stdout
        acknowledged = [process.stdout.readline() for _ in range(1 + 3 * kill)]
        process.kill()
        acknowledged += process.communicate()[0].splitlines()

        with Log.open(tmp_path) as log:
            head = log.head(branch)
            records = [*log.records(branch)]
            assert head >= max(int(line) for line in acknowledged if line.strip())
            assert head % 3 == 0
            assert [record.offset for record in records] == [*range(head)]
            assert [r.event for r in records] == [Noted("n", str(n)) for n in range(head)]
            assert verify(log).ok


def test_a_map_that_another_process_grew_is_followed(tmp_path: Path, start: Start) -> None:
    with Log.open(tmp_path, map_size=256 << 10) as log:
        branch = log.create_run("fix", [], actor="e", time=1)
        code = """
            import sys
            from holdfast.eventlog import Log, Noted
            with Log.open(sys.argv[1], map_size=16 << 20) as log:
                log.append(1, [Noted("n", "x" * 900)] * 3000, expected=0, actor="o", time=1)
        """
        assert start(code, tmp_path).wait() == 0

        assert log.head(branch) == 3000
        assert log.append(branch, [Noted("n", "y")], expected=3000, actor="e", time=1) == 3001
        assert verify(log).ok


def test_a_reader_killed_in_its_transaction_frees_its_place_when_room_is_short(
    tmp_path: Path, start: Start
) -> None:
    with Log.open(tmp_path, max_readers=1) as log:
        log.create_run("fix", [Noted("n", "a")], actor="e", time=1)
    code = """
        import sys
        from holdfast.eventlog import Log
        def hold(txn):
            print("reading", flush=True)
            sys.stdin.readline()
        Log.open(sys.argv[1]).store.view(hold)
    """
    with Log.open(tmp_path, max_readers=1) as log:
        process = start(code, tmp_path)
        assert process.stdout
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGKILL)
        process.wait()

        assert log.size() == 1


def test_processes_that_make_a_log_at_once_make_one(tmp_path: Path, start: Start) -> None:
    code = """
        import sys
        from holdfast.eventlog import Log, Noted
        with Log.open(sys.argv[1]) as log:
            log.create_run(sys.argv[2], [Noted("n", "a")], actor="o", time=1)
    """
    processes = [start(code, tmp_path / "log", f"run-{number}") for number in range(4)]

    assert [process.wait() for process in processes] == [0] * 4

    with Log.open(tmp_path / "log") as log:
        assert {row.run for row in log.runs()} == {f"run-{number}" for number in range(4)}
        assert verify(log).ok


def test_a_forked_child_is_refused_and_the_parent_goes_on(tmp_path: Path) -> None:
    with Log.open(tmp_path) as log:
        branch = log.create_run("fix", [Noted("n", "a")], actor="e", time=1)
        batch = Batch(branch, [Noted("n", "x")], 1, "e", 1)
        reader, writer = os.pipe()

        child = os.fork()
        if child == 0:  # nothing of pytest may run in here
            for use in (lambda: log.head(branch), lambda: log.submit(batch, print)):
                try:
                    use()
                except LogForked as error:
                    os.write(writer, f"{error}\n".encode())
            log.close()
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        message = os.read(reader, 1000).decode()
        os.close(reader)

        assert message.count(f"was opened by process {os.getpid()}") == 2
        assert log.append(branch, [Noted("n", "b")], expected=1, actor="e", time=1) == 2


def test_a_log_works_where_address_space_is_short(tmp_path: Path, start: Start) -> None:
    code = """
        import resource, sys
        from holdfast.eventlog import Log, Noted
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
        with Log.open(sys.argv[1]) as log:
            log.create_run("fix", [Noted("n", "a")], actor="e", time=1)
            print(log.store.map_bytes())
    """
    process = start(code, tmp_path)

    granted = int(process.communicate()[0])

    assert granted == 1 << 32
    with Log.open(tmp_path) as log:
        assert log.size() == 1
