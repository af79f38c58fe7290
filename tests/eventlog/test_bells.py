"""Bells wake who waits, across processes, and dead ones are taken down."""

import select
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.eventlog import Doorbell, LogUnwritable, ring

Start = Callable[..., "subprocess.Popen[str]"]

LISTEN = """
    import select, sys
    from holdfast.eventlog import Doorbell
    bell = Doorbell(sys.argv[1])
    print("listening", flush=True)
    select.select([bell], [], [])
    print(bell.drain(), flush=True)
    bell.close()
"""


def is_rung(bell: Doorbell) -> bool:
    return bool(select.select([bell], [], [], 0)[0])


def test_a_ring_wakes_another_process(tmp_path: Path, start: Start) -> None:
    process = start(LISTEN, tmp_path)
    assert process.stdout
    assert process.stdout.readline() == "listening\n"

    ring(tmp_path)

    assert process.stdout.readline() == "True\n"
    assert process.wait() == 0
    assert [*(tmp_path / "bells").iterdir()] == []


def test_every_bell_is_rung_and_quiet_again_once_drained(tmp_path: Path) -> None:
    with Doorbell(tmp_path) as one, Doorbell(tmp_path) as two:
        assert not is_rung(one)
        assert not one.drain()

        ring(tmp_path)
        ring(tmp_path)

        for bell in (one, two):
            assert is_rung(bell)
            assert bell.drain()
            assert not is_rung(bell)


def test_nobody_blocks_on_a_bell_that_nobody_drains(tmp_path: Path) -> None:
    with Doorbell(tmp_path) as bell:
        for _ in range(70_000):  # more than a FIFO holds
            ring(tmp_path)

        assert bell.drain()


def test_the_bell_of_a_killed_process_is_taken_down(tmp_path: Path, start: Start) -> None:
    process = start(LISTEN, tmp_path)
    assert process.stdout
    process.stdout.readline()
    process.kill()
    process.wait()

    with Doorbell(tmp_path) as bell:
        ring(tmp_path)

        assert bell.drain()
        assert len([*(tmp_path / "bells").iterdir()]) == 1


def test_what_is_no_bell_is_left_alone(tmp_path: Path) -> None:
    ring(tmp_path)
    with Doorbell(tmp_path):
        (tmp_path / "bells" / "note").write_text("keep")

        ring(tmp_path)

    assert (tmp_path / "bells" / "note").read_text() == "keep"


def test_a_bell_closes_twice(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path)

    bell.close()
    bell.close()

    assert [*(tmp_path / "bells").iterdir()] == []


def test_where_no_bell_can_be_made_the_log_is_told_to_be_unwritable(tmp_path: Path) -> None:
    (tmp_path / "bells").touch()

    with pytest.raises(LogUnwritable, match="cannot be written: File exists"):
        Doorbell(tmp_path)
